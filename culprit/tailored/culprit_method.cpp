#include "culprit/tailored/culprit_method.h"

#include <algorithm>

#include "culprit/tailored/generic_score.h"

namespace culprit {
namespace {

constexpr std::size_t evidence_per_service = 4;

class Culprit : public Method {
public:
    const MethodInfo& info() const override { return info_; }
    Result<Diagnosis> diagnose(const Incident& incident, const RunContext& context) const override;

private:
    MethodInfo info_ = {
        .name = "culprit",
        .summary =
            "Fuses metrics, logs and traces: robust change of each service that its callees and "
            "callers do not explain.",
        .family = MethodFamily::tailored,
        .citation = "this project, docs/method.md",
        .reads = "metrics, logs, traces, topology, changes; each may be missing",
        .ranks = "services",
        .cost = "O(p N + spans + log lines) time",
        .variants = {Variant::published}};
};

Result<Diagnosis> Culprit::diagnose(const Incident& incident, const RunContext& context) const {
    const bool has_spans = incident.spans && incident.spans->size() > 0;
    if (incident.metrics.num_columns() == 0 && !has_spans)
        return fail(ErrorCode::too_few_samples,
                    "culprit needs metrics or spans on both sides of the alert, got neither");
    CULPRIT_TRY(const tailored::GenericScore generic, tailored::generic_score(incident, context));
    if (generic.score.empty())
        return fail(ErrorCode::too_few_samples,
                    "culprit needs at least one column or span that names a service, got none");
    auto shifts = tailored::shift_evidence(incident.metrics, generic.windows, generic.shifts,
                                           evidence_per_service);
    std::vector<Suspect> suspects;
    for (const std::string& service : generic.services) {
        Suspect suspect{.name = service, .service = service, .score = generic.score.at(service)};
        for (ShiftEvidence& e : shifts[service]) suspect.evidence.emplace_back(std::move(e));
        if (const auto found = generic.spans.evidence.find(service);
            found != generic.spans.evidence.end())
            for (std::size_t i = 0; i < std::min(evidence_per_service, found->second.size()); ++i)
                suspect.evidence.emplace_back(found->second[i]);
        suspects.push_back(std::move(suspect));
    }
    Diagnosis diagnosis{.ranking = Ranking::from(std::move(suspects)), .notes = generic.notes};
    if (diagnosis.ranking.empty() || diagnosis.ranking.suspects().front().score <= 0.0) {
        diagnosis.status = DiagnosisStatus::degenerate;
        diagnosis.reason = "nothing moved: every service's score is 0";
    }
    return diagnosis;
}

}  // namespace

std::unique_ptr<Method> make_culprit() { return std::make_unique<Culprit>(); }

}  // namespace culprit
