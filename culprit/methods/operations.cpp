#include "culprit/methods/operations.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <unordered_map>

namespace culprit {
namespace {

double hundredth(double value) { return std::rint(value * 100.0) / 100.0; }

}  // namespace

Operations Operations::of(const SpanTable& spans) {
    Operations result;
    result.of_span.reserve(spans.size());
    StringPool pool;
    std::unordered_map<std::uint64_t, std::uint32_t> known;  // (service, label) -> operation
    for (std::size_t i = 0; i < spans.size(); ++i) {
        const bool has_method = !spans.operations[spans.method[i]].empty();
        const std::uint32_t label = has_method ? spans.method[i] : spans.operation[i];
        const std::uint64_t key = (std::uint64_t{spans.service[i]} << 32U) | label;
        const auto found = known.find(key);
        if (found != known.end()) {
            result.of_span.push_back(found->second);
            continue;
        }
        const std::string service(spans.services[spans.service[i]]);
        const std::string name = service + "_" + std::string(spans.operations[label]);
        const std::uint32_t id = pool.intern(name);
        if (id == result.names.size()) {
            result.names.push_back(name);
            result.services.push_back(service);
        }
        known.emplace(key, id);
        result.of_span.push_back(id);
    }
    return result;
}

std::vector<OperationNorm> operation_norms(const SpanTable& spans, const Operations& operations,
                                           TimePoint alert, NormPrecision precision) {
    std::vector<OperationNorm> norms(operations.size());
    for (std::size_t i = 0; i < spans.size(); ++i) {
        if (spans.end(i) >= alert) continue;
        OperationNorm& norm = norms[operations.of_span[i]];
        norm.mean_ms += duration_ms(spans, i);
        ++norm.num_spans;
    }
    constexpr double nan = std::numeric_limits<double>::quiet_NaN();
    for (OperationNorm& norm : norms)
        norm.mean_ms =
            norm.num_spans > 0 ? norm.mean_ms / static_cast<double>(norm.num_spans) : nan;
    for (std::size_t i = 0; i < spans.size(); ++i) {
        if (spans.end(i) >= alert) continue;
        OperationNorm& norm = norms[operations.of_span[i]];
        const double away = duration_ms(spans, i) - norm.mean_ms;
        norm.deviation_ms += away * away;
    }
    for (OperationNorm& norm : norms) {
        norm.deviation_ms =
            norm.num_spans > 1
                ? std::sqrt(norm.deviation_ms / static_cast<double>(norm.num_spans - 1))
                : nan;
        if (precision == NormPrecision::full) continue;
        norm.mean_ms = hundredth(norm.mean_ms);
        norm.deviation_ms = hundredth(norm.deviation_ms);
    }
    return norms;
}

std::vector<bool> slow_spans(const SpanTable& spans, const Operations& operations,
                             const std::vector<OperationNorm>& norms) {
    std::vector<double> limits_ms(norms.size());
    for (std::size_t o = 0; o < norms.size(); ++o)
        limits_ms[o] = norms[o].mean_ms + 3.0 * norms[o].deviation_ms;
    std::vector<bool> slow(spans.size());
    for (std::size_t i = 0; i < spans.size(); ++i)
        slow[i] = duration_ms(spans, i) >= limits_ms[operations.of_span[i]];
    return slow;
}

Status check_norms(const SpanTable& spans, const Operations& operations,
                   const std::vector<OperationNorm>& norms, TimePoint alert) {
    for (std::size_t i = 0; i < spans.size(); ++i)
        if (norms[operations.of_span[i]].num_spans == 0 && spans.end(i) >= alert)
            return fail(ErrorCode::missing_input,
                        fmt::format("operation \"{}\" has no span before the alert: the reference "
                                    "ends here",
                                    operations.names[operations.of_span[i]]));
    return {};
}

Status check_spans(const Incident& incident, std::string_view method) {
    if (!incident.spans)
        return fail(ErrorCode::missing_input, fmt::format("{} needs traces, got none", method));
    std::size_t num_before = 0;
    for (std::size_t i = 0; i < incident.spans->size(); ++i)
        num_before += incident.spans->end(i) < incident.alert ? 1 : 0;
    const std::size_t num_after = incident.spans->size() - num_before;
    if (num_before > 0 && num_after > 0) return {};
    return fail(ErrorCode::too_few_samples,
                fmt::format("{} needs spans on both sides of the alert, got {} before and {} after",
                            method, num_before, num_after));
}

}  // namespace culprit
