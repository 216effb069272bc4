#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <set>

#include "culprit/testbed/accelerator.h"
#include "culprit/testbed/access_log.h"
#include "culprit/testbed/arrivals.h"
#include "culprit/testbed/cgroup.h"
#include "culprit/testbed/child_process.h"
#include "culprit/testbed/experiment_plan.h"
#include "culprit/testbed/exposition.h"
#include "culprit/testbed/impairment.h"
#include "culprit/testbed/log_follower.h"
#include "culprit/testbed/network_history.h"
#include "culprit/testbed/otlp_lines.h"
#include "culprit/testbed/recorded_series.h"
#include "culprit/testbed/recorder.h"
#include "culprit/testbed/settings.h"

namespace culprit::testbed {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

class TemporaryFolder {
public:
    TemporaryFolder() {
        std::string pattern = (fs::temp_directory_path() / "culprit-test-XXXXXX").string();
        path_ = mkdtemp(pattern.data());
    }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    ~TemporaryFolder() { fs::remove_all(path_); }
    std::string operator/(const std::string& below) const { return path_ / below; }
    std::string path() const { return path_; }
    void write(const std::string& below, const std::string& text) const {
        fs::create_directories((path_ / below).parent_path());
        std::ofstream(path_ / below) << text;
    }

private:
    fs::path path_;
};

TEST(Arrivals, PoissonKeepsItsRateAndSeed) {
    const SyntheticLoad load{.rate_per_s = 5, .duration_s = 2000, .seed = 3};
    const auto arrivals = make_arrivals(load);
    ASSERT_TRUE(arrivals);
    // 10,000 expected, standard deviation 100.
    EXPECT_NEAR(static_cast<double>(arrivals->size()), 10000, 400);
    EXPECT_EQ(arrivals->back().time_s, make_arrivals(load)->back().time_s);
    EXPECT_FALSE(make_arrivals({.rate_per_s = 0}));
}

TEST(Arrivals, ConstantIsEvenlySpaced) {
    const auto arrivals = make_arrivals({.process = ArrivalProcess::constant,
                                         .rate_per_s = 4,
                                         .duration_s = 1,
                                         .prompt_tokens = 9});
    ASSERT_TRUE(arrivals);
    ASSERT_EQ(arrivals->size(), 4u);
    EXPECT_DOUBLE_EQ(arrivals->at(3).time_s, 0.75);
    EXPECT_EQ(arrivals->at(3).prompt_tokens, 9);
}

TEST(Arrivals, ReplayScalesTimesAndTokens) {
    const std::string csv =
        "arrival_time_s,prompt_tokens,output_tokens,more\n0.0,4808,10,x\n4.0,300,80,x\n9,10,10,x\n";
    const auto arrivals = read_arrivals(
        csv, {.time_scale = 2, .token_scale = 0.1, .duration_s = 4, .prompt_tokens_max = 200});
    ASSERT_TRUE(arrivals) << arrivals.error().message;
    ASSERT_EQ(arrivals->size(), 2u) << "the third comes at 4.5 s, after the end";
    EXPECT_EQ(arrivals->at(0).prompt_tokens, 200) << "480 tokens are over the limit";
    EXPECT_EQ(arrivals->at(0).output_tokens, 1);
    EXPECT_DOUBLE_EQ(arrivals->at(1).time_s, 2);
    EXPECT_EQ(arrivals->at(1).output_tokens, 8);
    const auto bad = read_arrivals("arrival_time_s,prompt_tokens,output_tokens\n1,2,many\n", {});
    ASSERT_FALSE(bad);
    EXPECT_THAT(bad.error().message, HasSubstr("line 2"));
    EXPECT_FALSE(read_arrivals("a,b\n1,2\n", {}));
}

TEST(ImpairedLink, DelaysAndKeepsTheOrder) {
    ImpairedLink link({.delay_seconds = 0.1, .jitter_seconds = 0.09});
    for (int i = 0; i < 50; ++i) EXPECT_TRUE(link.enter(0.001 * i, std::to_string(i)));
    EXPECT_FALSE(link.leave(0.0099)) << "no packet is faster than delay - jitter";
    for (int i = 0; i < 50; ++i) EXPECT_EQ(link.leave(10), std::to_string(i));
    EXPECT_FALSE(link.next_due());
}

TEST(ImpairedLink, LosesItsShare) {
    ImpairedLink link({.loss_share = 0.2, .seed = 5});
    for (int i = 0; i < 10000; ++i) {
        link.enter(i, "x");
        while (link.leave(i)) {
        }
    }
    EXPECT_NEAR(static_cast<double>(link.num_dropped()), 2000, 160);  // 4 standard deviations
    EXPECT_EQ(link.num_dropped() + link.num_passed(), 10000u);
}

TEST(ImpairedLink, SendsAtItsRateAndDropsWhatDoesNotFit) {
    ImpairedLink link({.bytes_per_second = 1000, .queue_bytes = 300});
    EXPECT_TRUE(link.enter(0, std::string(100, 'a')));
    EXPECT_TRUE(link.enter(0, std::string(100, 'b')));
    EXPECT_TRUE(link.enter(0, std::string(100, 'c')));
    EXPECT_FALSE(link.enter(0, std::string(100, 'd')));
    EXPECT_FALSE(link.leave(0.099));
    EXPECT_EQ(link.leave(0.1001)->front(), 'a');
    EXPECT_NEAR(*link.next_due(), 0.2, 1e-9);
}

AcceleratorReading run_model(AcceleratorModel& model, double busy, double seconds,
                             const AcceleratorConditions& conditions) {
    for (double t = 0; t < seconds; t += 0.1)
        model.step({.seconds = 0.1, .busy_seconds = 0.1 * busy, .decode_tokens = 2}, conditions);
    return model.reading();
}

TEST(Accelerator, PowerCapLowersClockAndTemperature) {
    AcceleratorModel model;
    const auto normal = run_model(model, 0.9, 120, {});
    EXPECT_DOUBLE_EQ(normal.sm_clock_mhz, AcceleratorModel::clock_max_mhz);
    EXPECT_EQ(normal.clock_event_reasons, 0u);
    EXPECT_NEAR(normal.utilisation_percent, 90, 0.5);
    const auto capped = run_model(model, 0.9, 120, {.power_limit_watts = 150});
    EXPECT_LT(capped.sm_clock_mhz, 0.6 * normal.sm_clock_mhz);
    EXPECT_LE(capped.power_watts, 150);
    EXPECT_LT(capped.temperature_celsius, normal.temperature_celsius);
    EXPECT_EQ(capped.clock_event_reasons, 0x4u);
    EXPECT_GT(capped.power_violation_ns, 0);
    EXPECT_NEAR(capped.utilisation_percent, 90, 0.5) << "utilisation does not show a cap";
}

TEST(Accelerator, HeatComesBeforeLowerClocks) {
    AcceleratorModel model;
    run_model(model, 0.9, 60, {});
    const AcceleratorConditions hot{.ambient_celsius = 62, .cooling = 0.5};
    const double before = model.reading().temperature_celsius;
    const auto early = run_model(model, 0.9, 3, hot);
    EXPECT_GT(early.temperature_celsius, before + 3);
    EXPECT_DOUBLE_EQ(early.sm_clock_mhz, AcceleratorModel::clock_max_mhz);
    const auto late = run_model(model, 0.9, 60, hot);
    EXPECT_LT(late.sm_clock_mhz, AcceleratorModel::clock_max_mhz);
    EXPECT_EQ(late.clock_event_reasons, 0x20u);
}

TEST(AcceleratorFile, IsSharedThroughItsPath) {
    const TemporaryFolder folder;
    auto first = AcceleratorFile::open(folder / "unit");
    ASSERT_TRUE(first);
    EXPECT_DOUBLE_EQ(first->conditions().power_limit_watts, 700);
    first->set_integer(AcceleratorFile::Field::stuck, 1);
    const auto second = AcceleratorFile::open(folder / "unit");
    ASSERT_TRUE(second);
    EXPECT_EQ(second->integer(AcceleratorFile::Field::stuck), 1);
    EXPECT_DOUBLE_EQ(second->number(AcceleratorFile::Field::clock_ratio), 1);
}

// A made tree of files stands for the kernel's, so that no privilege is needed.
TEST(Cgroup, ReadsVersionOne) {
    const TemporaryFolder mount;
    for (const char* controller : {"cpu", "cpuacct", "memory", "blkio"})
        mount.write(std::string(controller) + "/cgroup.procs", "");
    const auto tree = CgroupTree::open(mount.path(), "culprit-x");
    ASSERT_TRUE(tree) << tree.error().message;
    EXPECT_FALSE(tree->is_unified());
    ASSERT_TRUE(tree->create("engine"));
    EXPECT_EQ(tree->entry_files("engine").size(), 4u);
    mount.write("cpuacct/culprit-x/engine/cpuacct.usage", "2500000000\n");
    mount.write("cpu/culprit-x/engine/cpu.stat",
                "nr_periods 10\nnr_throttled 4\nthrottled_time 1500000000\n");
    mount.write("memory/culprit-x/engine/memory.usage_in_bytes", "1000\n");
    mount.write("memory/culprit-x/engine/memory.limit_in_bytes", "9223372036854771712\n");
    mount.write("memory/culprit-x/engine/memory.stat", "total_rss 600\ntotal_inactive_file 300\n");
    mount.write("memory/culprit-x/engine/memory.oom_control", "under_oom 0\noom_kill 2\n");
    mount.write("blkio/culprit-x/engine/blkio.throttle.io_service_bytes",
                "254:0 Read 7\n254:0 Write 11\nTotal 18\n");
    mount.write("cpu/culprit-x/engine/cgroup.procs", "12\n7\n");
    const auto usage = tree->usage("engine");
    ASSERT_TRUE(usage);
    EXPECT_DOUBLE_EQ(usage->cpu_seconds, 2.5);
    EXPECT_DOUBLE_EQ(usage->throttled_seconds, 1.5);
    EXPECT_EQ(usage->working_set_bytes(), 700u);
    EXPECT_EQ(usage->memory_limit_bytes, 0u) << "the kernel's largest number means no limit";
    EXPECT_EQ(usage->oom_kills, 2u);
    EXPECT_EQ(usage->written_bytes, 11u);
    EXPECT_THAT(tree->processes("engine"), ElementsAre(7, 12));
    mount.write("cpu/culprit-x/engine/cpu.cfs_quota_us", "-1");
    ASSERT_TRUE(tree->set_cpu_cores("engine", 0.25));
    EXPECT_EQ(tree->cpu_cores("engine").value(), std::optional(0.25));
    ASSERT_TRUE(tree->set_cpu_cores("engine", std::nullopt));
    EXPECT_EQ(tree->cpu_cores("engine").value(), std::nullopt);
}

TEST(Cgroup, ReadsVersionTwo) {
    const TemporaryFolder mount;
    mount.write("cgroup.controllers", "cpuset cpu io memory pids\n");
    mount.write("culprit-x/engine/cpu.stat",
                "usage_usec 1500000\nnr_throttled 3\nthrottled_usec 20\n");
    mount.write("culprit-x/engine/memory.max", "max\n");
    mount.write("culprit-x/engine/memory.current", "5000\n");
    mount.write("culprit-x/engine/memory.stat", "anon 10\ninactive_file 1000\n");
    mount.write("culprit-x/engine/memory.events", "oom 1\noom_kill 1\n");
    mount.write("culprit-x/engine/io.stat", "254:0 rbytes=5 wbytes=9 rios=1 wios=1\n");
    const auto tree = CgroupTree::open(mount.path(), "culprit-x");
    ASSERT_TRUE(tree);
    const auto usage = tree->usage("engine");
    ASSERT_TRUE(usage);
    EXPECT_DOUBLE_EQ(usage->cpu_seconds, 1.5);
    EXPECT_EQ(usage->working_set_bytes(), 4000u);
    EXPECT_EQ(usage->memory_limit_bytes, 0u);
    EXPECT_EQ(usage->read_bytes, 5u);
    mount.write("culprit-x/engine/cpu.max", "max 100000");
    ASSERT_TRUE(tree->set_cpu_cores("engine", 0.5));
    EXPECT_EQ(read_text_file(mount / "culprit-x/engine/cpu.max").value(), "50000 100000");
    EXPECT_FALSE(CgroupTree::open(mount / "culprit-x", "y"));
}

TEST(AccessLog, ReadsWhatTheProxyWrites) {
    const auto record = parse_access_line(
        R"({"time":"1795323298.512","trace":"f42","span":"f4","method":"POST",)"
        R"("uri":"/v1/completions",)"
        R"("status":200,"bytes":10,"seconds":0.50,"upstream":"10.77.0.11:8000, 10.77.0.12:8000",)"
        R"("upstream_status":"502, 200","upstream_connect":"-, 0.001",)"
        R"("upstream_header":"-, 0.020",)"
        R"("upstream_seconds":"0.010, 0.490"})");
    ASSERT_TRUE(record);
    EXPECT_EQ(record->upstream, "10.77.0.12:8000");
    EXPECT_EQ(record->upstream_status, 200);
    EXPECT_DOUBLE_EQ(record->upstream_seconds, 0.49);
    EXPECT_EQ(to_ns(record->end), 1795323298512000000);
    EXPECT_FALSE(parse_access_line("127.0.0.1 - - \"GET /\""));
    EXPECT_FALSE(parse_access_line(R"({"time":5})"));
}

TEST(OtlpLines, AreWhatTheCollectorsFileExporterWrites) {
    EXPECT_EQ(otlp_log_line({.time_ns = 1700000000000000001,
                             .container = "ray-head",
                             .file = "gcs.log",
                             .text = "bad \xff byte"}),
              R"({"resourceLogs":[{"resource":{"attributes":[{"key":"k8s.pod.name","value":)"
              R"({"stringValue":"ray-head"}},{"key":"log.file.name","value":{"stringValue":)"
              R"("gcs.log"}}]},"scopeLogs":[{"logRecords":[{"body":{"stringValue":)"
              "\"bad \xEF\xBF\xBD byte\"},"
              R"("timeUnixNano":"1700000000000000001"}]}]}]})");
    const std::string span = otlp_proxy_span_line({.end = time_from_ns(1700000002000000000),
                                                   .seconds = 1.5,
                                                   .status = 502,
                                                   .method = "POST",
                                                   .uri = "/v1/completions",
                                                   .trace_id = "0123456789abcdef0123456789abcdef",
                                                   .span_id = "0123456789abcdef"});
    for (const char* part :
         {R"("startTimeUnixNano":"1700000000500000000")",
          R"("endTimeUnixNano":"1700000002000000000")", R"("spanId":"0123456789abcdef")",
          R"("scopeSpans":[{"spans":[{"attributes":[{"key":)", R"("status":{"code":2})",
          R"({"intValue":"502"})",
          R"("resourceSpans":[{"resource":{"attributes":[{"key":"service.name")"})
        EXPECT_THAT(span, HasSubstr(part));
}

TEST(LogFollower, GivesEachWholeLineOnce) {
    const TemporaryFolder folder;
    folder.write("a.log", "one\ntwo\nthr");
    LogFollower follower;
    follower.add(folder / "a.log");
    std::vector<std::string> lines;
    const auto collect = [&](const std::string&, std::string_view line) {
        lines.emplace_back(line);
    };
    follower.poll(collect);
    EXPECT_THAT(lines, ElementsAre("one", "two"));
    std::ofstream(folder / "a.log", std::ios::app) << "ee\n";
    follower.poll(collect);
    EXPECT_THAT(lines, ElementsAre("one", "two", "three"));
    folder.write("a.log", "new\n");
    follower.poll(collect);
    EXPECT_EQ(lines.back(), "new") << "a truncated file is read from its start";
}

RecordedSeries series_of(std::vector<double> time, std::vector<double> value, std::string le = {}) {
    RecordedSeries series{
        .labels = {{"__name__", "x"}}, .time_s = std::move(time), .value = std::move(value)};
    if (!le.empty()) series.labels["le"] = le;
    return series;
}

TEST(RecordedSeries, RatesSurviveRestartsAndGaps) {
    const Grid grid{.begin_s = 10, .step_s = 5, .size = 6};  // 10, 15, ... 35
    const auto counter = series_of({5, 10, 15, 20}, {100, 110, 5, 15});
    const auto rate = rates(counter, grid, 5);
    EXPECT_DOUBLE_EQ(rate[0], 2);
    EXPECT_DOUBLE_EQ(rate[1], 1) << "a fall is a restart from zero";
    EXPECT_DOUBLE_EQ(rate[2], 2);
    EXPECT_TRUE(std::isnan(rate[5])) << "nothing is invented after the last sample";
    const auto gauge = last_values(counter, grid, 6);
    EXPECT_DOUBLE_EQ(gauge[1], 5);
    EXPECT_TRUE(std::isnan(gauge[4]));
}

TEST(RecordedSeries, QuantilesAreThoseOfPromQl) {
    const Grid grid{.begin_s = 10, .step_s = 5, .size = 1};
    const auto low = series_of({0, 10}, {0, 6}, "1");
    const auto middle = series_of({0, 10}, {0, 9}, "2");
    const auto all = series_of({0, 10}, {0, 10}, "+Inf");
    EXPECT_DOUBLE_EQ(histogram_quantiles({&low, &middle, &all}, grid, 10, 0.75)[0], 1.5);
    EXPECT_DOUBLE_EQ(histogram_quantiles({&low, &middle, &all}, grid, 10, 0.99)[0], 2);
}

TEST(RecordedSeries, ReadsPrometheusAndRefusesItsErrors) {
    const auto series = parse_series(
        R"({"status":"success","data":{"resultType":"matrix","result":[)"
        R"({"metric":{"__name__":"up","pod":"a"},"values":[[1.5,"1"],[6.5,"NaN"]]}]}})");
    ASSERT_TRUE(series) << series.error().message;
    ASSERT_EQ(series->size(), 1u);
    EXPECT_EQ(series->at(0).label("pod"), "a");
    EXPECT_TRUE(std::isnan(series->at(0).value[1]));
    EXPECT_FALSE(parse_series(R"({"status":"error","error":"no"})"));
    EXPECT_FALSE(parse_series("<html>"));
}

TEST(Exposition, EscapesLabels) {
    Exposition text;
    text.family("x_total", "counter", "things");
    text.sample({{"path", "a\"b\\c"}}, 2.5);
    EXPECT_EQ(text.text(),
              "# HELP x_total things\n# TYPE x_total counter\nx_total{path=\"a\\\"b\\\\c\"} 2.5\n");
}

TEST(ExperimentPlan, CrossesTargetsAndValuesAndFixesTheSplit) {
    const std::string text = R"(
name: quick
seed: 7
fault: 30
cases:
- {kind: cpu_quota, targets: [ray-replicas-0, ray-replicas-1], cores: [0.1, 0.3], repetitions: 2}
- {kind: none, repetitions: 3}
- kind: gpu_power_cap
  targets: [ray-replicas-2]
  decoy: 12
  with: {kind: disk_io, target: ray-head}
)";
    const auto plan = parse_experiment(text);
    ASSERT_TRUE(plan) << plan.error().message;
    EXPECT_EQ(plan->cases.size(), 8u + 3u + 1u);
    int tests = 0;
    for (const auto& planned : plan->cases) {
        tests += planned.split == "test" ? 1 : 0;
        EXPECT_DOUBLE_EQ(planned.faults.front().duration_seconds, 30) << planned.id;
    }
    // Eight, three and one case of a kind: pairs are split evenly, the odd ones by chance.
    EXPECT_GE(tests, 4 + 1);
    EXPECT_LE(tests, 4 + 2 + 1);
    const auto again = parse_experiment(text);
    for (std::size_t i = 0; i < plan->cases.size(); ++i) {
        EXPECT_EQ(plan->cases[i].id, again->cases[i].id);
        EXPECT_EQ(plan->cases[i].split, again->cases[i].split);
    }
    const auto double_fault = std::ranges::find_if(
        plan->cases, [](const PlannedCase& planned) { return planned.faults.size() == 3; });
    ASSERT_NE(double_fault, plan->cases.end());
    EXPECT_EQ(double_fault->id, "ray-replicas-2_gpu_power_cap+disk_io/1");
    EXPECT_DOUBLE_EQ(double_fault->faults[2].start_seconds, -12);
    const auto bad = parse_experiment("cases:\n- {kind: cpu_quota, targets: [a], watts: 3}");
    ASSERT_FALSE(bad);
    EXPECT_THAT(bad.error().message, HasSubstr("line 2"));
}

