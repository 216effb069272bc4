#include "culprit/readers/log_reader.h"

#include <fmt/format.h>
#include <simdjson.h>

#include "culprit/readers/column_finder.h"
#include "culprit/readers/csv_cursor.h"
#include "culprit/readers/file_bytes.h"
#include "culprit/readers/time_text.h"

namespace culprit {
namespace {

struct LogFields {
    std::size_t count = 0;
    std::size_t time = no_field;
    std::size_t source = no_field;
    std::size_t message = no_field;
};

Result<LogFields> find_fields(const CsvCursor& cursor, const ProblemList& problems) {
    const auto& header = cursor.fields();
    LogFields fields;
    fields.count = header.size();
    fields.time = find_field(header, {"timestamp", "time"});
    fields.source = find_field(header, {"container_name", "container", "service"});
    fields.message = find_field(header, {"message", "msg"});
    const CellPosition at{cursor.line(), 0};
    if (fields.time == no_field)
        return problems.refuse(at, "expected a column \"timestamp\" or \"time\", found none");
    if (fields.source == no_field)
        return problems.refuse(at, "expected a column \"container_name\", found none");
    if (fields.message == no_field)
        return problems.refuse(at, "expected a column \"message\", found none");
    return fields;
}

}  // namespace

Result<LogTable> read_log_table(std::string_view bytes, ProblemList& problems) {
    const auto text = as_text(bytes);
    if (!text) return problems.refuse({}, text.error().message);
    CsvCursor cursor(*text);
    if (!cursor.next()) return problems.refuse({}, "expected a header, found an empty file");
    CULPRIT_TRY(const LogFields fields, find_fields(cursor, problems));
    LogTable logs;
    const bool all_valid = simdjson::validate_utf8(text->data(), text->size());
    std::string cleaned;
    while (cursor.next()) {
        const auto& row = cursor.fields();
        const CellPosition line{cursor.line(), 0};
        if (cursor.malformed()) {
            CULPRIT_TRY_STATUS(problems.note("quote", line,
                                             "expected a closed quote followed by a comma; the "
                                             "record was not used"));
            continue;
        }
        if (row.size() != fields.count) {
            CULPRIT_TRY_STATUS(
                problems.note("ragged", line,
                              fmt::format("expected {} fields, found {}; the record was not used",
                                          fields.count, row.size())));
            continue;
        }
        const auto time = parse_time_text(row[fields.time]);
        if (!time) {
            CULPRIT_TRY_STATUS(
                problems.note("time", {cursor.line(), fields.time + 1},
                              fmt::format("expected a time, found {}; the record was not used",
                                          quote_for_message(row[fields.time]))));
            continue;
        }
        std::string_view message = row[fields.message];
        if (!all_valid) {
            cleaned = message;
            if (make_valid_utf8(cleaned))
                CULPRIT_TRY_STATUS(
                    problems.note("utf8", {cursor.line(), fields.message + 1},
                                  "expected UTF-8 text, found other bytes; replaced by U+FFFD"));
            message = cleaned;
        }
        logs.add(*time, row[fields.source], message);
    }
    if (const std::size_t changed = make_printable(logs.sources, {&logs.source}); changed > 0)
        CULPRIT_TRY_STATUS(problems.note(
            "name", {}, "expected printable UTF-8 source names, found others; replaced by U+FFFD",
            changed));
    return logs;
}

}  // namespace culprit
