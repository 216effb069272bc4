#include "culprit/readers/columnar_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <nlohmann/json.hpp>

#include "culprit/readers/case_annex.h"
#include "culprit/readers/problem_list.h"
#include "culprit/readers/section_file.h"
#include "culprit/readers/time_text.h"

namespace culprit {
namespace {

using Json = nlohmann::json;

// Kinds of sections. A frame takes the eight kinds from its own on.
enum Kind : std::uint64_t {
    document = 1,
    annex = 2,
    metrics = 16,
    log_counts = 24,
    span_errors = 32,
    span_successes = 40,
    edge_latency = 48,
    log_time = 64,
    log_source,
    log_message_end,
    log_arena,
    log_sources,
    span_start = 80,
    span_duration,
    span_trace,
    span_id,
    span_parent,
    span_service,
    span_operation,
    span_method,
    span_status,
    span_traces,
    span_services,
    span_operations,
};
enum FramePart : std::uint64_t { frame_times = 0, frame_values, frame_strings };

constexpr std::size_t strings_per_column = 5;  // name, service, metric, unit, labels as JSON
constexpr std::int64_t time_ns_max = unix_seconds_max * 1'000'000'000;

tl::unexpected<Error> refuse(std::string_view what) {
    return fail(ErrorCode::malformed_data, fmt::format("expected a culprit file, found {}", what));
}

// Strings as their number, their ends, then their bytes.
class StringListBuilder {
public:
    void add(std::string_view text) {
        bytes_ += text;
        ends_.push_back(bytes_.size());
    }
    std::string build() const {
        std::string list;
        const std::uint64_t count = ends_.size();
        list.append(reinterpret_cast<const char*>(&count), sizeof(count));
        list.append(reinterpret_cast<const char*>(ends_.data()), ends_.size() * sizeof(count));
        return list + bytes_;
    }

private:
    std::vector<std::uint64_t> ends_;
    std::string bytes_;
};

Result<std::vector<std::string_view>> read_strings(std::string_view section) {
    std::uint64_t count = 0;
    if (section.size() < sizeof(count)) return refuse("a list of strings without its number");
    std::memcpy(&count, section.data(), sizeof(count));
    if (count > section.size() / sizeof(count) - 1) return refuse("a list of strings cut short");
    const std::string_view bytes = section.substr((count + 1) * sizeof(count));
    std::vector<std::string_view> strings;
    strings.reserve(count);
    std::uint64_t begin = 0;
    for (std::uint64_t i = 0; i < count; ++i) {
        std::uint64_t end = 0;
        std::memcpy(&end, section.data() + (i + 1) * sizeof(end), sizeof(end));
        if (end < begin || end > bytes.size()) return refuse("a string outside its list");
        strings.push_back(bytes.substr(begin, end - begin));
        begin = end;
    }
    return strings;
}

// Keeps what a SectionWriter borrows.
class CaseSections {
public:
    Status write(const Case& written, const std::string& path);

private:
    std::string_view keep(std::string bytes) { return kept_.emplace_back(std::move(bytes)); }
    void add_frame(std::uint64_t kind, const Frame& frame);
    void add_pool(std::uint64_t kind, const StringPool& pool);
    void add_logs(const LogTable& logs);
    void add_spans(const SpanTable& spans);
    static Json describe(const Case& written);

