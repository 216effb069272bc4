// Every study method against what the study's Python implementation answered on the same input.
//
// The cases beside this file run by default. CULPRIT_GOLDENS names another folder of the same
// layout (<family>/cases/<service>_<fault>/<n>/ and <family>/ranks/<service>_<fault>__<n>/), for
// the full set: `make golden CULPRIT_GOLDENS=...`.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include "culprit/methods/catalog.h"
#include "culprit/readers/case_reader.h"
#include "golden_rules.h"
#include "golden_set.h"

namespace culprit {
namespace {

const GoldenSet& goldens() {
    static const GoldenSet set = [] {
        const char* given = std::getenv("CULPRIT_GOLDENS");
        return GoldenSet(given != nullptr ? given : CULPRIT_SOURCE_DIR "/tests/golden/data");
    }();
    return set;
}

bool is_longer_than_window(const Incident& incident) {
    const std::size_t split = incident.metrics.first_row_at(incident.alert);
    return std::max(split, incident.metrics.num_rows() - split) > harness_rows_per_side;
}

// The harness names the symptom, where the recorder kept it.
Incident with_symptom(const GoldenCase& golden, const GoldenAnswer& answer) {
    Incident incident = golden.incident();
    if (!answer.symptom.empty()) incident.symptom = answer.symptom;
    return incident;
}

std::vector<Ranking> rankings_of_seeds(const Method& method, const Incident& incident,
                                       std::size_t num_seeds) {
    std::vector<Ranking> rankings;
    for (std::uint64_t seed = 0; seed < num_seeds; ++seed) {
        auto diagnosis =
            run_method(method, incident, {.variant = Variant::reference, .seed = seed});
        if (diagnosis) rankings.push_back(std::move(diagnosis->ranking));
    }
    return rankings;
}

class Golden : public testing::TestWithParam<GoldenRule> {};

TEST_P(Golden, AnswersAsTheStudysImplementation) {
    const auto method = make_method(GetParam().method);
    ASSERT_TRUE(method) << GetParam().method << " is not in the catalog";
    std::size_t num_answers = 0;
    for (const GoldenCase& golden : goldens().cases()) {
        const GoldenRule rule = rule_for(GetParam(), golden.id);
        const std::vector<GoldenAnswer> answers = golden.answers(rule.method);
        if (answers.empty()) continue;
        ++num_answers;
        SCOPED_TRACE(golden.id);
        if (rule.is_windowed && is_longer_than_window(golden.incident())) {
            EXPECT_EQ(compare_untrimmed(rule, golden.incident(), answers), "");
            continue;
        }
        if (rule.kind == GoldenRule::Kind::seed_scatter) {
            const auto rankings = rankings_of_seeds(
                **method, golden.incident(), std::max<std::size_t>(100, 20 * answers.size()));
            EXPECT_EQ(compare_scatter(rankings, answers), "");
            continue;
        }
        const Result<Diagnosis> diagnosis = run_method(
            **method, with_symptom(golden, answers.front()), {.variant = Variant::reference});
        if (!diagnosis) {
            ADD_FAILURE() << diagnosis.error().message;
            continue;
        }
        const std::string difference = compare(rule, diagnosis->ranking, answers);
        if (!difference.empty()) ADD_FAILURE() << difference;
    }
    EXPECT_GT(num_answers, 0U) << "no golden of " << GetParam().method;
    RecordProperty("answers", static_cast<int>(num_answers));
}

INSTANTIATE_TEST_SUITE_P(Study, Golden, testing::ValuesIn(golden_rules()),
                         [](const testing::TestParamInfo<GoldenRule>& rule) {
                             return rule.param.method;
                         });

}  // namespace
}  // namespace culprit
