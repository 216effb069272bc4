#include "culprit/telemetry/otlp_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "culprit/telemetry/otlp_json.h"

namespace culprit {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> files_of(const std::string& path) {
    std::error_code ignored;
    if (!fs::is_directory(path, ignored)) return {path};
    std::vector<std::string> files;
    for (const auto& entry : fs::directory_iterator(path, ignored))
        if (entry.path().extension() == ".json" || entry.path().extension() == ".jsonl")
            files.push_back(entry.path().string());
    std::ranges::sort(files);
    return files;
}

}  // namespace

SourceReport read_otlp_files(const std::vector<std::string>& paths, TelemetrySink& sink,
                             const Stop& stop) {
    SourceReport report{.kind = "otlp"};
    std::uint64_t num_read = 0;
    for (const std::string& path : paths)
        for (const std::string& file : files_of(path)) {
            std::ifstream in(file, std::ios::binary);
            if (!in) {
                report.add_missing("cannot read " + file);
                continue;
            }
            ++num_read;
            std::string line;
            for (std::uint64_t number = 1; std::getline(in, line); ++number) {
                if (auto status = stop.check(); !status) {
                    report.add_missing(
                        fmt::format("{} from line {}: {}", file, number, status.error().message));
                    return report;
                }
                if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
                if (auto status = decode_otlp_json(line, sink); !status)
                    report.add_missing(
                        fmt::format("{}:{}: {}", file, number, status.error().message));
            }
        }
    if (num_read == 0)
        report.error = Error{ErrorCode::missing_input, "none of the files can be read"};
    return report;
}

}  // namespace culprit
