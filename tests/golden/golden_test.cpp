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

class Golden : public testing::TestWithParam<GoldenRule> {};

TEST_P(Golden, AnswersAsTheStudysImplementation) {
    const GoldenRule& rule = GetParam();
    const auto method = make_method(rule.method);
    if (!method) GTEST_SKIP() << rule.method << " is not in the catalog";
    if (rule.kind == GoldenRule::Kind::not_comparable) GTEST_SKIP() << rule.why;
    std::size_t num_answers = 0;
    for (const GoldenCase& golden : goldens().cases()) {
        const std::vector<GoldenAnswer> answers = golden.answers(rule.method);
        if (answers.empty()) continue;
        ++num_answers;
        SCOPED_TRACE(golden.id);
        if (rule.is_windowed && is_longer_than_window(golden.incident())) {
            EXPECT_EQ(compare_untrimmed(rule, golden.incident(), answers), "");
            continue;
        }
        const Result<Diagnosis> diagnosis =
            run_method(**method, golden.incident(), {.variant = Variant::reference});
        if (!diagnosis) {
            ADD_FAILURE() << diagnosis.error().message;
            continue;
        }
        const std::string difference = compare(rule, diagnosis->ranking, answers);
        if (!difference.empty()) ADD_FAILURE() << difference;
    }
    EXPECT_GT(num_answers, 0U) << "no golden of " << rule.method;
    RecordProperty("answers", static_cast<int>(num_answers));
}

INSTANTIATE_TEST_SUITE_P(Study, Golden, testing::ValuesIn(golden_rules()),
                         [](const testing::TestParamInfo<GoldenRule>& rule) {
                             return rule.param.method;
                         });

}  // namespace
}  // namespace culprit