TEST(ExperimentPlan, SpreadsEachKindAndTakesARowsOwnDuration) {
    const auto plan = parse_experiment(R"(
window: 4
cases:
- {kind: none, repetitions: 40}
- {kind: gpu_thermal, targets: [ray-replicas-0], repetitions: 4, fault: 90}
- kind: kv_pressure
  targets: [ray-replicas-0]
  with: {kind: gpu_power_cap, target: ray-replicas-1, watts: 99}
)");
    ASSERT_TRUE(plan) << plan.error().message;
    EXPECT_DOUBLE_EQ(plan->window_seconds, 4);
    std::vector<std::size_t> thermal;
    for (std::size_t i = 0; i < plan->cases.size(); ++i) {
        const auto& planned = plan->cases[i];
        if (planned.faults.front().kind->name == "gpu_thermal") {
            thermal.push_back(i);
            EXPECT_DOUBLE_EQ(planned.fault_seconds, 90);
        }
        if (planned.faults.size() == 2) {
            EXPECT_DOUBLE_EQ(planned.faults[1].parameter("watts"), 99);
        }
    }
    ASSERT_EQ(thermal.size(), 4u);
    for (std::size_t i = 0; i < 4; ++i) {  // one in each quarter of the order
        EXPECT_GE(thermal[i], i * 45 / 4);
        EXPECT_LE(thermal[i], (i + 1) * 45 / 4 + 1);
    }
}

