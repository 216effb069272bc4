#include "culprit/testbed/experiment.h"

#include <fmt/format.h>
#include <httplib.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "culprit/base/clock.h"
#include "culprit/base/duration.h"
#include "culprit/base/random.h"
#include "culprit/testbed/accelerator.h"
#include "culprit/testbed/cgroup.h"
#include "culprit/testbed/child_process.h"
#include "culprit/testbed/load_generator.h"
#include "culprit/testbed/local_injector.h"
#include "culprit/testbed/recorder.h"

namespace culprit::testbed {
namespace {

namespace fs = std::filesystem;

TimePoint earlier(TimePoint time, double seconds) { return time - duration_from_seconds(seconds); }

std::vector<Arrival> background_arrivals(const BackgroundLoad& load, double seconds,
                                         std::uint64_t seed) {
    constexpr double chunk_seconds = 20;
    Random random(derive_seed(seed, "background rate"));
    std::vector<Arrival> all;
    for (double begin = 0; begin < seconds; begin += chunk_seconds) {
        const double factor = 1 + load.wander * (2 * random.uniform() - 1);
        const auto chunk = make_arrivals(
            {.process = load.constant ? ArrivalProcess::constant : ArrivalProcess::poisson,
             .rate_per_s = load.rate_per_s * factor,
             .duration_s = chunk_seconds,
             .prompt_tokens = load.prompt_tokens,
             .output_tokens = load.output_tokens,
             .length_spread = load.length_spread,
             .seed = random.next()});
        if (!chunk) continue;
        for (auto arrival : *chunk) {
            arrival.time_s += begin;
            all.push_back(arrival);
        }
    }
    return all;
}

/// Load generators on threads of their own; what their clients saw, in one list.
class Clients {
public:
    Clients(const Settings& settings, const BackgroundLoad& load, std::uint64_t seed,
            const std::function<bool()>& stop)
        : load_(load), seed_(seed), stop_(stop) {
        options_.address = settings.address_of("nginx-proxy");
        options_.port = Settings::proxy_port;
        options_.model = Settings::model_name;
        options_.shared_prefix_tokens = load.shared_prefix_tokens;
        options_.unique_prefix_now = &unique_prefix_;
        options_.timeout_s = 30;
        options_.on_record = [this](const RequestRecord& record) {
            const std::lock_guard lock(mutex_);
            records_.push_back(record);
        };
    }
    Clients(const Clients&) = delete;
    Clients& operator=(const Clients&) = delete;
    ~Clients() {
        stop_all_ = true;
        stop_extra_ = true;
    }

    void start_background(double seconds) {
        auto options = options_;
        options.seed = seed_;
        background_ =
            std::jthread([this, options, arrivals = background_arrivals(load_, seconds, seed_)] {
                static_cast<void>(
                    run_load(arrivals, options, [this] { return stop_all_.load() || stop_(); }));
            });
    }

    // The traffic's part of a fault.
    void start_fault(const FaultSpec& fault, std::uint64_t seed) {
        const auto kind = fault.kind->name;
        if (kind == "prefix_miss") unique_prefix_ = true;
        SyntheticLoad extra{.duration_s = fault.duration_seconds,
                            .prompt_tokens = load_.prompt_tokens,
                            .output_tokens = load_.output_tokens,
                            .length_spread = load_.length_spread,
                            .seed = seed};
        if (kind == "traffic_burst") {
            extra.rate_per_s = load_.rate_per_s * (fault.parameter("factor") - 1);
        } else if (kind == "long_prompts") {
            extra.rate_per_s = fault.parameter("rate");
            extra.prompt_tokens = static_cast<int>(fault.parameter("tokens"));
        } else if (kind == "long_answers") {
            extra.rate_per_s = fault.parameter("rate");
            extra.output_tokens = static_cast<int>(fault.parameter("tokens"));
        } else {
            return;
        }
        stop_extra_ = false;
        extra_.emplace_back([this, extra, options = options_]() mutable {
            options.seed = extra.seed;
            if (const auto arrivals = make_arrivals(extra))
                static_cast<void>(
                    run_load(*arrivals, options, [this] { return stop_extra_.load() || stop_(); }));
        });
    }

