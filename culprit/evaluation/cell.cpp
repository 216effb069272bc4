#include "culprit/evaluation/cell.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace culprit {
namespace {

using Json = nlohmann::ordered_json;

Json json_of(const Score& score) {
    return {{"hit", score.hit}, {"reciprocal_rank", score.reciprocal_rank}};
}

std::optional<Score> score_from(const Json& json, const char* name) {
    if (!json.contains(name) || json.at(name).is_null()) return std::nullopt;
    Score score;
    score.hit = json.at(name).at("hit").get<std::array<double, Score::k_max>>();
    score.reciprocal_rank = json.at(name).at("reciprocal_rank").get<double>();
    return score;
}

std::optional<CellStatus> status_from(std::string_view text) {
    for (const CellStatus status :
         {CellStatus::ok, CellStatus::degenerate, CellStatus::failed, CellStatus::not_applicable})
        if (to_string(status) == text) return status;
    return std::nullopt;
}

CellRecord cell_from(const Json& json) {
    CellRecord cell;
    cell.key = {.dataset = json.at("dataset").get<std::string>(),
                .case_id = json.at("case").get<std::string>(),
                .method = json.at("method").get<std::string>(),
                .variant = json.at("variant").get<std::string>(),
                .seed = json.at("seed").get<std::uint64_t>(),
                .options = json.at("options").get<std::string>(),
                .version = json.at("version").get<std::string>(),
                .fingerprint = json.at("fingerprint").get<std::string>()};
    cell.reason = json.at("reason").get<std::string>();
    cell.fault = json.at("fault").get<std::string>();
    cell.truth = json.at("truth").get<std::vector<std::string>>();
    cell.service = score_from(json, "service");
    cell.metric = score_from(json, "metric");
    cell.service_rank = json.at("service_rank").get<std::size_t>();
    cell.metric_rank = json.at("metric_rank").get<std::size_t>();
    cell.num_suspects = json.at("suspects").get<std::size_t>();
    for (const Json& entry : json.at("top"))
        cell.top.emplace_back(entry.at(0).get<std::string>(), entry.at(1).get<double>());
    cell.wall_seconds = json.at("wall_seconds").get<double>();
    cell.cpu_seconds = json.at("cpu_seconds").get<double>();
    cell.heap_peak_bytes = json.at("heap_peak_bytes").get<std::int64_t>();
    return cell;
}

}  // namespace

std::string CellKey::text() const {
    return fmt::format("{}\n{}\n{}\n{}\n{}\n{}\n{}\n{}", dataset, case_id, method, variant, seed,
                       options, version, fingerprint);
}

std::string_view to_string(CellStatus status) {
    switch (status) {
        case CellStatus::ok:
            return "ok";
        case CellStatus::degenerate:
            return "degenerate";
        case CellStatus::failed:
            return "failed";
        case CellStatus::not_applicable:
            return "not_applicable";
    }
    return "unknown";
}

std::string to_json_line(const CellRecord& cell) {
    Json json;
    json["dataset"] = cell.key.dataset;
    json["case"] = cell.key.case_id;
    json["method"] = cell.key.method;
    json["variant"] = cell.key.variant;
    json["seed"] = cell.key.seed;
    json["options"] = cell.key.options;
    json["version"] = cell.key.version;
    json["fingerprint"] = cell.key.fingerprint;
    json["status"] = to_string(cell.status);
    json["reason"] = cell.reason;
    json["fault"] = cell.fault;
    json["truth"] = cell.truth;
    json["service"] = cell.service ? json_of(*cell.service) : Json(nullptr);
    json["metric"] = cell.metric ? json_of(*cell.metric) : Json(nullptr);
    json["service_rank"] = cell.service_rank;
    json["metric_rank"] = cell.metric_rank;
    json["suspects"] = cell.num_suspects;
    json["top"] = Json::array();
    for (const auto& [name, score] : cell.top) json["top"].push_back(Json::array({name, score}));
    json["wall_seconds"] = cell.wall_seconds;
    json["cpu_seconds"] = cell.cpu_seconds;
    json["heap_peak_bytes"] = cell.heap_peak_bytes;
    // Names come from files and may hold bytes that are no UTF-8.
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<CellRecord> cell_from_json_line(std::string_view line) {
    const Json json = Json::parse(line, nullptr, false);
    if (json.is_discarded()) return fail(ErrorCode::malformed_data, "expected one JSON object");
    try {
        CellRecord cell = cell_from(json);
        const auto status = status_from(json.at("status").get<std::string>());
        if (!status) return fail(ErrorCode::malformed_data, "unknown status");
        cell.status = *status;
        return cell;
    } catch (const Json::exception& error) {
        return fail(ErrorCode::malformed_data, error.what());
    }
}

}  // namespace culprit
