#include "culprit/readers/case_annex.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace culprit {
namespace {

using nlohmann::json;

constexpr int annex_version = 1;

json range_json(TimeRange range) { return json::array({to_ns(range.begin), to_ns(range.end)}); }

TimeRange range_of(const json& range) {
    return {time_from_ns(range.at(0).get<std::int64_t>()),
            time_from_ns(range.at(1).get<std::int64_t>())};
}

Status apply_columns(const json& columns, Incident& incident) {
    const Frame& frame = incident.metrics;
    if (frame.num_columns() == 0) return {};
    std::vector<Column> described(frame.columns().begin(), frame.columns().end());
    for (const json& entry : columns) {
        const auto index = frame.find(entry.at("name").get<std::string>());
        if (!index) continue;
        Column& column = described[*index];
        column.service = entry.at("service").get<std::string>();
        column.metric = entry.at("metric").get<std::string>();
        column.unit = entry.at("unit").get<std::string>();
        column.labels = entry.at("labels").get<std::map<std::string, std::string>>();
    }
    std::vector<TimePoint> times(frame.times().begin(), frame.times().end());
    // The values stay where they are: the old frame lives on in the pointer's deleter.
    const Frame::Values values(frame.matrix().data(), [keep = frame](const double*) {});
    CULPRIT_TRY(incident.metrics, Frame::make(std::move(times), std::move(described), values));
    return {};
}

// A number of an enumeration whose last value is `last`.
template <class Enum>
Enum enum_of(const json& value, Enum last) {
    const int number = value.get<int>();
    if (number < 0 || number > static_cast<int>(last)) return last;
    return static_cast<Enum>(number);
}

void apply_topology(const json& topology, Incident& incident) {
    auto read = std::make_shared<Topology>();
    for (const json& node : topology.at("nodes"))
        read->nodes.push_back({node.at("name").get<std::string>(),
                               enum_of(node.at("kind"), NodeKind::other),
                               node.at("labels").get<std::map<std::string, std::string>>()});
    for (const json& edge : topology.at("edges"))
        read->edges.push_back({edge.at("from").get<std::string>(), edge.at("to").get<std::string>(),
                               enum_of(edge.at("kind"), EdgeKind::part_of)});
    incident.topology = std::move(read);
}

}  // namespace

std::string format_case_annex(const Case& described) {
    const Incident& incident = described.incident;
    json annex = {{"version", annex_version},
                  {"baseline_ns", range_json(incident.baseline)},
                  {"suspect_ns", range_json(incident.suspect)},
                  {"columns", json::array()},
                  {"changes", json::array()},
                  {"problems", json::array()}};
    for (const Column& column : incident.metrics.columns())
        annex["columns"].push_back({{"name", column.name},
                                    {"service", column.service},
                                    {"metric", column.metric},
                                    {"unit", column.unit},
                                    {"labels", column.labels}});
    for (const ChangeEvent& change : incident.changes)
        annex["changes"].push_back({{"time_ns", to_ns(change.time)},
                                    {"entity", change.entity},
                                    {"kind", change.kind},
                                    {"description", change.description}});
    for (const DataProblem& problem : described.problems)
        annex["problems"].push_back(
            {{"place", problem.place}, {"message", problem.message}, {"count", problem.count}});
    if (incident.symptom) annex["symptom"] = *incident.symptom;
    if (incident.topology) {
        json nodes = json::array();
        json edges = json::array();
        for (const TopologyNode& node : incident.topology->nodes)
            nodes.push_back({{"name", node.name},
                             {"kind", static_cast<int>(node.kind)},
                             {"labels", node.labels}});
        for (const TopologyEdge& edge : incident.topology->edges)
            edges.push_back(
                {{"from", edge.from}, {"to", edge.to}, {"kind", static_cast<int>(edge.kind)}});
        annex["topology"] = {{"nodes", std::move(nodes)}, {"edges", std::move(edges)}};
    }
    return annex.dump(-1, ' ', false, json::error_handler_t::replace);
}

Status apply_case_annex(std::string_view text, Case& read) {
    const json annex = json::parse(text, nullptr, false);
    if (!annex.is_object()) return fail(ErrorCode::malformed_data, "expected a JSON object");
    Incident& incident = read.incident;
    try {
        if (const int version = annex.at("version").get<int>(); version != annex_version)
            return fail(ErrorCode::unsupported,
                        fmt::format("expected version {}, found {}", annex_version, version));
        CULPRIT_TRY_STATUS(apply_columns(annex.at("columns"), incident));
        for (const json& change : annex.at("changes"))
            incident.changes.push_back({time_from_ns(change.at("time_ns").get<std::int64_t>()),
                                        change.at("entity").get<std::string>(),
                                        change.at("kind").get<std::string>(),
                                        change.at("description").get<std::string>()});
        for (const json& problem : annex.at("problems"))
            read.problems.push_back({problem.at("place").get<std::string>(),
                                     problem.at("message").get<std::string>(),
                                     problem.at("count").get<std::uint64_t>()});
        incident.baseline = range_of(annex.at("baseline_ns"));
        incident.suspect = range_of(annex.at("suspect_ns"));
        if (annex.contains("symptom")) incident.symptom = annex["symptom"].get<std::string>();
        if (annex.contains("topology")) apply_topology(annex["topology"], incident);
    } catch (const json::exception& problem) {
        return fail(ErrorCode::malformed_data, problem.what());
    }
    return {};
}

}  // namespace culprit
