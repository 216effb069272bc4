#include "culprit/faults/fault_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "culprit/faults/chaos_mesh.h"

namespace culprit {
namespace {

using testing::HasSubstr;

TEST(FaultPlan, ReadsTimesAndFillsInDefaults) {
    const auto plan = parse_fault_plan(R"(
name: two
faults:
- {kind: network_delay, target: ray-replicas-2, start: 1.5m, duration: 500ms, milliseconds: 80}
- {kind: engine_stuck, target: ray-replicas-0, start: 10s}
)");
    ASSERT_TRUE(plan) << plan.error().message;
    ASSERT_EQ(plan->faults.size(), 2u);
    EXPECT_EQ(plan->faults[0].kind->name, "engine_stuck") << "faults stand by start time";
    const auto& delay = plan->faults[1];
    EXPECT_DOUBLE_EQ(delay.start_seconds, 90);
    EXPECT_DOUBLE_EQ(delay.duration_seconds, 0.5);
    EXPECT_DOUBLE_EQ(delay.parameter("milliseconds"), 80);
    EXPECT_DOUBLE_EQ(delay.parameter("jitter_milliseconds"), 30);
    EXPECT_DOUBLE_EQ(plan->end_seconds(), 90.5);
}

TEST(FaultPlan, ReadsJsonToo) {
    const auto plan = parse_fault_plan(
        R"({"name":"j","faults":[{"kind":"cpu_quota","target":"a","cores":0.5}]})");
    ASSERT_TRUE(plan) << plan.error().message;
    EXPECT_DOUBLE_EQ(plan->faults[0].parameter("cores"), 0.5);
}

struct BadPlan {
    const char* text;
    const char* message;
};

TEST(FaultPlan, SaysWhatIsWrongAndWhere) {
    const BadPlan plans[] = {
        {"faults: []", "a plan needs a list of faults"},
        {"name: x\nfaults:\n- {kind: earthquake, target: a}", "no fault kind \"earthquake\""},
        {"name: x\nfaults:\n- {kind: cpu_quota, target: a, cores: -1}", "cores must be in [0.01"},
        {"name: x\nfaults:\n- {kind: cpu_quota, target: a, watts: 1}",
         "has no parameter \"watts\""},
        {"name: x\nfaults:\n- {kind: cpu_quota}", "line 3: cpu_quota needs a target"},
        {"name: x\nfaults:\n- {kind: traffic_burst, target: a}", "takes no target"},
        {"name: x\nfaults:\n- {kind: cpu_quota, target: a, start: soon}",
         "expected start as seconds"},
        {"name: x\nfault: 3", "found \"fault\""},
        {"- 1", "expected a plan as a map"},
        {"a: [", "line "},
    };
    for (const auto& bad : plans) {
        const auto plan = parse_fault_plan(bad.text);
        ASSERT_FALSE(plan) << bad.text;
        EXPECT_THAT(plan.error().message, HasSubstr(bad.message)) << bad.text;
    }
}

TEST(FaultKinds, AreDistinctAndTheirDefaultsLieInRange) {
    std::set<std::string_view> names;
    int broken = 0;
    for (const auto& kind : fault_kinds()) {
        EXPECT_TRUE(names.insert(kind.name).second) << kind.name;
        EXPECT_FALSE(kind.summary.empty()) << kind.name;
        if (kind.breaks_component) ++broken;
        for (const auto& parameter : kind.used_parameters()) {
            EXPECT_GE(parameter.default_value, parameter.value_min) << kind.name;
            EXPECT_LE(parameter.default_value, parameter.value_max) << kind.name;
        }
    }
    EXPECT_GE(broken, 20) << "the study's four and at least sixteen others";
}

// The fields are those of api/v1alpha1 of Chaos Mesh.
TEST(ChaosMesh, PutsContainersAndDurationsWhereTheApiHasThem) {
    const auto plan = parse_fault_plan(R"(
name: k8s
faults:
- {kind: cpu_stress, target: ray-replicas-0, duration: 60, workers: 16}
- {kind: network_delay, target: ray-replicas-1, duration: 60, milliseconds: 1000}
- {kind: gpu_power_cap, target: ray-replicas-2, watts: 150}
)");
    ASSERT_TRUE(plan);
    const auto rendered = render_chaos_mesh(*plan, {.name_space = "llm"});
    ASSERT_TRUE(rendered) << rendered.error().message;
    EXPECT_THAT(rendered->yaml, HasSubstr(R"(kind: StressChaos
metadata:
  name: culprit-1-cpu-stress-ray-replicas-0
  namespace: llm
spec:
  mode: one
  selector:
    namespaces:
      - llm
    labelSelectors:
      app: ray-replicas-0
  duration: 60s
  containerNames:
    - ray-replicas-0
  stressors:
    cpu:
      workers: 16
      load: 100)"));
    EXPECT_THAT(rendered->yaml, HasSubstr(R"(  action: delay
  delay:
    latency: 1000ms
    jitter: 30ms
    correlation: "25")"));
    ASSERT_EQ(rendered->node_commands.size(), 1u);
    EXPECT_THAT(rendered->node_commands[0], HasSubstr("-pl 150"));
}

TEST(ChaosMesh, RefusesWhatItCannotDo) {
    const auto plan = parse_fault_plan("faults:\n- {kind: kv_pressure, target: a}");
    ASSERT_TRUE(plan);
    const auto rendered = render_chaos_mesh(*plan);
    ASSERT_FALSE(rendered);
    EXPECT_EQ(rendered.error().code, ErrorCode::unsupported);
}

}  // namespace
}  // namespace culprit
