#include <algorithm>
#include <memory>
#include <unordered_set>

#include "culprit/rca/method.h"

namespace culprit {
namespace {

class LatestChange : public Method {
public:
    const MethodInfo& info() const override { return info_; }
    Result<Diagnosis> diagnose(const Incident& incident, const RunContext& context) const override;

private:
    MethodInfo info_ = {
        .name = "latest_change",
        .summary = "Trivial baseline: blames what was changed last before the alert.",
        .family = MethodFamily::baseline,
        .citation = "none; what an operator on call tries first",
        .reads = "change events",
        .ranks = "changed entities",
        .cost = "O(c log c) time for c change events",
        .variants = {Variant::published}};
};

Result<Diagnosis> LatestChange::diagnose(const Incident& incident, const RunContext&) const {
    if (incident.changes.empty())
        return fail(ErrorCode::missing_input, "latest_change needs change events, got none");
    std::vector<const ChangeEvent*> before;
    for (const ChangeEvent& change : incident.changes)
        if (change.time <= incident.alert) before.push_back(&change);
    std::stable_sort(before.begin(), before.end(),
                     [](const ChangeEvent* a, const ChangeEvent* b) { return a->time > b->time; });
    Diagnosis diagnosis;
    if (before.empty()) {
        diagnosis.status = DiagnosisStatus::degenerate;
        diagnosis.reason = "every change event lies after the alert";
        return diagnosis;
    }
    std::vector<Suspect> suspects;
    std::unordered_set<std::string_view> known;
    for (const ChangeEvent* change : before) {
        // The score is the age of the latest change in seconds, negated: the youngest first.
        if (known.insert(change->entity).second)
            suspects.push_back({change->entity, service_of_name(change->entity),
                                -to_seconds(incident.alert - change->time)});
    }
    diagnosis.ranking = Ranking::from(std::move(suspects));
    return diagnosis;
}

}  // namespace

std::unique_ptr<Method> make_latest_change() { return std::make_unique<LatestChange>(); }

}  // namespace culprit
