#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "culprit/base/check.h"
#include "culprit/rca/incident.h"
#include "culprit/rca/method.h"
#include "culprit/rca/ranking.h"

namespace culprit {
namespace {

using testing::ElementsAre;

TEST(Ranking, SortsByScoreAndKeepsTheOrderOfTies) {
    const Ranking ranking = Ranking::from({{.name = "a_x", .service = "a", .score = 1.0},
                                           {.name = "b_x", .service = "b", .score = 2.0},
                                           {.name = "a_y", .service = "a", .score = 2.0}});
    EXPECT_EQ(ranking.suspects()[0].name, "b_x");
    EXPECT_EQ(ranking.suspects()[1].name, "a_y");
    EXPECT_THAT(ranking.services(), ElementsAre("b", "a"));
}

TEST(Ranking, RefusesScoresThatAreNotNumbers) {
    EXPECT_THROW(
        Ranking::from(
            {{.name = "a", .service = "a", .score = std::numeric_limits<double>::quiet_NaN()}}),
        InternalError);
}

TEST(Ranking, OrdersBareNames) {
    const std::vector<std::string> names = {"b_cpu", "a_cpu"};
    EXPECT_THAT(Ranking::in_order(names).services(), ElementsAre("b", "a"));
    EXPECT_EQ(Ranking::in_order(names).suspects()[0].score, 2.0);
}

TEST(ServiceOfName, FollowsTheStudy) {
    EXPECT_EQ(service_of_name("ray-replicas-0_ctn_cpu"), "ray-replicas-0");
    EXPECT_EQ(service_of_name("carts-db_cpu"), "carts");
    EXPECT_EQ(service_of_name("nginx-proxy"), "nginx-proxy");
}

class Echo : public Method {
public:
    const MethodInfo& info() const override { return info_; }
    Result<Diagnosis> diagnose(const Incident&, const RunContext& context) const override {
        Diagnosis diagnosis;
        diagnosis.reason = std::to_string(context.option(info_, "alpha"));
        return diagnosis;
    }

private:
    MethodInfo info_ = {
        .name = "echo",
        .summary = "",
        .citation = "",
        .reads = "",
        .ranks = "",
        .cost = "",
        .variants = {Variant::published},
        .options = {
            {.name = "alpha", .default_value = 0.25, .minimum = 0.0, .maximum = 1.0, .help = ""}}};
};

TEST(RunMethod, ChecksVariantAndOptions) {
    const Echo echo;
    const Incident incident;
    EXPECT_EQ(run_method(echo, incident, {})->reason, std::to_string(0.25));
    EXPECT_EQ(run_method(echo, incident, {.options = {{"alpha", 0.5}}})->reason,
              std::to_string(0.5));
    EXPECT_FALSE(run_method(echo, incident, {.options = {{"alpha", 2.0}}}));
    EXPECT_FALSE(run_method(echo, incident, {.options = {{"beta", 0.5}}}));
    EXPECT_FALSE(run_method(echo, incident, {.variant = Variant::reference}));
    EXPECT_EQ(run_method(echo, incident, {.stop = Stop::after(std::chrono::nanoseconds(-1))})
                  .error()
                  .code,
              ErrorCode::deadline_exceeded);
}

}  // namespace
}  // namespace culprit