    void end_faults() {
        unique_prefix_ = false;
        stop_extra_ = true;
        extra_.clear();
    }

    std::vector<RequestRecord> records_in(TimeRange range) {
        const std::lock_guard lock(mutex_);
        std::vector<RequestRecord> found;
        for (const auto& record : records_)
            if (range.contains(record.sent)) found.push_back(record);
        std::ranges::stable_sort(found, {}, &RequestRecord::sent);
        return found;
    }

private:
    BackgroundLoad load_;
    std::uint64_t seed_;
    const std::function<bool()>& stop_;
    LoadOptions options_;
    std::atomic<bool> unique_prefix_ = false;
    std::atomic<bool> stop_all_ = false;
    std::atomic<bool> stop_extra_ = false;
    std::mutex mutex_;
    std::vector<RequestRecord> records_;
    std::jthread background_;
    std::vector<std::jthread> extra_;
};

Status write_split(const ExperimentPlan& plan, const std::string& folder) {
    const auto path = folder + "/split.json";
    nlohmann::ordered_json json{{"name", plan.name}, {"seed", plan.seed}};
    auto cases = plan.cases;
    std::ranges::sort(cases, {}, &PlannedCase::id);
    for (const auto& planned : cases) json["cases"][planned.id] = planned.split;
    const auto text = json.dump(1) + "\n";
    if (const auto existing = read_text_file(path); existing && *existing != text)
        return fail(ErrorCode::invalid_input,
                    fmt::format("{} was frozen by another plan; use another folder", path));
    return write_text_file_atomically(path, text);
}

// One line per file below the dataset's folder, in order, as `sha256sum --check` reads it.
Status write_checksums(const std::string& folder) {
    const char* script =
        "cd \"$1\" && find . -type f ! -name checksums.txt ! -path '*/.*' -printf '%P\\n' |"
        " LC_ALL=C sort | xargs -r -d '\\n' sha256sum >.checksums && mv .checksums checksums.txt";
    CULPRIT_TRY(const auto output, run_command({"/bin/sh", "-c", script, "sh", folder}, 120));
    if (output.exit_code == 0) return {};
    return fail(ErrorCode::io_failure, "the checksums could not be made: " + output.text);
}

class Experiment {
public:
    Experiment(const Settings& settings, const ExperimentPlan& plan,
               const ExperimentOptions& options, const Progress& progress,
               const std::function<bool()>& stop)
        : settings_(settings),
          plan_(plan),
          options_(options),
          progress_(progress),
          stop_(stop),
          clients_(settings, plan.load,
                   derive_seed(plan.seed, fmt::format("{}", to_ns(wall_clock_now()))), stop) {}

    Status run(LocalInjector& injector) {
        std::vector<const PlannedCase*> open;
        for (const auto& planned : plan_.cases)
            if ((options_.split.empty() || planned.split == options_.split) &&
                !fs::exists(folder_of(planned)))
                open.push_back(&planned);
        const double each = plan_.settle_seconds + plan_.baseline_seconds + plan_.fault_seconds +
                            plan_.recovery_seconds + 4;
        progress_(fmt::format("{} of {} cases to record, about {:.0f} s each", open.size(),
                              plan_.cases.size(), each));
        clients_.start_background(each * static_cast<double>(open.size()) * 3 + 3600);
        CULPRIT_TRY_STATUS(pause(plan_.warmup_seconds));
        std::size_t done = 0;
        for (const auto* planned : open) {
            if (options_.seconds_max > 0 &&
                monotonic_seconds() - begin_ + each > options_.seconds_max) {
                progress_(fmt::format("time is up: {} cases left", open.size() - done));
                break;
            }
            auto status = run_case(injector, *planned);
            if (stop_()) {
                CULPRIT_TRY_STATUS(write_checksums(options_.folder));
                return fail(ErrorCode::cancelled, "stopped, or the testbed is no longer there");
            }
            ++done;
            const double elapsed = monotonic_seconds() - begin_;
            const double left =
                elapsed / static_cast<double>(done) * static_cast<double>(open.size() - done);
            progress_(fmt::format(
                "{} {:3}/{} {:4} {:<44} {}   {:.0f} min left",
                format_rfc3339(wall_clock_now()).substr(11, 8), done, open.size(), planned->split,
                planned->id, status ? last_summary_ : "not recorded: " + status.error().message,
                left / 60));
            if (unhealthy_) return status;
        }
        return write_checksums(options_.folder);
    }

private:
    std::string folder_of(const PlannedCase& planned) const {
        return fmt::format("{}/{}/{}", options_.folder, planned.split, planned.id);
    }