    SectionWriter sections_;
    std::deque<std::string> kept_;
};

void CaseSections::add_frame(std::uint64_t kind, const Frame& frame) {
    sections_.add_array(kind + frame_times, frame.times());
    sections_.add_array(
        kind + frame_values,
        std::span<const double>(frame.matrix().data(), frame.num_rows() * frame.num_columns()));
    StringListBuilder strings;
    for (const Column& column : frame.columns()) {
        strings.add(column.name);
        strings.add(column.service);
        strings.add(column.metric);
        strings.add(column.unit);
        strings.add(column.labels.empty() ? std::string() : Json(column.labels).dump());
    }
    sections_.add(kind + frame_strings, keep(strings.build()));
}

void CaseSections::add_pool(std::uint64_t kind, const StringPool& pool) {
    StringListBuilder strings;
    for (std::uint32_t i = 0; i < pool.size(); ++i) strings.add(pool[i]);
    sections_.add(kind, keep(strings.build()));
}

template <class T>
std::span<const T> all_of(const std::vector<T>& values) {
    return values;
}

void CaseSections::add_logs(const LogTable& logs) {
    sections_.add_array(log_time, all_of(logs.time));
    sections_.add_array(log_source, all_of(logs.source));
    sections_.add_array(log_message_end, all_of(logs.message_end));
    sections_.add(log_arena, logs.arena);
    add_pool(log_sources, logs.sources);
}

void CaseSections::add_spans(const SpanTable& spans) {
    sections_.add_array(span_start, all_of(spans.start));
    sections_.add_array(span_duration, all_of(spans.duration));
    sections_.add_array(span_trace, all_of(spans.trace));
    sections_.add_array(span_id, all_of(spans.id));
    sections_.add_array(span_parent, all_of(spans.parent_id));
    sections_.add_array(span_service, all_of(spans.service));
    sections_.add_array(span_operation, all_of(spans.operation));
    sections_.add_array(span_method, all_of(spans.method));
    sections_.add_array(span_status, all_of(spans.status));
    add_pool(span_traces, spans.traces);
    add_pool(span_services, spans.services);
    add_pool(span_operations, spans.operations);
}

Json CaseSections::describe(const Case& written) {
    const Incident& incident = written.incident;
    Json json = {{"version", 1},
                 {"id", written.id},
                 {"dataset", written.dataset},
                 {"text_columns", incident.text_columns},
                 {"alert_ns", to_ns(incident.alert)},
                 {"begin_ns", to_ns(incident.baseline.begin)},
                 {"end_ns", to_ns(incident.suspect.end)},
                 {"logs", incident.logs ? Json(incident.logs->size()) : Json(nullptr)},
                 {"spans", incident.spans ? Json(incident.spans->size()) : Json(nullptr)}};
    if (incident.symptom) json["symptom"] = *incident.symptom;
    if (written.truth)
        json["truth"] = {{"services", written.truth->services},
                         {"metrics", written.truth->metrics},
                         {"fault", written.truth->fault},
                         {"fault_of", written.truth->fault_of},
                         {"location", written.truth->location}};
    return json;
}

Status CaseSections::write(const Case& written, const std::string& path) {
    const Incident& incident = written.incident;
    // Names were made valid UTF-8 when they were read; a message in JSON there is none.
    sections_.add(document,
                  keep(describe(written).dump(-1, ' ', false, Json::error_handler_t::replace)));
    if (incident.topology || !incident.changes.empty()) {
        Case rest;
        rest.incident.topology = incident.topology;
        rest.incident.changes = incident.changes;
        rest.incident.alert = incident.alert;
        rest.incident.baseline = incident.baseline;
        rest.incident.suspect = incident.suspect;
        sections_.add(annex, keep(format_case_annex(rest)));
    }
    add_frame(metrics, incident.metrics);
    const auto add_series = [&](std::uint64_t kind, const std::optional<Frame>& frame) {
        if (frame) add_frame(kind, *frame);
    };
    add_series(log_counts, incident.log_counts);
    add_series(span_errors, incident.span_errors);
    add_series(span_successes, incident.span_successes);
    add_series(edge_latency, incident.edge_latency);
    if (incident.logs) add_logs(*incident.logs);
    if (incident.spans) add_spans(*incident.spans);
    return sections_.write(path);
}

bool valid_time(TimePoint time) { return to_ns(time) >= 0 && to_ns(time) < time_ns_max; }

Result<std::map<std::string, std::string>> read_labels(std::string_view text) {
    std::map<std::string, std::string> labels;
    if (text.empty()) return labels;
    const Json json = Json::parse(text, nullptr, false);
    if (!json.is_object()) return refuse("labels that are no JSON object");
    for (const auto& [key, value] : json.items())
        if (value.is_string()) labels[key] = value.get<std::string>();
    return labels;
}

Result<Frame> read_frame(const SectionReader& file, std::uint64_t kind) {
    CULPRIT_TRY(const auto strings, read_strings(file.section(kind + frame_strings)));
    if (strings.size() % strings_per_column != 0) return refuse("columns with other descriptions");
    const std::size_t num_columns = strings.size() / strings_per_column;
    const std::size_t num_rows = file.section(kind + frame_times).size() / sizeof(TimePoint);
    CULPRIT_TRY(const auto times, (file.array<TimePoint>(kind + frame_times, num_rows)));
    if (!std::all_of(times.begin(), times.end(), valid_time))
        return refuse("a time outside 1970 to 2115");
    if (num_columns != 0 && num_rows > file.bytes().view().size() / num_columns)
        return refuse("a table larger than the file");
    CULPRIT_TRY(const auto values,
                (file.array<double>(kind + frame_values, num_rows * num_columns)));
    if (std::any_of(values.begin(), values.end(), [](double v) { return std::isinf(v); }))
        return refuse("an infinite value");
    std::vector<Column> columns;
    columns.reserve(num_columns);
    for (std::size_t c = 0; c < num_columns; ++c) {
        const auto* text = strings.data() + c * strings_per_column;
        Column column{.name = std::string(text[0]),
                      .service = std::string(text[1]),
                      .metric = std::string(text[2]),
                      .unit = std::string(text[3])};
        make_printable(column.name);
        make_printable(column.service);
        make_printable(column.metric);
        make_printable(column.unit);
        CULPRIT_TRY(column.labels, read_labels(text[4]));
        columns.push_back(std::move(column));
    }
    // The values stay in the file: the pointer keeps the mapping alive.
    static const double nothing = 0.0;
    const double* const data = values.empty() ? &nothing : values.data();
    return Frame::make({times.begin(), times.end()}, std::move(columns),
                       Frame::Values(file.bytes().owner(), data));
}

Result<StringPool> read_pool(const SectionReader& file, std::uint64_t kind) {
    CULPRIT_TRY(const auto strings, read_strings(file.section(kind)));
    StringPool pool;
    for (const std::string_view text : strings) {
        std::string name(text);
        make_printable(name);
        if (pool.intern(name) + 1 != pool.size()) return refuse("a name twice in one list");
    }
    return pool;
}

template <class T>
Status read_vector(const SectionReader& file, std::uint64_t kind, std::size_t count,
                   std::vector<T>& target) {
    CULPRIT_TRY(const auto values, file.array<T>(kind, count));
    target.assign(values.begin(), values.end());
    return {};
}

Status read_indices(const SectionReader& file, std::uint64_t kind, std::size_t count,
                    std::size_t limit, std::vector<std::uint32_t>& target) {
    CULPRIT_TRY_STATUS(read_vector(file, kind, count, target));
    if (std::any_of(target.begin(), target.end(), [&](std::uint32_t i) { return i >= limit; }))
        return refuse(fmt::format("an index beyond its list in section {}", kind));
    return {};
}

Result<LogTable> read_logs(const SectionReader& file, std::size_t count) {
    LogTable logs;
    CULPRIT_TRY(logs.sources, read_pool(file, log_sources));
    CULPRIT_TRY_STATUS(read_vector(file, log_time, count, logs.time));
    CULPRIT_TRY_STATUS(read_indices(file, log_source, count, logs.sources.size(), logs.source));
    CULPRIT_TRY_STATUS(read_vector(file, log_message_end, count, logs.message_end));
    logs.arena = std::string(file.section(log_arena));
    if (!std::all_of(logs.time.begin(), logs.time.end(), valid_time))
        return refuse("a time outside 1970 to 2115");
    if (!std::is_sorted(logs.message_end.begin(), logs.message_end.end()) ||
        (count > 0 ? logs.message_end.back() : 0) != logs.arena.size())
        return refuse("messages that do not follow each other");
    return logs;
}

Result<SpanTable> read_spans(const SectionReader& file, std::size_t count) {
    SpanTable spans;
    CULPRIT_TRY(spans.traces, read_pool(file, span_traces));
    CULPRIT_TRY(spans.services, read_pool(file, span_services));
    CULPRIT_TRY(spans.operations, read_pool(file, span_operations));
    CULPRIT_TRY_STATUS(read_vector(file, span_start, count, spans.start));
    CULPRIT_TRY_STATUS(read_vector(file, span_duration, count, spans.duration));
    CULPRIT_TRY_STATUS(read_vector(file, span_id, count, spans.id));
    CULPRIT_TRY_STATUS(read_vector(file, span_parent, count, spans.parent_id));
    CULPRIT_TRY_STATUS(read_vector(file, span_status, count, spans.status));
    CULPRIT_TRY_STATUS(read_indices(file, span_trace, count, spans.traces.size(), spans.trace));
    CULPRIT_TRY_STATUS(
        read_indices(file, span_service, count, spans.services.size(), spans.service));
    const std::size_t num_operations = spans.operations.size();
    CULPRIT_TRY_STATUS(read_indices(file, span_operation, count, num_operations, spans.operation));
    CULPRIT_TRY_STATUS(read_indices(file, span_method, count, num_operations, spans.method));
    constexpr Duration duration_max{4'000'000'000'000'000'000};
    const bool good =
        std::all_of(spans.start.begin(), spans.start.end(), valid_time) &&
        std::all_of(spans.duration.begin(), spans.duration.end(), [&](Duration duration) {
            return duration <= duration_max && duration >= -duration_max;
        });
    if (!good) return refuse("a span outside 1970 to 2115");
    return spans;
}

// Throws what nlohmann throws: the caller turns it into an Error.
void read_document(const Json& json, Case& read) {
    if (json.at("version").get<int>() != 1) throw std::domain_error("another version");
    read.id = json.at("id").get<std::string>();
    read.dataset = json.at("dataset").get<std::string>();
    Incident& incident = read.incident;
    incident.text_columns = json.at("text_columns").get<std::vector<std::string>>();
    const auto time = [&](const char* key) {
        const TimePoint found = time_from_ns(json.at(key).get<std::int64_t>());
        if (to_ns(found) < 0 || to_ns(found) > 2 * time_ns_max)
            throw std::domain_error("a time outside 1970 to 2115");
        return found;
    };
    incident.alert = time("alert_ns");
    incident.baseline = {std::min(time("begin_ns"), incident.alert), incident.alert};
    incident.suspect = {incident.alert, std::max(time("end_ns"), incident.alert)};
    if (json.contains("symptom")) incident.symptom = json.at("symptom").get<std::string>();
    if (json.contains("truth")) {
        const Json& truth = json.at("truth");
        read.truth = GroundTruth{truth.at("services").get<std::vector<std::string>>(),
                                 truth.at("metrics").get<std::vector<std::string>>(),
                                 truth.at("fault").get<std::string>(),
                                 truth.value("fault_of", std::map<std::string, std::string>{}),
                                 truth.at("location").get<std::string>()};
    }
}

Status read_tables(const SectionReader& file, const Json& json, Case& read) {
    Incident& incident = read.incident;
    CULPRIT_TRY(incident.metrics, read_frame(file, metrics));
    struct Series {
        std::uint64_t kind;
        std::optional<Frame>* target;
    };
    for (const Series& series :
         {Series{log_counts, &incident.log_counts}, Series{span_errors, &incident.span_errors},
          Series{span_successes, &incident.span_successes},
          Series{edge_latency, &incident.edge_latency}}) {
        if (!file.has(series.kind + frame_strings)) continue;
        CULPRIT_TRY(*series.target, read_frame(file, series.kind));
    }
    const auto count = [&](const char* key) -> std::optional<std::size_t> {
        const auto found = json.find(key);
        if (found == json.end() || !found->is_number_unsigned()) return std::nullopt;
        return found->get<std::size_t>();
    };
    if (const auto num_logs = count("logs")) {
        CULPRIT_TRY(LogTable logs, read_logs(file, *num_logs));
        incident.logs = std::make_shared<const LogTable>(std::move(logs));
    }
    if (const auto num_spans = count("spans")) {
        CULPRIT_TRY(SpanTable spans, read_spans(file, *num_spans));
        incident.spans = std::make_shared<const SpanTable>(std::move(spans));
    }
    return {};
}

}  // namespace

Status write_columnar(const Case& written, const std::string& path) {
    return CaseSections().write(written, path);
}

Result<Case> read_columnar(const FileBytes& bytes) {
    CULPRIT_TRY(const SectionReader file, SectionReader::open(bytes));
    const std::string_view text = file.section(document);
    const Json json = Json::parse(text.begin(), text.end(), nullptr, false);
    if (!json.is_object()) return refuse("a document that is no JSON object");
    Case read;
    try {
        read_document(json, read);
    } catch (const std::exception& error) {  // nlohmann's, or a value out of range
        return refuse(fmt::format("a document with {}", quote_for_message(error.what(), 200)));
    }
    CULPRIT_TRY_STATUS(read_tables(file, json, read));
    if (file.has(annex)) {
        const TimeRange baseline = read.incident.baseline;
        const TimeRange suspect = read.incident.suspect;
        CULPRIT_TRY_STATUS(apply_case_annex(file.section(annex), read));
        read.incident.baseline = baseline;
        read.incident.suspect = suspect;
    }
    return read;
}

}  // namespace culprit