TEST(ExperimentPlan, TheShippedPlansAreGood) {
    std::size_t plans = 0;
    for (const auto& entry :
         fs::directory_iterator(fs::path(CULPRIT_SOURCE_DIR) / "testbed/plans")) {
        const auto plan = parse_experiment(read_text_file(entry.path()).value_or(""));
        ASSERT_TRUE(plan) << entry.path() << ": " << plan.error().message;
        std::set<std::string> ids;
        for (const auto& planned : plan->cases) EXPECT_TRUE(ids.insert(planned.id).second);
        ++plans;
    }
    EXPECT_GE(plans, 4u);
    // What the recorded dataset promises.
    const auto whole = parse_experiment(
        read_text_file(CULPRIT_SOURCE_DIR "/testbed/plans/llm-testbed.yaml").value_or(""));
    std::set<std::string_view> kinds;
    std::size_t broken = 0;
    for (const auto& planned : whole->cases) {
        const bool breaks = std::ranges::any_of(
            planned.faults, [](const auto& fault) { return fault.kind->breaks_component; });
        broken += breaks ? 1 : 0;
        for (const auto& fault : planned.faults)
            if (fault.kind->breaks_component) kinds.insert(fault.kind->name);
    }
    EXPECT_GE(kinds.size(), 20u);
    EXPECT_GE(broken, 200u);
    EXPECT_GE(whole->cases.size() - broken, 40u);
}

