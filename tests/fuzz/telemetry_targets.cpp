#include <snappy.h>

#include <sstream>
#include <string>

#include "culprit/telemetry/clickhouse_reader.h"
#include "culprit/telemetry/config.h"
#include "culprit/telemetry/fake_transport.h"
#include "culprit/telemetry/incident_facts.h"
#include "culprit/telemetry/kubernetes_reader.h"
#include "culprit/telemetry/loki_reader.h"
#include "culprit/telemetry/otlp_files.h"
#include "culprit/telemetry/otlp_json.h"
#include "culprit/telemetry/prometheus_reader.h"
#include "culprit/telemetry/record_lines.h"
#include "culprit/telemetry/series_store.h"
#include "culprit/telemetry/trace_reader.h"
#include "culprit/telemetry/wire_decoder.h"
#include "tests/fuzz/fuzz_targets.h"

namespace culprit::fuzz {
namespace {

const TimeRange one_minute{time_from_ns(1'700'000'000'000'000'000),
                           time_from_ns(1'700'000'060'000'000'000)};

/// Keeps nothing; looks at what every record promises.
class CheckingSink final : public TelemetrySink {
public:
    void on_span(SpanRecord span) override {
        require(span.duration_ns >= 0, "a span ends after it began");
        std::string line;
        append_line(span, line);
        take_back(line);
    }
    void on_log(LogRecord record) override {
        std::string line;
        append_line(record, line);
        take_back(line);
    }
    void on_point(MetricPoint point) override {
        std::string line;
        append_line(point, line);
        take_back(line);
    }

private:
    static void take_back(const std::string& line) {
        require(line.find('\n') == line.size() - 1, "a record is one line");
        TelemetryStore store;
        require(read_line(std::string_view(line).substr(0, line.size() - 1), store).has_value(),
                "a written record reads back");
    }
};

template <Status (*decode)(std::string_view, TelemetrySink&)>
void decoded(std::string_view input) {
    CheckingSink sink;
    static_cast<void>(decode(input, sink));
}

// As they are, and in a whole snappy block, which few mutations of a block stay.
void remote_write(std::string_view input) {
    constexpr std::size_t bytes_max = 1U << 20U;
    CheckingSink sink;
    static_cast<void>(decode_remote_write(input, bytes_max, sink));
    std::string block;
    snappy::Compress(input.data(), input.size(), &block);
    static_cast<void>(decode_remote_write(block, bytes_max, sink));
}

void otlp_frames(std::string_view input) {
    CheckingSink sink;
    SourceReport report;
    std::istringstream in{std::string(input)};
    read_otlp_stream(in, "file", sink, report, {});
}

/// A server that always gives the same answer.
class Server {
public:
    explicit Server(std::string_view answer)
        : transport_(
              [body = std::string(answer)](const HttpRequest&, std::size_t number) {
                  require(number < 5000, "a reader stops asking");
                  return FakeTransport::Answer{.body = body};
              },
              61),
          client_(transport_, {.url = "http://server", .attempts_max = 1}) {}
    const HttpClient& client() const { return client_; }

private:
    FakeTransport transport_;
    HttpClient client_;
};

void prometheus(std::string_view input) {
    const Server server(input);
    const PrometheusReader reader(server.client());
    const auto check = [](const Series& series) -> Status {
        require(series.time_ms.size() == series.value.size(), "as many values as times");
        for (std::size_t k = 1; k < series.size(); ++k)
            require(series.time_ms[k - 1] < series.time_ms[k], "samples rise in time");
        return {};
    };
    static_cast<void>(reader.buildinfo({}));
    static_cast<void>(reader.metadata({}));
    static_cast<void>(reader.targets({}));
    static_cast<void>(reader.metric_names("", one_minute, {}));
    static_cast<void>(reader.series("up", one_minute, {}));
    static_cast<void>(reader.raw_samples("up", one_minute, 5000, check, [] {}, {}));
    static_cast<void>(reader.query_range("up", one_minute, 5000, check, [] {}, {}));
}

void loki(std::string_view input) {
    const Server server(input);
    LogTable logs;
    static_cast<void>(collect_loki(
        server.client(),
        {.range = one_minute, .lines_max = 200, .page_lines = 3, .page_lines_max = 5}, logs, {}));
    require(logs.size() <= 200, "no more lines than asked for");
}

void tempo(std::string_view input) {
    const Server server(input);
    SpanTable spans;
    static_cast<void>(collect_tempo(
        server.client(), {.range = one_minute, .traces_max = 20, .page_traces = 4}, spans, {}));
}

void jaeger(std::string_view input) {
    const Server server(input);
    SpanTable spans;
    static_cast<void>(collect_jaeger(
        server.client(),
        {.range = {one_minute.begin, one_minute.begin + std::chrono::milliseconds(8)},
         .services = {"a"},
         .traces_max = 20,
         .page_traces = 4},
        spans, {}));
}

void clickhouse(std::string_view input) {
    Server server(input);
    LogTable logs;
    SpanTable spans;
    static_cast<void>(
        collect_clickhouse(server.client(), {.rows_max = 100}, one_minute, logs, spans, {}));
}

void kubernetes(std::string_view input) {
    IncidentFacts facts;
    std::uint64_t count = 0;
    static_cast<void>(take_kubernetes_list(input, one_minute, facts, count));
    static_cast<void>(facts.take_topology());
    static_cast<void>(facts.take_changes());
}

void config_yaml(std::string_view input) {
    const auto config = parse_config(input, "culprit.yaml", [](const std::string& name) {
        return name.size() % 2 == 0 ? std::optional<std::string>("value") : std::nullopt;
    });
    require(!config || config->has_source(), "a configuration has a source");
}

void record_line(std::string_view input) { decoded<read_line>(input); }

constexpr Target all[] = {
    {"clickhouse", clickhouse},
    {"config_yaml", config_yaml},
    {"jaeger", jaeger},
    {"kubernetes", kubernetes},
    {"loki", loki},
    {"otlp_frames", otlp_frames},
    {"otlp_json", decoded<decode_otlp_json>},
    {"otlp_logs", decoded<decode_otlp_logs>},
    {"otlp_metrics", decoded<decode_otlp_metrics>},
    {"otlp_traces", decoded<decode_otlp_traces>},
    {"prometheus", prometheus},
    {"record_line", record_line},
    {"remote_write", remote_write},
    {"tempo", tempo},
};

}  // namespace

std::span<const Target> telemetry_targets() { return all; }

}  // namespace culprit::fuzz
