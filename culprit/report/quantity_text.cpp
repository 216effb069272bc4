#include "culprit/report/quantity_text.h"

#include <fmt/format.h>

#include <cmath>
#include <iterator>
#include <span>

namespace culprit {
namespace {

std::string three_digits(double value) {
    const double size = std::abs(value);
    if (size >= 99.95) return fmt::format("{:.0f}", value);
    if (size >= 9.995) return fmt::format("{:.1f}", value);
    if (size >= 0.9995) return fmt::format("{:.2f}", value);
    if (size >= 0.0009995) return fmt::format("{:.3g}", value);
    return fmt::format("{:.2g}", value);
}

struct Prefix {
    double factor;
    const char* text;
};

std::string scaled(double value, std::span<const Prefix> falling, std::string_view unit) {
    for (const Prefix& prefix : falling)
        if (std::abs(value) >= 0.9995 * prefix.factor)
            return fmt::format("{} {}{}", three_digits(value / prefix.factor), prefix.text, unit);
    const Prefix& smallest = falling.back();
    return fmt::format("{} {}{}", three_digits(value / smallest.factor), smallest.text, unit);
}

constexpr Prefix seconds_prefixes[] = {{1.0, ""}, {1e-3, "m"}, {1e-6, "µ"}};
constexpr Prefix byte_prefixes[] = {
    {0x1p40, "Ti"}, {0x1p30, "Gi"}, {0x1p20, "Mi"}, {0x1p10, "Ki"}, {1.0, ""}};

std::string plain_unit(std::string_view unit) {
    std::string text;
    for (const char c : unit)
        if (c != '{' && c != '}') text += c;
    return text;
}

}  // namespace

std::string format_number(double value) {
    if (!std::isfinite(value)) return std::isnan(value) ? "missing" : fmt::format("{}", value);
    if (value == 0.0) return "0";
    const double size = std::abs(value);
    if (size >= 1e15) return fmt::format("{:.3g}", value);
    if (size >= 0.9995e12) return three_digits(value / 1e12) + " T";
    if (size >= 0.9995e9) return three_digits(value / 1e9) + " G";
    if (size >= 0.9995e6) return three_digits(value / 1e6) + " M";
    if (size >= 9999.5) return three_digits(value / 1e3) + " k";
    return three_digits(value);
}

std::string format_quantity(double value, std::string_view unit) {
    if (value == 0.0 || !std::isfinite(value) || unit.empty() || unit == "1")
        return format_number(value);
    if (unit == "s") return scaled(value, seconds_prefixes, "s");
    if (unit == "ms") return scaled(value * 1e-3, seconds_prefixes, "s");
    if (unit == "us") return scaled(value * 1e-6, seconds_prefixes, "s");
    if (unit == "By") return scaled(value, byte_prefixes, "B");
    if (unit == "By/s") return scaled(value, byte_prefixes, "B/s");
    return format_number(value) + " " + plain_unit(unit);
}

std::string format_duration(Duration duration) {
    const double seconds = to_seconds(duration);
    if (std::abs(seconds) < 1.0)
        return seconds == 0.0 ? "0 s" : scaled(seconds, seconds_prefixes, "s");
    const auto whole = static_cast<long long>(std::llround(seconds));
    if (std::abs(whole) < 120) return fmt::format("{} s", whole);
    if (std::abs(whole) < 7200) {
        return whole % 60 == 0 ? fmt::format("{} min", whole / 60)
                               : fmt::format("{} min {} s", whole / 60, std::abs(whole % 60));
    }
    const long long minutes = whole / 60;
    return minutes % 60 == 0 ? fmt::format("{} h", minutes / 60)
                             : fmt::format("{} h {} min", minutes / 60, std::abs(minutes % 60));
}

}  // namespace culprit