TEST(UserImpact, CountsSlowAndFailedRequestsAgainstTheBaseline) {
    // Of the 10 draws all 3 hits: C(10,3)/C(20,3) = 120/1140.
    EXPECT_NEAR(more_frequent_p_value(3, 10, 0, 10), 120.0 / 1140, 1e-12);
    EXPECT_NEAR(more_frequent_p_value(0, 10, 3, 10), 1, 1e-12);
    RecordingRequest request{.alert = time_from_seconds(100)};
    request.faults.push_back({.removed = time_from_seconds(130)});
    const auto add = [&](double sent, double first_token_s) {
        request.clients.push_back({.sent = time_from_seconds(sent),
                                   .received_tokens = 9,
                                   .first_token_s = first_token_s,
                                   .token_gap_mean_s = 0.02});
    };
    for (int i = 0; i < 90; ++i) add(10 + i, 0.1);
    for (int i = 0; i < 60; ++i) add(100.5 + 0.4 * i, i < 4 ? 0.3 : 0.1);
    EXPECT_FALSE(user_impact(request).measurable) << "4 of 60 may be chance: p = 0.02";
    for (int i = 0; i < 6; ++i) add(125 + 0.4 * i, 0.3);
    const auto impact = user_impact(request);
    EXPECT_TRUE(impact.measurable);
    EXPECT_LT(impact.first_token_p_value, 0.01);
    EXPECT_DOUBLE_EQ(impact.token_gap_p_value, 1);
}

