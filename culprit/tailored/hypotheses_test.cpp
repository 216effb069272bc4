#include "culprit/tailored/hypotheses.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>

#include "culprit/base/random.h"
#include "culprit/tailored/culprit_method.h"

namespace culprit::tailored {
namespace {

/// Replicas (four) with ITL, running, SM clock, power, CPU; arrivals at a proxy. `change` gets the
/// replica, the metric and whether the fault lasts, and returns a factor.
template <class Change>
Incident made(Change change, double load_after = 1.0, int num_replicas = 4) {
    Random random(11);
    std::vector<TimePoint> times;
    times.reserve(72);
    for (int r = 0; r < 72; ++r) times.push_back(time_from_seconds(1.7e9 + 5 * r));
    struct Series {
        const char* name;
        double level;
    };
    const std::vector<Series> series = {{"vllm:num_requests_running", 20},
                                        {"vllm:kv_cache_usage_perc", 0.3},
                                        {"DCGM_FI_DEV_SM_CLOCK", 1980},
                                        {"DCGM_FI_DEV_POWER_USAGE", 500},
                                        {"DCGM_FI_DEV_GPU_TEMP", 65},
                                        {"node_load1", 2},
                                        {"container_memory_working_set_bytes", 6e9}};
    std::vector<Column> columns = {{.name = "edge_nginx_http_requests_total",
                                    .service = "edge",
                                    .metric = "nginx_http_requests_total"}};
    for (int i = 0; i < num_replicas; ++i)
        for (const Series& s : series)
            columns.push_back({.name = "r" + std::to_string(i) + "_" + s.name,
                               .service = "r" + std::to_string(i),
                               .metric = s.name});
    Matrix values(times.size(), columns.size());
    double total = 0.0;
    for (std::size_t t = 0; t < times.size(); ++t) {
        const bool after = t >= 57;
        total += 25.0 * (after ? load_after : 1.0) + random.normal();
        values(t, 0) = std::floor(total);
        for (std::size_t c = 1; c < columns.size(); ++c) {
            const std::size_t replica = (c - 1) / series.size();
            const Series& s = series[(c - 1) % series.size()];
            values(t, c) = s.level * (1.0 + 0.02 * random.normal()) *
                           (after ? change(replica, std::string(s.name)) : 1.0);
        }
    }
    Incident incident;
    incident.metrics = *Frame::make(times, std::move(columns), std::move(values));
    incident.alert = times[57];
    incident.baseline = {times.front(), times[57]};
    incident.suspect = {times[57], times.back() + Duration(1)};
    return incident;
}

Diagnosis diagnose(const Incident& incident) {
    auto diagnosis = run_method(*make_culprit(), incident, {});
    EXPECT_TRUE(diagnosis);
    return *diagnosis;
}

TEST(Culprit, TellsAPowerProblemFromHeatBySiblingsAndDirection) {
    const auto capped = diagnose(made([](std::size_t r, const std::string& m) {
        if (r != 2) return 1.0;
        if (m == "DCGM_FI_DEV_SM_CLOCK") return 0.6;
        if (m == "DCGM_FI_DEV_POWER_USAGE") return 0.5;
        if (m == "DCGM_FI_DEV_GPU_TEMP") return 0.85;
        return m == "vllm:num_requests_running" ? 1.6 : 1.0;
    }));
    ASSERT_FALSE(capped.findings.empty());
    EXPECT_EQ(capped.findings[0].component, "r2");
    EXPECT_TRUE(capped.findings[0].fault == "gpu_power_cap" ||
                capped.findings[0].fault == "clock_lock");
    EXPECT_FALSE(capped.findings[0].chain.empty());
    EXPECT_FALSE(capped.findings[0].advice.empty());
    EXPECT_EQ(capped.ranking.suspects()[0].service, "r2");
    const bool limit_missing = std::ranges::any_of(capped.blind_spots, [](const std::string& s) {
        return s.find("POWER_LIMIT") != std::string::npos;
    });
    EXPECT_TRUE(limit_missing);

    const auto hot = diagnose(made([](std::size_t r, const std::string& m) {
        if (r != 1) return 1.0;
        if (m == "DCGM_FI_DEV_SM_CLOCK") return 0.6;
        if (m == "DCGM_FI_DEV_GPU_TEMP") return 1.4;
        return m == "vllm:num_requests_running" ? 1.6 : 1.0;
    }));
    EXPECT_EQ(hot.findings[0].component, "r1");
    EXPECT_EQ(hot.findings[0].fault, "gpu_thermal");
}

TEST(Culprit, ABurstBlamesNobodyAndQuietIsQuiet) {
    const auto burst = diagnose(made(
        [](std::size_t, const std::string& m) {
            if (m.starts_with("vllm:")) return 2.2;
            return m == "DCGM_FI_DEV_POWER_USAGE" ? 1.2 : 1.0;
        },
        2.2));
    EXPECT_EQ(burst.findings[0].component, "");
    EXPECT_EQ(burst.findings[0].fault, "traffic_burst");
    const auto quiet = diagnose(made([](std::size_t, const std::string&) { return 1.0; }));
    EXPECT_EQ(quiet.findings[0].fault, "nothing");
    double sum = 0.0;
    for (const Finding& f : quiet.findings) sum += f.probability;
    EXPECT_LE(sum, 1.0 + 1e-9);
}

TEST(Culprit, SiblingsThatTakeOverTheLoadOfADeadReplicaAreNoBurst) {
    const Diagnosis diagnosis = diagnose(made([](std::size_t replica, const std::string& metric) {
        if (metric == "vllm:num_requests_running" || metric == "vllm:kv_cache_usage_perc")
            return replica == 2 ? 0.0 : 2.2;
        if (metric == "DCGM_FI_DEV_POWER_USAGE") return replica == 2 ? 0.15 : 1.1;
        return replica == 2 && metric == "container_memory_working_set_bytes" ? 0.2 : 1.0;
    }));
    EXPECT_EQ(diagnosis.findings.front().component, "r2") << diagnosis.findings.front().fault;
}

double probability_of(const Diagnosis& diagnosis, const std::string& service) {
    for (const Suspect& s : diagnosis.ranking.suspects())
        if (s.service == service) return s.score;
    return 0.0;
}

TEST(Culprit, AFaultUnderAChangedLoadIsStillThisComponents) {
    const Diagnosis diagnosis = diagnose(made(
        [](std::size_t r, const std::string& m) {
            if (r == 2 && m == "DCGM_FI_DEV_SM_CLOCK") return 0.5;
            if (r == 2 && m == "DCGM_FI_DEV_GPU_TEMP") return 1.4;
            if (m.starts_with("vllm:")) return r == 2 ? 4.0 : 2.2;
            return m == "DCGM_FI_DEV_POWER_USAGE" ? 1.2 : 1.0;
        },
        2.2));
    EXPECT_EQ(diagnosis.findings[0].component, "r2") << diagnosis.findings[0].fault;
    EXPECT_NE(diagnosis.findings[0].beside.find("load changed"), std::string::npos)
        << diagnosis.findings[0].beside;
    EXPECT_LT(diagnosis.nobody, 0.5);
}

TEST(Culprit, TwoComponentsBrokenAtOnceAreBothSeen) {
    const Diagnosis diagnosis = diagnose(made([](std::size_t r, const std::string& m) {
        if (r == 0 && m == "DCGM_FI_DEV_SM_CLOCK") return 0.5;
        if (r == 0 && m == "DCGM_FI_DEV_GPU_TEMP") return 1.4;
        if (r == 3 && m.starts_with("vllm:")) return 0.0;
        if (r == 3 && m == "DCGM_FI_DEV_POWER_USAGE") return 0.15;
        return r == 3 && m == "container_memory_working_set_bytes" ? 0.2 : 1.0;
    }));
    EXPECT_GT(probability_of(diagnosis, "r0"), 0.5);
    EXPECT_GT(probability_of(diagnosis, "r3"), 0.5);
    EXPECT_LT(probability_of(diagnosis, "r1"), 0.1);
    EXPECT_NE(diagnosis.findings[0].beside.find("broken as well"), std::string::npos);
    EXPECT_NE(diagnosis.notes.back().find("add to more than 100 %"), std::string::npos);
}

/// One fault that looks like several others at r0, a plain one at r3: by single hypotheses r3 may
/// come first where r0 is more likely broken.
TEST(Culprit, TellsFirstOfTheComponentThatRanksFirst) {
    for (const double clock : {0.9, 0.8, 0.7, 0.5})
        for (const double memory : {1.05, 1.1, 1.15, 1.2, 1.3, 1.6}) {
            const Diagnosis diagnosis = diagnose(made([&](std::size_t r, const std::string& m) {
                if (r == 0 && m == "DCGM_FI_DEV_SM_CLOCK") return clock;
                if (r == 3 && m == "container_memory_working_set_bytes") return memory;
                return 1.0;
            }));
            const Finding& first = diagnosis.findings.front();
            const Suspect& suspect = diagnosis.ranking.suspects().front();
            const bool nobody = diagnosis.nobody >= 0.4 && diagnosis.nobody > suspect.score;
            EXPECT_EQ(first.component, nobody ? "" : suspect.service) << clock << " " << memory;
            for (const Finding& finding : diagnosis.findings)
                EXPECT_TRUE(finding.component != first.component ||
                            finding.probability <= first.probability);
        }
}

TEST(Culprit, OfTwoReplicasTheOneThatMovedIsBlamedAndABurstBlamesNeither) {
    const auto hot = [](std::size_t r, const std::string& m) {
        if (r != 1) return 1.0;
        if (m == "DCGM_FI_DEV_SM_CLOCK") return 0.6;
        if (m == "DCGM_FI_DEV_GPU_TEMP") return 1.4;
        return m == "vllm:num_requests_running" ? 1.6 : 1.0;
    };
    const Diagnosis one = diagnose(made(hot, 1.0, 2));
    EXPECT_EQ(one.findings[0].component, "r1");
    EXPECT_EQ(one.findings[0].fault, "gpu_thermal");
    const Diagnosis both = diagnose(made(
        [](std::size_t, const std::string& m) {
            if (m.starts_with("vllm:")) return 2.2;
            return m == "DCGM_FI_DEV_POWER_USAGE" ? 1.2 : 1.0;
        },
        2.2, 2));
    EXPECT_EQ(both.findings[0].component, "");
}

TEST(Culprit, FindsTheComponentOfAFaultThatNobodyDescribed) {
    const Incident incident = made([](std::size_t r, const std::string& m) {
        if (r != 3) return 1.0;
        if (m == "DCGM_FI_DEV_SM_CLOCK") return 0.5;
        if (m == "DCGM_FI_DEV_GPU_TEMP") return 1.5;
        return m == "vllm:num_requests_running" ? 0.3 : 1.0;
    });
    const Windows windows = windows_of(incident);
    const auto seen = observe(*features_of(incident, Catalogue::builtin(), {}, 1), incident.metrics,
                              windows, {}, 1);
    const FaultLibrary none;
    const auto hypotheses = weigh(*seen, incident, windows, none, {});
    EXPECT_EQ(hypotheses[0].kind, HypothesisKind::unknown);
    EXPECT_EQ(hypotheses[0].component, "r3");
}

/// Weighs single observations, in deviations, as if they were all that is known.
struct Told {
    std::string service;
    std::string signal;
    double own = 0.0;
    double relative = 0.0;
};

std::vector<Hypothesis> weigh_told(const std::vector<Told>& all, const PeerGroup& group = {}) {
    Observations seen;
    for (const Told& told : all) {
        Observation o{.feature = seen.features.size(), .own = told.own, .relative = told.relative};
        o.extreme = std::abs(told.own) >= 20.0 ? 1.0 : 0.0;
        seen.features.push_back({.service = told.service, .signal = told.signal});
        seen.of[told.service].push_back(o);
    }
    if (!group.services.empty()) {
        seen.groups.push_back(group);
        for (const std::string& service : group.services) seen.group_of[service] = 0;
    }
    return weigh(seen, Incident{}, Windows{}, FaultLibrary::builtin(), {});
}

const Hypothesis& best_of(const std::vector<Hypothesis>& all, std::string_view component) {
    return *std::ranges::find(all, component, &Hypothesis::component);
}

TEST(Weigh, AProxyThatWaitsAndFailsWithItsEngineIsNotBroken) {
    const auto all = weigh_told({{"edge", "proxy.requests", 0, 0},
                                 {"edge", "istio_request_duration_milliseconds", 40, 40},
                                 {"edge", "ray_serve_num_http_error_requests_total", 40, 40},
                                 {"e", "engine.generation_tokens", -20, -20},
                                 {"e", "engine.completed", -20, -20},
                                 {"e", "engine.prompt_tokens", -20, -20},
                                 {"e", "engine.waiting", 30, 30},
                                 {"e", "gpu.power", -8, -8}});
    EXPECT_EQ(all.front().component, "e");
    EXPECT_EQ(all.front().fault->id, "engine_hang");
    EXPECT_GT(all.front().probability, 0.5);
}

TEST(Weigh, WhoGetsNoRequestsHasNotMoreOfThemInWork) {
    std::vector<Told> told = {{"edge", "proxy.requests", 0, 0}};
    for (const char* signal : {"engine.prompt_tokens", "engine.completed",
                               "engine.generation_tokens", "engine.prefix_queries"})
        told.push_back({"e1", signal, -20, -20});
    const PeerGroup group{.services = {"e1", "e2", "e3"}, .common = {}};
    told.push_back({"e1", "engine.running", -6, -6});
    const auto idle = weigh_told(told, group);
    told.back() = {"e1", "engine.running", 6, 6};
    const auto stuck = weigh_told(told, group);
    const auto lost = [](const std::vector<Hypothesis>& all) {
        double p = 0.0;
        for (const Hypothesis& h : all)
            if (h.fault != nullptr && h.fault->id == "upstream_lost") p += h.probability;
        return p;
    };
    EXPECT_GT(lost(idle), 0.1);
    EXPECT_LT(lost(stuck), 0.02);
}

TEST(Weigh, LongerPromptsConvictNobody) {
    const auto all = weigh_told({{"edge", "proxy.requests", 0, 0},
                                 {"e", "engine.prompt_length", 30, 30},
                                 {"e", "engine.prompt_tokens", 20, 20},
                                 {"e", "engine.prefill_time", 20, 20},
                                 {"e", "engine.ttft", 20, 20},
                                 {"e", "engine.generation_tokens", 0, 0}});
    EXPECT_EQ(all.front().component, "");
    EXPECT_EQ(all.front().fault->id, "long_prompts");
}

TEST(Weigh, OneEngineCannotBeSentMoreThanItsShare) {
    const auto all = weigh_told({{"edge", "proxy.requests", 10, 10},
                                 {"e", "engine.prompt_tokens", 10, 10},
                                 {"e", "engine.running", 20, 20}});
    for (const Hypothesis& h : all)
        EXPECT_FALSE(h.fault != nullptr && h.fault->id == "router_imbalance");
}

TEST(Weigh, WhoIsCalledAGatewayIsNoEngineWhateverItExports) {
    const auto all = weigh_told({{"llm-gateway", "engine.ttft", 20, 20},
                                 {"llm-gateway", "engine.generation_tokens", -5, -5},
                                 {"vllm", "engine.generation_tokens", 0, 0},
                                 {"vllm", "engine.ttft", 0, 0}});
    for (const Hypothesis& h : all)
        if (h.fault != nullptr && h.component == "llm-gateway") {
            EXPECT_NE(h.fault->component, "engine") << h.fault->id;
        }
    EXPECT_GT(best_of(all, "llm-gateway").probability, 0.2);
}

TEST(Weigh, AJobByTheClockIsLessOfAFaultThanProcessesThatWait) {
    const auto somebody = [](const char* signal) {
        return 1.0 - best_of(weigh_told({{"host", signal, 4, 4},
                                         {"host", "engine.ttft", 0, 0},
                                         {"host", "engine.itl", 0, 0}}),
                             "")
                         .probability;
    };
    EXPECT_LT(somebody("node_cpu_seconds_total") + 0.1,
              somebody("node_pressure_cpu_waiting_seconds_total"));
}

TEST(MatchLogs, CountsBeforeAndAfterAndNeedsTheLiteral) {
    Incident incident = made([](std::size_t, const std::string&) { return 1.0; });
    auto logs = std::make_shared<LogTable>();
    for (int i = 0; i < 50; ++i)
        logs->add(incident.baseline.begin + std::chrono::seconds(4 * i), "r0", "INFO all is well");
    logs->add(incident.alert + std::chrono::seconds(4), "r0",
              "NVRM: Xid (PCI:0000:65:00): 79, pid=1, GPU has fallen off the bus.");
    incident.logs = logs;
    const FaultLibrary& library = FaultLibrary::builtin();
    const LogMatches matches = match_logs(incident, windows_of(incident), library);
    ASSERT_EQ(matches.size(), 1U);
    for (const LogPattern& pattern : library.find("gpu_off_bus")->logs)
        if (pattern.pattern.find("79") != std::string::npos) {
            EXPECT_EQ(matches.at("r0").at(&pattern).after, 1.0);
        }
}

TEST(Experience, ConfirmedIncidentsMoveTheAnswerTowardsWhatWasSeenHere) {
    // A fault file that expects the wrong thing: here the memory falls, not the clock.
    const auto wrong = FaultLibrary::parse(R"({"id": "odd", "name": "Odd", "family": "odd",
        "layer": "model", "component": "engine", "scope": "one", "prior": 1, "changes": [],
        "decided_by": [], "logs": [], "remedies": [{"do": "mend"}], "signals": [
        {"signal": "gpu.sm_clock", "direction": "up", "order": 1, "weight": 3},
        {"signal": "container_memory_working_set_bytes", "direction": "flat", "order": 0,
         "weight": 3}]})",
                                           "odd.json");
    ASSERT_TRUE(wrong) << wrong.error().message;
    const FaultLibrary library = FaultLibrary::of({*wrong});
    const Incident incident = made([](std::size_t replica, const std::string& metric) {
        return replica == 1 && metric == "container_memory_working_set_bytes" ? 0.3 : 1.0;
    });
    const auto probability = [&](const Experience& experience) {
        const auto diagnosis = run_method(*make_culprit(library, experience), incident, {});
        double p = 0.0;
        for (const Finding& f : diagnosis->findings)
            if (f.fault == "odd" && f.component == "r1") p += f.probability;
        return p;
    };
    Experience experience;
    const double before = probability(experience);
    const auto confirmed = confirm(incident, "first", "r1", "odd", library);
    ASSERT_TRUE(confirmed) << confirmed.error().message;
    for (int i = 0; i < 5; ++i) experience.add(*confirmed);
    EXPECT_GT(probability(experience), before + 0.2);
    EXPECT_FALSE(confirm(incident, "x", "r1", "no such fault", library));
    EXPECT_FALSE(confirm(incident, "x", "nobody", "odd", library));

    const std::string line = Experience::to_json_line(*confirmed);
    const auto path = std::filesystem::temp_directory_path() / "culprit_experience_test.jsonl";
    std::ofstream(path) << line << line << "{\"name\": 1}\n";
    const auto broken = Experience::read(path.string());
    ASSERT_FALSE(broken);
    EXPECT_NE(broken.error().message.find(":3:"), std::string::npos) << broken.error().message;
    std::ofstream(path) << line;
    const auto again = Experience::read(path.string());
    ASSERT_TRUE(again);
    EXPECT_EQ(Experience::to_json_line(again->front()), line);
    std::filesystem::remove(path);
}

}  // namespace
}  // namespace culprit::tailored
