#include "culprit/readers/time_text.h"

#include <chrono>

namespace culprit {
namespace {

int two_digits(const char* p) { return (p[0] - '0') * 10 + (p[1] - '0'); }

bool is_digits(std::string_view text) {
    for (const char c : text)
        if (c < '0' || c > '9') return false;
    return !text.empty();
}

// "YYYY-MM-DD HH:MM:SS" and up to nine decimals.
std::optional<TimePoint> parse_civil(std::string_view text) {
    if (text.size() < 19 || text.size() == 20 || text.size() > 29) return std::nullopt;
    if (text[4] != '-' || text[7] != '-' || text[10] != ' ' || text[13] != ':' || text[16] != ':')
        return std::nullopt;
    for (const std::size_t at : {0U, 2U, 5U, 8U, 11U, 14U, 17U})
        if (!is_digits(text.substr(at, 2))) return std::nullopt;
    using std::chrono::day;
    using std::chrono::month;
    using std::chrono::year;
    const char* const p = text.data();
    const std::chrono::year_month_day date(year(two_digits(p) * 100 + two_digits(p + 2)),
                                           month(static_cast<unsigned>(two_digits(p + 5))),
                                           day(static_cast<unsigned>(two_digits(p + 8))));
    const int hour = two_digits(p + 11);
    const int minute = two_digits(p + 14);
    const int second = two_digits(p + 17);
    if (!date.ok() || hour > 23 || minute > 59 || second > 59) return std::nullopt;
    if (date.year() < year(1970) || date.year() > year(2115)) return std::nullopt;
    std::int64_t fraction_ns = 0;
    if (text.size() > 20) {
        if (text[19] != '.' || !is_digits(text.substr(20))) return std::nullopt;
        std::int64_t digit_ns = 100'000'000;
        for (const char c : text.substr(20)) {
            fraction_ns += digit_ns * (c - '0');
            digit_ns /= 10;
        }
    }
    return TimePoint(std::chrono::sys_days(date)) + std::chrono::hours(hour) +
           std::chrono::minutes(minute) + std::chrono::seconds(second) + Duration(fraction_ns);
}

}  // namespace

std::optional<TimePoint> parse_time_text(std::string_view text) {
    if (text.size() == 10 && is_digits(text)) {
        std::int64_t seconds = 0;
        for (const char c : text) seconds = seconds * 10 + (c - '0');
        if (seconds >= unix_seconds_max) return std::nullopt;
        return time_from_ns(seconds * 1'000'000'000);
    }
    if (const auto civil = parse_civil(text)) return civil;
    const auto parsed = parse_time(text);
    if (!parsed || to_ns(*parsed) < 0 || to_ns(*parsed) / 1'000'000'000 >= unix_seconds_max)
        return std::nullopt;
    return *parsed;
}

}  // namespace culprit
