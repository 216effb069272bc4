#include "golden_set.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "culprit/readers/case_reader.h"

namespace culprit {
namespace {

namespace fs = std::filesystem;

// JSON has no such numbers: the recorder wrote their names.
double number(const nlohmann::json& value) {
    constexpr double inf = std::numeric_limits<double>::infinity();
    if (!value.is_string()) return value.get<double>();
    if (value == "Inf") return inf;
    if (value == "-Inf") return -inf;
    return std::numeric_limits<double>::quiet_NaN();
}

GoldenAnswer read_answer(const std::string& path) {
    std::ifstream file(path);
    const nlohmann::json json = nlohmann::json::parse(file);
    GoldenAnswer answer;
    answer.file = path;
    answer.names = json.at("ranks").get<std::vector<std::string>>();
    if (json.contains("scores") && json["scores"].is_array())
        for (const auto& pair : json["scores"])
            answer.scores.emplace_back(pair.at(0).get<std::string>(), number(pair.at(1)));
    answer.symptom = json.value("sli", "");
    return answer;
}

std::vector<fs::path> folders(const fs::path& root) {
    std::vector<fs::path> found;
    if (fs::is_directory(root))
        for (const auto& entry : fs::directory_iterator(root))
            if (entry.is_directory()) found.push_back(entry.path());
    std::sort(found.begin(), found.end());
    return found;
}

}  // namespace

std::vector<GoldenAnswer> GoldenCase::answers(const std::string& method) const {
    std::vector<GoldenAnswer> found;
    const auto add = [&](const std::string& suffix) {
        const std::string path = ranks_path + "/" + method + suffix + ".json";
        if (fs::exists(path)) found.push_back(read_answer(path));
    };
    add("");
    for (const char* kind : {".hash", ".seed"})
        for (int run = 1; run < 10; ++run) add(kind + std::to_string(run));
    return found;
}

const Incident& GoldenCase::incident() const {
    if (!incident_) {
        auto read = read_case(case_path);
        if (!read) throw std::runtime_error(case_path + ": " + read.error().message);
        incident_ = std::make_shared<const Incident>(std::move(read->incident));
    }
    return *incident_;
}

GoldenSet::GoldenSet(const std::string& root) {
    for (const fs::path& family : folders(root))
        for (const fs::path& group : folders(family / "cases"))
            for (const fs::path& folder : folders(group)) {
                GoldenCase golden;
                const std::string name = group.filename().string();
                const std::string number_text = folder.filename().string();
                golden.id = fmt::format("{}/{}/{}", family.filename().string(), name, number_text);
                golden.case_path = folder.string();
                golden.ranks_path =
                    (family / "ranks" / fmt::format("{}__{}", name, number_text)).string();
                cases_.push_back(std::move(golden));
            }
    if (cases_.empty()) throw std::runtime_error("no golden case below " + root);
}

}  // namespace culprit
