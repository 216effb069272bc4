#include "culprit/testbed/arrivals.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "culprit/base/random.h"

namespace culprit::testbed {
namespace {

std::vector<std::string_view> cells(std::string_view line) {
    std::vector<std::string_view> result;
    while (true) {
        const auto comma = line.find(',');
        result.push_back(line.substr(0, comma));
        if (comma == std::string_view::npos) return result;
        line.remove_prefix(comma + 1);
    }
}

std::optional<double> number(std::string_view text) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value))
        return std::nullopt;
    return value;
}

int scaled(double tokens, double scale, int tokens_max) {
    return static_cast<int>(
        std::clamp(std::round(tokens * scale), 1.0, static_cast<double>(tokens_max)));
}

}  // namespace

Result<std::vector<Arrival>> make_arrivals(const SyntheticLoad& load) {
    if (!(load.rate_per_s > 0) || !(load.duration_s > 0) || load.prompt_tokens < 1 ||
        load.output_tokens < 1 || !(load.length_spread >= 0 && load.length_spread < 1))
        return fail(
            ErrorCode::invalid_input,
            fmt::format("a load needs rate and duration above 0, tokens of at least 1 and a "
                        "spread in [0, 1); found rate {}, duration {} s, {} and {} tokens, "
                        "spread {}",
                        load.rate_per_s, load.duration_s, load.prompt_tokens, load.output_tokens,
                        load.length_spread));
    Random random(load.seed);
    std::vector<Arrival> arrivals;
    const auto length = [&](int mean) {
        const double factor = 1 + load.length_spread * (2 * random.uniform() - 1);
        return std::max(1, static_cast<int>(std::lround(mean * factor)));
    };
    double time = 0;
    for (std::uint64_t index = 1; time < load.duration_s; ++index) {
        arrivals.push_back({time, length(load.prompt_tokens), length(load.output_tokens)});
        time = load.process == ArrivalProcess::constant
                   ? static_cast<double>(index) / load.rate_per_s
                   : time - std::log1p(-random.uniform()) / load.rate_per_s;
    }
    return arrivals;
}

Result<std::vector<Arrival>> read_arrivals(std::string_view csv, const ReplayOptions& options) {
    if (!(options.time_scale > 0) || !(options.token_scale > 0))
        return fail(ErrorCode::invalid_input, "a replay's time and token scales must be above 0");
    std::vector<Arrival> arrivals;
    std::size_t line_number = 0;
    std::size_t time_at = 0;
    std::size_t prompt_at = 0;
    std::size_t output_at = 0;
    while (!csv.empty()) {
        const auto end = csv.find('\n');
        auto line = csv.substr(0, end);
        csv.remove_prefix(end == std::string_view::npos ? csv.size() : end + 1);
        ++line_number;
        if (line.ends_with('\r')) line.remove_suffix(1);
        if (line.empty()) continue;
        const auto fields = cells(line);
        if (line_number == 1) {
            const auto at = [&](std::string_view name) {
                return static_cast<std::size_t>(std::ranges::find(fields, name) - fields.begin());
            };
            time_at = at("arrival_time_s");
            prompt_at = at("prompt_tokens");
            output_at = at("output_tokens");
            if (std::max({time_at, prompt_at, output_at}) >= fields.size())
                return fail(ErrorCode::malformed_data,
                            "a replay needs the columns arrival_time_s, prompt_tokens and "
                            "output_tokens; found \"" +
                                std::string(line) + "\"");
            continue;
        }
        const auto field = [&](std::size_t at) {
            return at < fields.size() ? number(fields[at]) : std::nullopt;
        };
        const auto time = field(time_at);
        const auto prompt = field(prompt_at);
        const auto output = field(output_at);
        if (!time || !prompt || !output || *time < 0)
            return fail(
                ErrorCode::malformed_data,
                fmt::format("line {}: expected three numbers, found \"{}\"", line_number, line));
        const double when = *time / options.time_scale;
        if (when >= options.duration_s) break;
        arrivals.push_back({when, scaled(*prompt, options.token_scale, options.prompt_tokens_max),
                            scaled(*output, options.token_scale, options.output_tokens_max)});
    }
    std::ranges::stable_sort(arrivals, {}, &Arrival::time_s);
    return arrivals;
}

}  // namespace culprit::testbed