    Status pause(double seconds, const std::function<void()>& meanwhile = {}) {
        const double end = monotonic_seconds() + seconds;
        while (monotonic_seconds() < end) {
            if (stop_()) return fail(ErrorCode::cancelled, "stopped");
            sleep_seconds(std::min(0.25, end - monotonic_seconds()));
            if (meanwhile) meanwhile();
        }
        return {};
    }

    // Waits until the stack is as it was at the beginning, with no trace of the case before, and
    // watches it for the length of a baseline. A baseline in which clients fared badly is thrown
    // away and taken again.
    Status take_baseline(double seconds) {
        constexpr int attempts_max = 4;
        std::string problem;
        for (int attempt = 0; attempt < attempts_max; ++attempt) {
            CULPRIT_TRY_STATUS(pause(std::max(0.0, settled_at_ - monotonic_seconds())));
            auto recovered = wait_until_recovered(settings_, 300, stop_, progress_);
            if (!recovered) {
                unhealthy_ = true;
                return recovered;
            }
            from_ = telemetry_position(settings_);
            const auto begin = wall_clock_now();
            CULPRIT_TRY_STATUS(pause(seconds));
            problem = baseline_problem(clients_.records_in({begin, wall_clock_now()}), seconds);
            if (problem.empty()) return {};
            progress_("baseline thrown away: " + problem);
            settled_at_ = monotonic_seconds() + plan_.settle_seconds;
        }
        unhealthy_ = true;
        return fail(ErrorCode::unavailable,
                    fmt::format("no healthy baseline in {} attempts: {}", attempts_max, problem));
    }

    std::string baseline_problem(const std::vector<RequestRecord>& records, double seconds) const {
        constexpr double first_token_s_max = 1.5;
        const auto summary = summarise(records);
        if (static_cast<double>(summary.requests) < 0.3 * plan_.load.rate_per_s * seconds)
            return fmt::format("only {} requests came back in {:.0f} s", summary.requests, seconds);
        if (summary.failed > 0) return fmt::format("{} requests failed", summary.failed);
        if (summary.first_token_s_p95 > first_token_s_max)
            return fmt::format("95th percentile of the time to first token {:.1f} s",
                               summary.first_token_s_p95);
        return {};
    }

    Status run_case(LocalInjector& injector, const PlannedCase& planned) {
        double decoy = 0;
        for (const auto& fault : planned.faults) decoy = std::max(decoy, -fault.start_seconds);
        CULPRIT_TRY_STATUS(take_baseline(plan_.baseline_seconds - decoy));
        std::vector<FaultRecord> records;
        Status status = apply_all(injector, planned, records);
        if (status)
            status = pause(planned.fault_seconds, [&] {
                for (auto& record : records) static_cast<void>(injector.keep(record));
            });
        for (auto& record : records) {
            const auto removed = injector.remove(record);
            record.removed = wall_clock_now();
            if (!removed && status) status = removed;
        }
        clients_.end_faults();
        CULPRIT_TRY_STATUS(status);
        CULPRIT_TRY_STATUS(pause(plan_.recovery_seconds));
        // What writing it down takes is part of the time to settle.
        settled_at_ = monotonic_seconds() + plan_.settle_seconds;
        return record(planned, records);
    }

    // Decoys first, then all the others at once.
    Status apply_all(LocalInjector& injector, const PlannedCase& planned,
                     std::vector<FaultRecord>& records) {
        for (const bool early : {true, false}) {
            for (const auto& fault : planned.faults) {
                if ((fault.start_seconds < 0) != early) continue;
                CULPRIT_TRY(auto applied, injector.apply(fault));
                clients_.start_fault(fault, derive_seed(plan_.seed, planned.id));
                if (early) {
                    sleep_seconds(1);
                    CULPRIT_TRY_STATUS(injector.remove(applied));
                    CULPRIT_TRY_STATUS(pause(-fault.start_seconds - 1));
                }
                records.push_back(std::move(applied));
            }
        }
        return {};
    }

