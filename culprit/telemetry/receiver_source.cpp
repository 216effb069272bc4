#include "culprit/telemetry/receiver_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "culprit/base/stopwatch.h"
#include "culprit/telemetry/record_lines.h"

namespace culprit {
namespace {

// Lines out of a body in pieces. An attempt that is repeated skips what it has had.
class Lines final : public StreamReceiver {
public:
    Lines(TelemetrySink& sink, SourceReport& report) : sink_(sink), report_(report) {}
    void restart() override {
        skip_ = std::max(skip_, number_);
        number_ = 0;
        line_.clear();
    }
    Status write(std::string_view piece) override {
        while (!piece.empty()) {
            const auto end = piece.find('\n');
            line_.append(piece.substr(0, end));
            if (end == std::string_view::npos) return {};
            take();
            piece.remove_prefix(end + 1);
        }
        return {};
    }
    void finish() {
        if (!line_.empty()) take();
    }

private:
    void take() {
        if (++number_ > skip_) {
            ++report_.num_items;
            if (auto status = read_line(line_, sink_); !status)
                report_.add_missing(fmt::format("line {}: {}", number_, status.error().message));
        }
        line_.clear();
    }

    TelemetrySink& sink_;
    SourceReport& report_;
    std::string line_;
    std::uint64_t number_ = 0;
    std::uint64_t skip_ = 0;
};

}  // namespace

std::vector<std::string> journal_segments(const std::string& folder) {
    std::vector<std::string> segments;
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator(folder, ignored))
        if (entry.path().extension() == ".journal") segments.push_back(entry.path().string());
    std::ranges::sort(segments);
    return segments;
}

SourceReport collect_receiver(const ReceiverConfig& config, TimeRange range,
                              HttpTransport& transport, TelemetrySink& sink, const Stop& stop) {
    SourceReport report{.kind = "receiver"};
    const Stopwatch stopwatch;
    Lines lines(sink, report);
    if (!config.journal.empty()) {
        const auto segments = journal_segments(config.journal);
        if (segments.empty())
            report.error =
                Error{ErrorCode::missing_input,
                      fmt::format("expected *.journal files in {}, found none", config.journal)};
        for (const std::string& segment : segments) {
            std::ifstream in(segment, std::ios::binary);
            std::string line;
            while (std::getline(in, line) && !stop.requested()) {
                ++report.num_items;
                if (auto status = read_line(line, sink); !status)
                    report.add_missing(segment + ": " + status.error().message);
            }
        }
    } else {
        const HttpClient client(transport, config.endpoint);
        auto status = client.stream("/culprit/window",
                                    {{"begin_ns", std::to_string(to_ns(range.begin))},
                                     {"end_ns", std::to_string(to_ns(range.end))}},
                                    lines, stop);
        lines.finish();
        if (!status && report.num_items == 0)
            report.error = std::move(status).error();
        else if (!status)
            report.add_missing("the rest: " + status.error().message);
    }
    report.seconds = stopwatch.seconds();
    return report;
}

}  // namespace culprit
