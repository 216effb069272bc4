#include "culprit/tailored/generic_score.h"

#include <algorithm>
#include <cmath>

namespace culprit::tailored {

Result<GenericScore> generic_score(const Incident& incident, const RunContext& context) {
    GenericScore generic;
    generic.windows = windows_of(incident);
    CULPRIT_TRY(generic.shifts, column_shifts(incident.metrics, generic.windows, context.stop,
                                              context.num_threads));
    generic.flow = call_flow(incident, generic.windows);
    if (incident.spans && incident.spans->size() > 0)
        generic.spans = span_effects(*incident.spans, generic.windows);
    CULPRIT_TRY_STATUS(context.stop.check());

    generic.services = services_of(incident);
    for (const std::string& service : generic.services) generic.score[service] = 0.0;
    const std::string* last = nullptr;  // columns of one service mostly follow one another
    for (const ColumnShift& moved : generic.shifts) {
        if (last != nullptr && moved.service == *last) continue;
        last = &moved.service;
        if (generic.score.try_emplace(moved.service, 0.0).second)
            generic.services.push_back(moved.service);
    }
    generic.load = load_change(generic.shifts, generic.services.size());
    for (ColumnShift& moved : generic.shifts) moved.beyond_load = beyond_load(moved, generic.load);
    for (const auto& [service, e] :
         own_change(generic.shifts,
                    {.skip_flow = generic.flow.available, .load_rose = generic.load.factor > 1.0}))
        generic.score[service] += e;
    for (const auto& [service, e] : generic.spans.score) generic.score[service] += e;
    for (const auto& [service, share] : generic.flow.share)
        generic.score[service] += share * std::log1p(generic.flow.deviations.at(service));

    if (incident.metrics.num_columns() == 0) generic.notes.push_back("no metrics were given");
    if (!incident.spans || incident.spans->size() == 0)
        generic.notes.push_back("no spans were given: gaps inside calls cannot be seen");
    if (!generic.flow.available)
        generic.notes.push_back(
            "no call graph with requests and latency: effects at callers are told from causes "
            "only by how many services share them");
    return generic;
}

}  // namespace culprit::tailored