    Status record(const PlannedCase& planned, const std::vector<FaultRecord>& faults) {
        TimePoint alert = wall_clock_now();
        for (const auto& fault : faults)
            if (fault.fault.start_seconds >= 0) alert = std::min(alert, fault.applied);
        RecordingRequest request{
            .folder = folder_of(planned),
            .dataset = plan_.name,
            .range = {earlier(alert, plan_.baseline_seconds),
                      earlier(alert, -planned.fault_seconds - plan_.recovery_seconds)},
            .from = from_,
            .alert = alert,
            .faults = faults,
            .grid_seconds = plan_.grid_seconds,
            .rate_window_seconds = std::max(plan_.window_seconds, 2 * settings_.scrape_seconds)};
        request.clients = clients_.records_in(request.range);
        request.notes = {
            {"split", planned.split},
            {"case", planned.id},
            {"plan_seed", fmt::format("{}", plan_.seed)},
            {"load", fmt::format("{} {} requests/s wandering by {:.0f} %, {} prompt "
                                 "tokens of which {} shared, {} output tokens, lengths "
                                 "+-{:.0f} %",
                                 plan_.load.constant ? "constant" : "Poisson",
                                 plan_.load.rate_per_s, 100 * plan_.load.wander,
                                 plan_.load.prompt_tokens, plan_.load.shared_prefix_tokens,
                                 plan_.load.output_tokens, 100 * plan_.load.length_spread)},
            {"phases",
             fmt::format("baseline {} s, fault {} s, recovery {} s", plan_.baseline_seconds,
                         planned.fault_seconds, plan_.recovery_seconds)},
            {"machine",
             fmt::format("{} cores, load average {}", std::thread::hardware_concurrency(),
                         read_text_file("/proc/loadavg").value_or("?").substr(0, 5))}};
        const auto impact = user_impact(request);
        last_summary_ = fmt::format(
            "TTFT p95 {:.0f} -> {:.0f} ms, gap {:.1f} -> {:.1f} ms, failed "
            "{:.0f} -> {:.0f} %",
            1e3 * impact.first_token_s_before, 1e3 * impact.first_token_s_during,
            1e3 * impact.token_gap_s_before, 1e3 * impact.token_gap_s_during,
            100 * impact.failed_share_before, 100 * impact.failed_share_during);
        return record_case(settings_, request);
    }

