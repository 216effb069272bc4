#include "culprit/catalogue/csv_rows.h"

#include <fmt/format.h>

#include <utility>

namespace culprit {

Result<std::vector<std::vector<std::string>>> parse_csv_rows(std::string_view text) {
    std::vector<std::vector<std::string>> rows;
    std::vector<std::string> row;
    std::string cell;
    std::size_t line = 1;
    bool quoted = false;
    const auto end_row = [&]() -> Status {
        row.push_back(std::move(cell));
        cell.clear();
        const bool blank = row.size() == 1 && row[0].empty();
        if (!blank) {
            if (!rows.empty() && row.size() != rows[0].size())
                return fail(ErrorCode::malformed_data,
                            fmt::format("line {}: expected {} cells, found {}", line,
                                        rows[0].size(), row.size()));
            rows.push_back(std::move(row));
        }
        row.clear();
        return {};
    };
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (quoted) {
            if (c == '"' && i + 1 < text.size() && text[i + 1] == '"') {
                cell.push_back('"');
                ++i;
            } else if (c == '"') {
                quoted = false;
            } else {
                cell.push_back(c);
            }
        } else if (c == '"' && cell.empty()) {
            quoted = true;
        } else if (c == ',') {
            row.push_back(std::move(cell));
            cell.clear();
        } else if (c == '\n') {
            CULPRIT_TRY_STATUS(end_row());
            ++line;
        } else if (c != '\r') {
            cell.push_back(c);
        }
    }
    if (quoted)
        return fail(ErrorCode::malformed_data,
                    fmt::format("line {}: a quoted cell is not closed", line));
    CULPRIT_TRY_STATUS(end_row());
    return rows;
}

}  // namespace culprit
