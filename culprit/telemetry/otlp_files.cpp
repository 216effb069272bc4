#include "culprit/telemetry/otlp_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>

#include "culprit/readers/file_bytes.h"
#include "culprit/telemetry/otlp_json.h"
#include "culprit/telemetry/wire_decoder.h"

namespace culprit {
namespace {

namespace fs = std::filesystem;

// A message of the collector is a batch; a longer one is a broken length.
constexpr std::uint32_t frame_bytes_max = 128U << 20U;

std::vector<std::string> files_of(const std::string& path) {
    static constexpr std::array<std::string_view, 6> extensions = {".json", ".jsonl", ".binpb",
                                                                   ".pb",   ".proto", ".zst"};
    std::error_code ignored;
    if (!fs::is_directory(path, ignored)) return {path};
    std::vector<std::string> files;
    for (const auto& entry : fs::directory_iterator(path, ignored))
        if (std::ranges::find(extensions, entry.path().extension().string()) != extensions.end())
            files.push_back(entry.path().string());
    std::ranges::sort(files);
    return files;
}

Status decode_message(std::string_view message, TelemetrySink& sink) {
    if (message.starts_with("\x28\xb5\x2f\xfd")) {
        CULPRIT_TRY(const FileBytes plain, unpack(message, frame_bytes_max));
        const std::string_view inside = plain.view();
        return inside.starts_with('{') ? decode_otlp_json(inside, sink) : decode_otlp(inside, sink);
    }
    return message.starts_with('{') ? decode_otlp_json(message, sink) : decode_otlp(message, sink);
}

// A message per line. False at the end.
bool next_line(std::istream& in, std::string& message, std::string& /*problem*/) {
    return static_cast<bool>(std::getline(in, message));
}

// A message behind its length. After a broken length nothing can be found any more.
bool next_frame(std::istream& in, std::string& message, std::string& problem) {
    std::array<unsigned char, 4> head{};
    in.read(reinterpret_cast<char*>(head.data()), head.size());
    if (in.gcount() == 0) return false;
    const std::uint32_t size = static_cast<std::uint32_t>(head[0]) << 24U |
                               static_cast<std::uint32_t>(head[1]) << 16U |
                               static_cast<std::uint32_t>(head[2]) << 8U | head[3];
    if (in.gcount() == 4 && size > frame_bytes_max) {
        problem = fmt::format("expected a message of at most {} bytes, found the length {}",
                              frame_bytes_max, size);
        return false;
    }
    // Piece by piece: the length may promise more than there is.
    message.clear();
    while (in && message.size() < size) {
        const std::size_t done = message.size();
        message.resize(std::min<std::size_t>(size, done + (1U << 20U)));
        in.read(message.data() + done, static_cast<std::streamsize>(message.size() - done));
        message.resize(done + static_cast<std::size_t>(in.gcount()));
    }
    if (message.size() == size && in) return true;
    problem = fmt::format("expected {} bytes, found {}: still being written, or cut off", size,
                          message.size());
    return false;
}

}  // namespace

void read_otlp_stream(std::istream& in, const std::string& name, TelemetrySink& sink,
                      SourceReport& report, const Stop& stop) {
    // No message is long enough for its length to begin with a letter of JSON or white space.
    const int first = in.peek();
    const bool is_text = first >= '\t';
    const auto next = is_text ? next_line : next_frame;
    std::string message;
    std::string problem;
    for (std::uint64_t number = 1; next(in, message, problem); ++number) {
        if (auto status = stop.check(); !status) {
            report.add_missing(
                fmt::format("{} from message {}: {}", name, number, status.error().message));
            return;
        }
        if (is_text && message.find_first_not_of(" \t\r") == std::string::npos) continue;
        if (auto status = decode_message(message, sink); !status)
            report.add_missing(fmt::format("{}:{}: {}", name, number, status.error().message));
    }
    if (!problem.empty()) report.add_missing(name + ": " + problem);
}

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
            read_otlp_stream(in, file, sink, report, stop);
        }
    if (num_read == 0)
        report.error = Error{ErrorCode::missing_input, "none of the files can be read"};
    return report;
}

}  // namespace culprit
