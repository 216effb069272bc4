#include "culprit/base/time.h"

#include <date/date.h>
#include <fmt/format.h>

#include <cmath>
#include <sstream>

namespace culprit {
namespace {

constexpr std::int64_t ns_per_second = 1'000'000'000;

// The largest whole second that a TimePoint holds (year 2262).
constexpr double seconds_max = 9.2e9;

tl::unexpected<Error> refuse(std::string_view text) {
    return fail(ErrorCode::invalid_input,
                fmt::format("expected a time such as 1770900285 or 2026-03-02T03:11:40Z, found "
                            "\"{}\"",
                            text.substr(0, 64)));
}

bool all_digits(std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

// Unix time as a decimal number, exact to the nanosecond.
Result<TimePoint> parse_number(std::string_view text) {
    const auto dot = text.find('.');
    const std::string_view whole = text.substr(0, dot);
    const std::string_view fraction =
        dot == std::string_view::npos ? std::string_view{} : text.substr(dot + 1);
    if (!all_digits(whole) || (!fraction.empty() && !all_digits(fraction)) || whole.size() > 19)
        return refuse(text);
    std::int64_t value = 0;
    for (const char c : whole) {
        if (value > (INT64_MAX - (c - '0')) / 10) return refuse(text);
        value = value * 10 + (c - '0');
    }
    std::int64_t unit_ns = ns_per_second;
    if (whole.size() >= 18)
        unit_ns = 1;
    else if (whole.size() >= 15)
        unit_ns = 1'000;
    else if (whole.size() >= 12)
        unit_ns = 1'000'000;
    if (value > INT64_MAX / unit_ns - 1) return refuse(text);
    std::int64_t ns = value * unit_ns;
    std::int64_t digit_ns = unit_ns / 10;
    for (const char c : fraction) {
        ns += digit_ns * (c - '0');
        digit_ns /= 10;
    }
    return time_from_ns(ns);
}

// "YYYY-MM-DD", then " HH:MM:SS" with a fraction, then an offset such as +05:30: digits wherever
// digits belong. The calendar library is undefined on a half-read time of day.
bool has_shape_of_time(std::string_view text) {
    static constexpr std::string_view shape = "0000-00-00 00:00:00";
    for (std::size_t i = 0; i < text.size() && i < shape.size(); ++i)
        if (shape[i] == '0' ? text[i] < '0' || text[i] > '9' : text[i] != shape[i]) return false;
    if (text.size() < 10 || text.substr(0, 4) < "1678" || text.substr(0, 4) > "2261") return false;
    if (text.size() == 10) return true;
    if (text.size() < shape.size()) return false;
    text.remove_prefix(shape.size());
    const auto sign = text.find_first_of("+-");
    const std::string_view fraction = text.substr(0, sign);
    const bool has_fraction = fraction.size() > 1 && fraction[0] == '.';
    if (!fraction.empty() && !(has_fraction && all_digits(fraction.substr(1)))) return false;
    if (sign == std::string_view::npos) return true;
    const std::string_view offset = text.substr(sign + 1);
    const bool has_colon = offset.size() == 5 && offset[2] == ':';
    return all_digits(offset.substr(0, 2)) && (has_colon || offset.size() == 4) &&
           all_digits(offset.substr(has_colon ? 3 : 2));
}

}  // namespace

TimePoint time_from_seconds(double unix_seconds) {
    const double whole = std::floor(unix_seconds);
    return time_from_ns(static_cast<std::int64_t>(whole) * ns_per_second +
                        std::llround((unix_seconds - whole) * 1e9));
}

Result<TimePoint> parse_time(std::string_view text) {
    while (!text.empty() && (text.back() == ' ' || text.back() == '\r' || text.back() == '\n'))
        text.remove_suffix(1);
    while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
    if (text.size() < 5 || text.size() > 64) {
        if (all_digits(text)) return parse_number(text);
        return refuse(text);
    }
    if (text.find('-') == std::string_view::npos) return parse_number(text);
    std::string copy(text);
    if (copy.size() > 10 && copy[10] == 'T') copy[10] = ' ';
    if (copy.back() == 'Z' && copy.size() > 10) copy.pop_back();
    if (!has_shape_of_time(copy)) return refuse(text);
    const bool has_offset = copy.size() > 19 && copy.find_first_of("+-", 19) != std::string::npos;
    std::istringstream in(copy);
    date::sys_time<std::chrono::nanoseconds> parsed;
    if (copy.size() == 10) {
        date::sys_days day;
        in >> date::parse("%F", day);
        parsed = day;
    } else {
        in >> date::parse(has_offset ? "%F %T%Ez" : "%F %T", parsed);
    }
    if (in.fail() || in.peek() != std::istringstream::traits_type::eof()) return refuse(text);
    const double seconds = static_cast<double>(parsed.time_since_epoch().count()) * 1e-9;
    if (std::abs(seconds) > seconds_max) return refuse(text);
    return TimePoint(parsed.time_since_epoch());
}

std::string format_time(TimePoint t, int fraction_digits) {
    const std::int64_t ns = to_ns(t);
    const std::int64_t second =
        ns >= 0 ? ns / ns_per_second : -((-ns + ns_per_second - 1) / ns_per_second);
    const std::int64_t rest = ns - second * ns_per_second;
    std::string text = date::format("%F %T", date::sys_seconds(std::chrono::seconds(second)));
    if (rest != 0 && fraction_digits > 0) {
        std::string digits =
            fmt::format("{:09}", rest).substr(0, static_cast<std::size_t>(fraction_digits));
        while (!digits.empty() && digits.back() == '0') digits.pop_back();
        if (!digits.empty()) text += "." + digits;
    }
    return text;
}

std::string format_clock(TimePoint t) { return format_time(t, 0).substr(11); }

std::string format_rfc3339(TimePoint t) {
    std::string text = format_time(t, 9);
    text[10] = 'T';
    return text + "Z";
}

}  // namespace culprit