TEST(ChildProcess, TellsWhyAProgramDidNotStart) {
    const auto missing = spawn({.arguments = {"/no/such/program"}});
    ASSERT_FALSE(missing);
    EXPECT_THAT(missing.error().message, HasSubstr("No such file"));
    const auto output = run_command({"/bin/sh", "-c", "cat; echo two >&2; exit 3"}, 10, "one ");
    ASSERT_TRUE(output) << output.error().message;
    EXPECT_EQ(output->exit_code, 3);
    EXPECT_EQ(output->text, "one two\n");
    const auto endless = run_command({"/bin/sleep", "60"}, 0.2);
    ASSERT_FALSE(endless);
    EXPECT_EQ(endless.error().code, ErrorCode::deadline_exceeded);
}

TEST(Settings, NamesAreSafeForPathsAndNamespaces) {
    EXPECT_TRUE(check_name("second-1"));
    for (const char* bad : {"", "a/b", "A", "a b", "abcdefghijklmnopqrstuvwxyz"})
        EXPECT_FALSE(check_name(bad)) << bad;
    const Settings settings{.replicas = 2};
    EXPECT_EQ(settings.components().size(), 4u);
    EXPECT_EQ(settings.address_of("ray-replicas-1"), "10.77.0.12");
    EXPECT_FALSE(settings.component("ray-replicas-2"));
}

TEST(NetworkHistory, NeverFallsWhenADeviceComesAndGoes) {
    NetworkHistory history;
    EXPECT_EQ(history.total("a", {{"eth0", {100.0}}})[0], 100.0);
    EXPECT_EQ(history.total("a", {{"eth0", {110.0}}, {"wire0", {5.0}}})[0], 115.0);
    EXPECT_EQ(history.total("a", {{"eth0", {110.0}}, {"wire0", {45.0}}})[0], 155.0);
    EXPECT_EQ(history.total("a", {{"eth0", {120.0}}})[0], 165.0);
    EXPECT_EQ(history.total("a", {})[0], 165.0) << "nobody there to ask";
    EXPECT_EQ(history.total("a", {{"eth0", {120.0}}, {"wire0", {1.0}}})[0], 166.0);
    EXPECT_EQ(history.total("a", {{"eth0", {2.0}}, {"wire0", {1.0}}})[0], 168.0) << "a new device";
    EXPECT_EQ(history.total("b", {{"eth0", {7.0}}})[0], 7.0);
}

}  // namespace
}  // namespace culprit::testbed