    const Settings& settings_;
    const ExperimentPlan& plan_;
    const ExperimentOptions& options_;
    const Progress& progress_;
    const std::function<bool()>& stop_;
    Clients clients_;
    double begin_ = monotonic_seconds();
    double settled_at_ = 0;
    bool unhealthy_ = false;  ///< the stack did not come back: nothing more can be recorded
    TelemetryPosition from_;
    std::string last_summary_;
};

}  // namespace

namespace {

double sum_of_metric(const std::string& exposition, const std::string& name) {
    double sum = 0;
    std::size_t at = 0;
    while (at < exposition.size()) {
        const auto end = std::min(exposition.find('\n', at), exposition.size());
        const auto line = exposition.substr(at, end - at);
        if (line.starts_with(name + "{") || line.starts_with(name + " "))
            sum += std::strtod(line.c_str() + line.rfind(' '), nullptr);
        at = end + 1;
    }
    return sum;
}

// An accelerator still hot, or slow, from the case before would recover through the next baseline.
// Under the usual load they stay below 70 C at the full clock.
std::string accelerator_problem(const Settings& settings, const std::string& replica) {
    constexpr double celsius_max = 74;
    const auto file = AcceleratorFile::open(settings.accelerator_path(replica));
    if (!file) return file.error().message;
    const double ratio = file->number(AcceleratorFile::Field::clock_ratio);
    if (ratio < 0.99)
        return fmt::format("has an accelerator at {:.0f} % of its clock", 100 * ratio);
    httplib::Client agent(settings.agent_address(), Settings::agent_port);
    const auto answer = agent.Get("/metrics/accelerators");
    if (!answer) return "has no agent that answers";
    const auto at = answer->body.find("DCGM_FI_DEV_GPU_TEMP{");
    const auto found = answer->body.find("container=\"" + replica + "\"", at);
    if (found == std::string::npos) return "shows no temperature";
    const double celsius =
        std::strtod(answer->body.c_str() + answer->body.find('}', found) + 1, nullptr);
    return celsius > celsius_max ? fmt::format("has an accelerator at {:.0f} C", celsius) : "";
}

// What is still wrong with one replica: "" = nothing.
std::string replica_problem(const Settings& settings, const CgroupTree& tree,
                            const std::string& replica) {
    const auto is_engine = [](pid_t pid) {
        const auto name = read_text_file(fmt::format("/proc/{}/cmdline", pid)).value_or("");
        return name.starts_with("VLLM::EngineCore");
    };
    if (std::ranges::none_of(tree.processes(replica), is_engine)) return "has no engine process";
    httplib::Client client(settings.address_of(replica), Settings::engine_metrics_port);
    client.set_connection_timeout(1);
    client.set_read_timeout(2);
    const auto answer = client.Get("/metrics");
    if (!answer || answer->status != 200) return "exports no engine metrics";
    constexpr double waiting_max = 0;
    if (sum_of_metric(answer->body, "vllm:num_requests_waiting") > waiting_max)
        return "still has requests waiting";
    httplib::Client serve(settings.address_of(replica), Settings::serve_port);
    serve.set_connection_timeout(1);
    serve.set_read_timeout(2);
    const auto health = serve.Get("/health");
    if (!health || health->status != 200) return "does not answer";
    return accelerator_problem(settings, replica);
}

}  // namespace

Status wait_until_recovered(const Settings& settings, double seconds_max,
                            const std::function<bool()>& stop, const Progress& progress) {
    constexpr double tell_every_seconds = 20;
    double tell_at = tell_every_seconds;
    CULPRIT_TRY(const auto tree, CgroupTree::open("/sys/fs/cgroup", settings.group_prefix()));
    const double begin = monotonic_seconds();
    while (!stop()) {
        std::string missing;
        for (const auto& replica : settings.replica_names())
            if (const auto problem = replica_problem(settings, tree, replica); !problem.empty())
                missing = fmt::format("{} {}", replica, problem);
        httplib::Client proxy(settings.address_of("nginx-proxy"), Settings::proxy_port);
        proxy.set_connection_timeout(1);
        proxy.set_read_timeout(3);
        const auto answer = proxy.Get("/health");
        if (!answer || answer->status != 200) missing = "the proxy does not reach the service";
        if (missing.empty()) return {};
        if (monotonic_seconds() - begin > seconds_max)
            return fail(ErrorCode::deadline_exceeded,
                        fmt::format("not healthy after {:.0f} s: {}", seconds_max, missing));
        if (monotonic_seconds() - begin > tell_at) {
            progress(fmt::format("waiting for {:.0f} s: {}", tell_at, missing));
            tell_at += tell_every_seconds;
        }
        sleep_seconds(0.5);
    }
    return fail(ErrorCode::cancelled, "stopped");
}

Status run_experiment(const Settings& settings, const ExperimentPlan& plan,
                      const ExperimentOptions& options, const Progress& progress,
                      const std::function<bool()>& stop) {
    CULPRIT_TRY(const auto status, testbed_status(settings.name));
    if (status.phase != "healthy")
        return fail(ErrorCode::unavailable,
                    fmt::format("the testbed \"{}\" is {}, needed is healthy", settings.name,
                                status.phase));
    std::error_code error;
    fs::create_directories(options.folder, error);
    CULPRIT_TRY_STATUS(write_split(plan, options.folder));
    if (!options.plan_text.empty())
        CULPRIT_TRY_STATUS(
            write_text_file_atomically(options.folder + "/plan.yaml", options.plan_text));
    CULPRIT_TRY(auto injector, LocalInjector::create(settings));
    // Without the testbed its addresses would lead out of this machine: send nothing more.
    const std::function<bool()> stop_or_gone = [&] {
        return stop() || !fs::exists(NetworkNames::path_of(settings.network().fabric()));
    };
    Experiment experiment(settings, plan, options, progress, stop_or_gone);
    return experiment.run(*injector);
}

}  // namespace culprit::testbed
