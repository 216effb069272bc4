#include "culprit/tailored/exporters.h"

#include <algorithm>
#include <array>
#include <unordered_set>

#include "culprit/catalogue/catalogue.h"
#include "culprit/catalogue/metric_words.h"

namespace culprit::tailored {

std::string_view exporter_of(std::string_view metric) {
    const Catalogue& catalogue = Catalogue::builtin();
    for (const std::string_view suffix : {":rate", ":mean", ":ratio"})
        if (metric.ends_with(suffix)) metric.remove_suffix(suffix.size());
    if (const Signal* signal = catalogue.match(metric).signal) return signal->component;
    strip_statistic(metric);
    const Signal* signal = catalogue.match(metric).signal;
    return signal == nullptr ? std::string_view() : std::string_view(signal->component);
}

std::set<std::string_view> exporters_of(const Frame& metrics) {
    std::set<std::string_view> exporters;
    std::unordered_set<std::string_view> seen;
    for (const Column& column : metrics.columns()) {
        const std::string_view metric = column.metric.empty() ? column.name : column.metric;
        if (seen.insert(metric).second) exporters.insert(exporter_of(metric));
    }
    exporters.erase(std::string_view());
    return exporters;
}

bool is_gateway(std::string_view exporter) {
    constexpr std::array<std::string_view, 6> gateways = {"nginx",   "proxy",  "istio",
                                                          "litellm", "router", "inference-gateway"};
    return std::ranges::find(gateways, exporter) != gateways.end();
}

}  // namespace culprit::tailored
