#include "culprit/rca/method.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "culprit/base/check.h"

namespace culprit {

std::string_view to_string(Variant variant) {
    return variant == Variant::reference ? "reference" : "published";
}

std::string_view to_string(MethodFamily family) {
    switch (family) {
        case MethodFamily::baseline:
            return "baseline";
        case MethodFamily::metric:
            return "metric";
        case MethodFamily::trace:
            return "trace";
        case MethodFamily::multi_source:
            return "multi-source";
        case MethodFamily::tailored:
            return "tailored";
    }
    return "unknown";
}

double RunContext::option(const MethodInfo& info, std::string_view name) const {
    const auto declared = std::find_if(info.options.begin(), info.options.end(),
                                       [&](const OptionInfo& o) { return o.name == name; });
    CULPRIT_CHECK(declared != info.options.end());
    const auto given = options.find(std::string(name));
    return given == options.end() ? declared->default_value : given->second;
}

Result<Diagnosis> run_method(const Method& method, const Incident& incident,
                             const RunContext& context) {
    const MethodInfo& info = method.info();
    if (std::find(info.variants.begin(), info.variants.end(), context.variant) ==
        info.variants.end())
        return fail(ErrorCode::invalid_input, fmt::format("method {} has no variant {}", info.name,
                                                          to_string(context.variant)));
    for (const auto& entry : context.options) {
        const std::string& name = entry.first;  // clang 14 captures no structured binding
        const double value = entry.second;
        const auto declared = std::find_if(info.options.begin(), info.options.end(),
                                           [&](const OptionInfo& o) { return o.name == name; });
        if (declared == info.options.end())
            return fail(ErrorCode::invalid_input,
                        fmt::format("method {} has no option {}; see culprit methods {}", info.name,
                                    name, info.name));
        if (!(value >= declared->minimum && value <= declared->maximum))
            return fail(ErrorCode::invalid_input,
                        fmt::format("option {} of {}: expected {} to {}, found {}", name, info.name,
                                    declared->minimum, declared->maximum, value));
    }
    CULPRIT_TRY_STATUS(context.stop.check());
    return method.diagnose(incident, context);
}

}  // namespace culprit
