#include "culprit/telemetry/wire_decoder.h"

#include <fmt/format.h>
#include <snappy.h>

#include "wire.pb.h"

namespace culprit {
namespace {

template <class Message>
Status parse(std::string_view bytes, const char* what, Message& message) {
    if (bytes.size() <= INT32_MAX &&
        message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
        return {};
    return fail(ErrorCode::malformed_data,
                fmt::format("expected {} in protobuf, found {} other bytes", what, bytes.size()));
}

std::string text_of(const wire::AnyValue& value) {
    switch (value.value_case()) {
        case wire::AnyValue::kStringValue:
            return value.string_value();
        case wire::AnyValue::kBoolValue:
            return value.bool_value() ? "true" : "false";
        case wire::AnyValue::kIntValue:
            return std::to_string(value.int_value());
        case wire::AnyValue::kDoubleValue:
            return fmt::format("{}", value.double_value());
        case wire::AnyValue::kKvlistValue: {
            std::string text;
            for (const auto& entry : value.kvlist_value().values())
                text += fmt::format("{}{}={}", text.empty() ? "" : " ", entry.key(),
                                    text_of(entry.value()));
            return text;
        }
        case wire::AnyValue::kArrayValue: {
            std::string text;
            for (const auto& entry : value.array_value().values())
                text += (text.empty() ? "" : " ") + text_of(entry);
            return text;
        }
        default:
            return {};
    }
}

template <class Attributes>
Labels labels_of(const Attributes& attributes) {
    Labels labels;
    for (const wire::KeyValue& entry : attributes)
        if (labels.size() < 128) labels[entry.key()] = text_of(entry.value());
    return labels;
}

// Of a data point (DataPointFlags): there is no value; the collector's staleness mark.
constexpr std::uint32_t no_recorded_value = 1;

class MetricPoints {
public:
    MetricPoints(const wire::Metric& metric, const Labels& resource, TelemetrySink& sink)
        : metric_(metric), resource_(resource), sink_(sink) {}

    void decode() {
        switch (metric_.data_case()) {
            case wire::Metric::kGauge:
                for (const auto& point : metric_.gauge().data_points())
                    number(point, "gauge", PointKind::gauge);
                break;
            case wire::Metric::kSum: {
                const bool is_counter = metric_.sum().is_monotonic();
                const PointKind kind = !is_counter ? PointKind::gauge : temporality(metric_.sum());
                for (const auto& point : metric_.sum().data_points())
                    number(point, is_counter ? "counter" : "gauge", kind);
                break;
            }
            case wire::Metric::kHistogram:
                for (const auto& point : metric_.histogram().data_points())
                    histogram(point, temporality(metric_.histogram()));
                break;
            case wire::Metric::kExponentialHistogram:
                for (const auto& point : metric_.exponential_histogram().data_points())
                    sum_and_count(point, point.has_sum(),
                                  temporality(metric_.exponential_histogram()));
                break;
            case wire::Metric::kSummary:
                for (const auto& point : metric_.summary().data_points())
                    sum_and_count(point, true, PointKind::cumulative_sum);
                break;
            default:
                break;
        }
    }

private:
    template <class Data>
    static PointKind temporality(const Data& data) {
        return data.aggregation_temporality() == 1 ? PointKind::delta_sum
                                                   : PointKind::cumulative_sum;
    }
    template <class Point>
    MetricPoint start(const Point& point, const char* type, PointKind kind) const {
        MetricPoint out{.name = metric_.name(),
                        .labels = resource_,
                        .type = type,
                        .unit = metric_.unit(),
                        .kind = kind,
                        .time_ns = static_cast<std::int64_t>(point.time_unix_nano())};
        for (auto& [label, value] : labels_of(point.attributes())) out.labels[label] = value;
        return out;
    }
    template <class Point>
    static bool has_value(const Point& point) {
        return point.time_unix_nano() != 0 && (point.flags() & no_recorded_value) == 0;
    }
    void number(const wire::NumberDataPoint& point, const char* type, PointKind kind) {
        if (!has_value(point)) return;
        MetricPoint out = start(point, type, kind);
        out.value = point.value_case() == wire::NumberDataPoint::kAsInt
                        ? static_cast<double>(point.as_int())
                        : point.as_double();
        sink_.on_point(std::move(out));
    }
    void emit(const MetricPoint& base, const char* suffix, double value, std::string bound = {}) {
        MetricPoint part = base;
        part.name += suffix;
        part.value = value;
        if (!bound.empty()) part.labels["le"] = std::move(bound);
        sink_.on_point(std::move(part));
    }
    template <class Point>
    void sum_and_count(const Point& point, bool has_sum, PointKind kind) {
        if (!has_value(point)) return;
        const MetricPoint base = start(point, "histogram", kind);
        if (has_sum) emit(base, "_sum", point.sum());
        emit(base, "_count", static_cast<double>(point.count()));
    }
    void histogram(const wire::HistogramDataPoint& point, PointKind kind) {
        sum_and_count(point, point.has_sum(), kind);
        const int num_bounds = point.explicit_bounds_size();
        if (!has_value(point) || point.bucket_counts_size() != num_bounds + 1) return;
        const MetricPoint base = start(point, "histogram", kind);
        double cumulative = 0;
        for (int b = 0; b <= num_bounds; ++b) {
            cumulative += static_cast<double>(point.bucket_counts(b));
            emit(base, "_bucket", cumulative,
                 b < num_bounds ? fmt::format("{}", point.explicit_bounds(b)) : "+Inf");
        }
    }

    const wire::Metric& metric_;
    const Labels& resource_;
    TelemetrySink& sink_;
};

}  // namespace

Status decode_otlp_logs(std::string_view bytes, TelemetrySink& sink) {
    wire::LogsData data;
    CULPRIT_TRY_STATUS(parse(bytes, "OTLP logs", data));
    for (const auto& batch : data.resource_logs()) {
        const std::string source = source_of_resource(labels_of(batch.resource().attributes()));
        for (const auto& scope : batch.scope_logs())
            for (const wire::LogRecord& record : scope.log_records()) {
                const std::uint64_t time = record.time_unix_nano() != 0
                                               ? record.time_unix_nano()
                                               : record.observed_time_unix_nano();
                if (time == 0 || time > INT64_MAX) continue;
                sink.on_log({.time_ns = static_cast<std::int64_t>(time),
                             .source = source,
                             .text = text_of(record.body())});
            }
    }
    return {};
}

Status decode_otlp_metrics(std::string_view bytes, TelemetrySink& sink) {
    wire::MetricsData data;
    CULPRIT_TRY_STATUS(parse(bytes, "OTLP metrics", data));
    for (const auto& batch : data.resource_metrics()) {
        const Labels resource = labels_of(batch.resource().attributes());
        for (const auto& scope : batch.scope_metrics())
            for (const wire::Metric& metric : scope.metrics())
                MetricPoints(metric, resource, sink).decode();
    }
    return {};
}

Status decode_remote_write(std::string_view snappy_bytes, std::size_t bytes_max,
                           TelemetrySink& sink) {
    std::size_t size = 0;
    if (!snappy::GetUncompressedLength(snappy_bytes.data(), snappy_bytes.size(), &size))
        return fail(ErrorCode::malformed_data, "expected a snappy block");
    if (size > bytes_max)
        return fail(ErrorCode::malformed_data,
                    fmt::format("a block of {} bytes exceeds the limit of {}", size, bytes_max));
    std::string bytes;
    if (!snappy::Uncompress(snappy_bytes.data(), snappy_bytes.size(), &bytes))
        return fail(ErrorCode::malformed_data, "a damaged snappy block");
    wire::WriteRequest request;
    CULPRIT_TRY_STATUS(parse(bytes, "a Prometheus write request", request));
    for (const wire::TimeSeries& series : request.timeseries()) {
        MetricPoint point;
        for (const wire::Label& label : series.labels()) {
            if (label.name() == "__name__")
                point.name = label.value();
            else
                point.labels[label.name()] = label.value();
        }
        for (const wire::Sample& sample : series.samples()) {
            if (std::abs(sample.timestamp()) > INT64_MAX / 1'000'000) continue;
            MetricPoint one = point;
            one.time_ns = sample.timestamp() * 1'000'000;
            one.value = sample.value();
            sink.on_point(std::move(one));
        }
    }
    return {};
}

}  // namespace culprit
