#include <memory>
#include <numeric>

#include "culprit/base/random.h"
#include "culprit/methods/study_view.h"
#include "culprit/rca/method.h"

namespace culprit {
namespace {

class Dummy : public Method {
public:
    const MethodInfo& info() const override { return info_; }
    Result<Diagnosis> diagnose(const Incident& incident, const RunContext& context) const override;

private:
    MethodInfo info_ = {
        .name = "dummy",
        .summary = "Ranks the metrics that move in a random order: what any method must beat.",
        .family = MethodFamily::metric,
        .in_study = true,
        .citation =
            "The random baseline of Pham, Zhang, Ha, Nguyen, Salim, RCAEval: A Benchmark for Root "
            "Cause Analysis of Microservice Systems, WWW Companion 2025",
        .reads = "metrics",
        .ranks = "metric columns",
        .cost = "O(p N) time",
        .divergences = {{.reference = "the generator is not seeded; here it is",
                         .published = "the same: seeded"}},
        .uses_randomness = true};
};

Result<Diagnosis> Dummy::diagnose(const Incident& incident, const RunContext& context) const {
    CULPRIT_TRY(const StudyView view, StudyView::of(incident));
    std::vector<std::size_t> order;
    for (std::size_t c = 0; c < view.num_columns(); ++c)
        if (varies(view.column(c))) order.push_back(c);
    Random random(derive_seed(context.seed, info_.name));
    random.shuffle(order);
    std::vector<Suspect> suspects;
    for (std::size_t i = 0; i < order.size(); ++i)
        suspects.push_back({view.names()[order[i]], view.service(order[i]),
                            static_cast<double>(order.size() - i)});
    Diagnosis diagnosis;
    diagnosis.ranking = Ranking::from(std::move(suspects));
    return diagnosis;
}

}  // namespace

std::unique_ptr<Method> make_dummy() { return std::make_unique<Dummy>(); }

}  // namespace culprit
