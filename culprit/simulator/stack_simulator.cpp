#include "culprit/simulator/stack_simulator.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <queue>

#include "culprit/base/nearest_word.h"
#include "culprit/simulator/fault_effects.h"
#include "culprit/simulator/replica.h"
#include "culprit/simulator/telemetry.h"

namespace culprit::simulator {
namespace {

enum class EventKind : std::uint8_t { arrival, reach_engine, step, tick, scrape };

struct Event {
    double at = 0.0;
    std::uint64_t number = 0;  // makes the order of simultaneous events deterministic
    EventKind kind = EventKind::tick;
    std::size_t replica = 0;
    std::size_t request = 0;
    friend bool operator>(const Event& a, const Event& b) {
        return a.at != b.at ? a.at > b.at : a.number > b.number;
    }
};

constexpr double tick_seconds = 1.0;
constexpr double epoch = 1767225600.0;  // runs begin on 2026-01-01 00:00 UTC: no real time enters

class Stack {
public:
    explicit Stack(const StackConfig& config)
        : config_(config),
          random_(derive_seed(config.seed, "arrivals")),
          noise_(derive_seed(config.seed, "noise")) {
        for (int i = 0; i < config.num_replicas; ++i) {
            names_.push_back(fmt::format("ray-replicas-{}", i));
            replicas_.emplace_back(config.engine, derive_seed(config.seed, names_.back()));
            HostState host;
            host.base_memory_bytes = 6e9 * (0.95 + 0.1 * noise_.uniform());
            host.start_time = epoch - 86400.0;
            hosts_.push_back(host);
        }
        conditions_.resize(replicas_.size());
        injection_ = config.warm_up_seconds + config.baseline_seconds;
        recovery_ = injection_ + config.fault_seconds;
        end_ = recovery_ + config.after_seconds;
    }

    Result<Case> run(const Stop& stop);

private:
    void push(double at, EventKind kind, std::size_t replica = 0, std::size_t request = 0) {
        events_.push({at, next_number_++, kind, replica, request});
    }
    bool in_fault() const { return now_ >= injection_ && now_ < recovery_; }
    std::size_t target() const { return static_cast<std::size_t>(config_.fault.target); }
    double gamma_interval();
    double length(double mean, double cv);
    void arrive();
    void reach_engine(std::size_t replica, std::size_t request);
    void do_step(std::size_t replica);
    void wake(std::size_t replica);
    void tick();
    void update_conditions();
    void kill_target();
    void scrape();
    std::size_t route();
    Incident incident(Frame frame) const;

    StackConfig config_;
    Random random_;
    Random noise_;
    std::vector<std::string> names_;
    std::vector<Replica> replicas_;
    std::vector<HostState> hosts_;
    std::vector<HostCondition> conditions_;
    StackCondition stack_;
    EdgeCounters proxy_;
    EdgeCounters head_;
    std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
    std::vector<Request> requests_;
    std::vector<std::size_t> free_;
    Scraper scraper_;
    std::shared_ptr<LogTable> logs_ = std::make_shared<LogTable>();
    std::vector<ChangeEvent> changes_;
    double now_ = 0.0;
    double injection_ = 0.0;
    double recovery_ = 0.0;
    double end_ = 0.0;
    bool injected_ = false;
    std::size_t next_round_ = 0;
    std::uint64_t next_number_ = 0;
};

double Stack::gamma_interval() {
    // Sum of `shape` exponentials for integer shapes; otherwise a mixture that keeps the mean.
    const double shape = std::max(0.25, config_.load.interarrival_shape);
    const double rate = config_.load.requests_per_second * stack_.rate_factor;
    if (shape >= 2.0) {
        double sum = 0.0;
        const int whole = static_cast<int>(shape);
        for (int i = 0; i < whole; ++i) sum += random_.exponential();
        return sum / whole / rate;
    }
    return random_.exponential() / rate;
}

double Stack::length(double mean, double cv) {
    if (cv <= 0.0) return mean;
    const double sigma = std::sqrt(std::log1p(cv * cv));
    return mean * std::exp(sigma * random_.normal() - 0.5 * sigma * sigma);
}

std::size_t Stack::route() {
    if (random_.uniform() < stack_.hot_share) return target();
    const std::size_t n = replicas_.size();
    std::size_t best = n;
    if (config_.router == RouterPolicy::least_loaded) {
        const std::size_t first = random_.below(n);
        for (std::size_t k = 0; k < n; ++k) {
            const std::size_t i = (first + k) % n;
            if (replicas_[i].condition.down) continue;
            if (best == n || replicas_[i].load() < replicas_[best].load()) best = i;
        }
    } else {
        for (std::size_t tries = 0; tries < 2 * n && best == n; ++tries) {
            const std::size_t i =
                config_.router == RouterPolicy::random ? random_.below(n) : next_round_++ % n;
            if (!replicas_[i].condition.down) best = i;
        }
    }
    return best;
}

void Stack::arrive() {
    push(now_ + gamma_interval(), EventKind::arrival);
    proxy_.requests += 1.0;
    proxy_.accepted += 1.0;
    if (random_.uniform() < stack_.proxy_failure_share ||
        random_.uniform() < stack_.dns_failure_share) {
        proxy_.failed += 1.0;
        return;
    }
    head_.requests += 1.0;
    const std::size_t to = route();
    if (to == replicas_.size()) {
        head_.failed += 1.0;
        return;
    }
    head_.routed += 1.0;
    Request request;
    request.arrival = now_;
    request.prompt_tokens =
        std::max(8, static_cast<int>(length(config_.load.prompt_tokens_mean * stack_.prompt_factor,
                                            config_.load.prompt_tokens_cv)));
    request.prompt_tokens = std::min(request.prompt_tokens, config_.engine.kv_tokens / 4);
    request.output_tokens =
        std::max(2, static_cast<int>(length(config_.load.output_tokens_mean * stack_.output_factor,
                                            config_.load.output_tokens_cv)));
    request.output_tokens = std::min(request.output_tokens, config_.engine.kv_tokens / 4);
    const double hit = config_.load.prefix_hit_ratio * stack_.prefix_hit_factor;
    request.cached_tokens = static_cast<int>(hit * request.prompt_tokens * random_.uniform() * 2.0);
    request.cached_tokens = std::min(request.cached_tokens, request.prompt_tokens - 1);
    std::size_t slot = requests_.size();
    if (free_.empty()) {
        requests_.push_back(request);
    } else {
        slot = free_.back();
        free_.pop_back();
        requests_[slot] = request;
    }
    Replica& replica = replicas_[to];
    replica.routed += 1.0;
    ++replica.in_transit;
    const Condition& c = replica.condition;
    const double frontend =
        config_.engine.tokenizer_seconds_per_token * request.prompt_tokens * c.tokenizer_slowdown +
        config_.engine.frontend_seconds;
    const double path = 0.001 + c.path_delay_seconds +
                        std::abs(random_.normal()) * (0.0005 + c.path_jitter_seconds);
    replica.frontend.add(frontend);
    replica.cpu_seconds += frontend;
    replica.path.add(path);
    requests_[slot].server_arrival = now_ + path;
    push(now_ + path + frontend, EventKind::reach_engine, to, slot);
}

void Stack::reach_engine(std::size_t i, std::size_t slot) {
    Replica& replica = replicas_[i];
    Request request = requests_[slot];
    free_.push_back(slot);
    --replica.in_transit;
    if (replica.condition.down) {
        replica.errors += 1.0;
        head_.failed += 1.0;
        return;
    }
    request.engine_arrival = now_;
    replica.prompt_tokens += request.prompt_tokens;
    replica.prompt_length.add(request.prompt_tokens);
    replica.prefix_queries += request.prompt_tokens;
    replica.prefix_hits += request.cached_tokens;
    replica.enqueue(request);
    wake(i);
}

void Stack::wake(std::size_t i) {
    if (replicas_[i].scheduled) return;
    replicas_[i].scheduled = true;
    push(now_, EventKind::step, i);
}

void Stack::do_step(std::size_t i) {
    Replica& replica = replicas_[i];
    replica.scheduled = false;
    const double took = replica.step(now_);
    if (took <= 0.0) return;
    replica.scheduled = true;
    push(now_ + took, EventKind::step, i);
}

void Stack::kill_target() {
    Replica& victim = replicas_[target()];
    HostState& host = hosts_[target()];
    head_.failed += static_cast<double>(victim.lose_all());
    victim.condition.down = true;
    const bool slow = config_.fault.kind == "slow_weight_load";
    const bool lasting =
        slow || config_.fault.kind == "gpu_off_bus" || config_.fault.kind == "gpu_ecc";
    victim.condition.down_until = lasting ? end_ + 1.0 : now_ + 20.0 + 25.0 * random_.uniform();
    if (config_.fault.kind == "crash_loop") victim.condition.down_until = now_ + 12.0;
    if (config_.fault.kind == "replica_oom") host.oom_kills += 1.0;
}

void Stack::update_conditions() {
    const bool faulty = in_fault();
    stack_ = StackCondition{};
    Condition& c = replicas_[target()].condition;
    const bool was_down = c.down;
    const double until = c.down_until;
    const bool was_hung = c.hung;
    c = Condition{};
    c.down = was_down;
    c.down_until = until;
    conditions_[target()] = HostCondition{};
    if (faulty)
        apply_fault({.plan = config_.fault, .progress_seconds = now_ - injection_}, config_.engine,
                    c, conditions_[target()], stack_);
    if (faulty) stack_.rate_factor *= config_.load_factor;
    if (was_hung && !c.hung) wake(target());
    if (faulty && !injected_) {
        injected_ = true;
        const double delay = config_.fault.kind == "replica_oom" ? 15.0 : 0.0;
        if (delay == 0.0 &&
            (kills_engine(config_.fault.kind) || restarts_target(config_.fault.kind)))
            kill_target();
        if (restarts_target(config_.fault.kind)) c.down_until = now_ + 8.0;
        for (const FaultLine& line : fault_lines(config_.fault, names_[target()]))
            for (int k = 0; k < line.count; ++k)
                logs_->add(time_from_seconds(epoch + now_ + 0.3 * k + delay), line.component,
                           line.text);
        if (restarts_target(config_.fault.kind))
            changes_.push_back({time_from_seconds(epoch + now_), names_[target()], "configuration",
                                "engine arguments changed"});
    }
    if (faulty && config_.fault.kind == "replica_oom" && hosts_[target()].oom_kills == 0.0 &&
        now_ - injection_ >= 15.0)
        kill_target();
    for (std::size_t i = 0; i < replicas_.size(); ++i) {
        Condition& r = replicas_[i].condition;
        if (!r.down || now_ < r.down_until) continue;
        r.down = false;
        replicas_[i].starts += 1.0;
        hosts_[i].start_time = epoch + now_;
        if (faulty && config_.fault.kind == "crash_loop" && i == target()) kill_target();
    }
}

void Stack::tick() {
    update_conditions();
    double ongoing = 0.0;
    for (std::size_t i = 0; i < replicas_.size(); ++i) {
        Replica& r = replicas_[i];
        HostState& h = hosts_[i];
        const HostCondition& c = conditions_[i];
        r.settle_gpu(tick_seconds);
        const double own = r.condition.down ? 0.05 : 0.4 + 0.9 * r.busy_fraction;
        const double cores =
            (own + c.cpu_cores_extra) * (1.0 - 0.6 * c.throttled) * (1.0 + 0.03 * noise_.normal());
        h.cpu_seconds += std::max(0.0, cores);
        h.node_cpu_seconds += std::max(0.0, cores + 0.3 * (1.0 + 0.1 * noise_.normal()));
        h.pressure_seconds +=
            c.cpu_pressure * (0.9 + 0.2 * noise_.uniform()) + 0.002 * noise_.uniform();
        h.memory_pressure_seconds += c.memory_pressure * noise_.uniform();
        h.throttled_seconds += c.throttled * (0.9 + 0.2 * noise_.uniform());
        h.throttled_periods += 10.0 * std::min(1.0, c.throttled * 1.2);
        h.retransmits += std::floor(c.retransmits_per_second * noise_.uniform() * 2.0 +
                                    (noise_.uniform() < 0.1 ? 2.0 : 0.0));
        h.disk_busy_seconds += std::min(1.0, c.disk_busy + 0.01 * noise_.uniform());
        h.disk_written_bytes += c.disk_write_bytes_per_second + 2e5 * noise_.uniform();
        h.load1 += (own + c.cpu_cores_extra - h.load1) / 60.0;
        ongoing += static_cast<double>(r.load());
    }
    proxy_.active = 3.0 + ongoing + stack_.proxy_connections;
    head_.ongoing = ongoing;
    head_.health_check_ms.add(1.5 * stack_.head_slowdown * (0.8 + 0.4 * noise_.uniform()));
    push(now_ + tick_seconds, EventKind::tick);
}

void Stack::scrape() {
    scraper_.begin_row(time_from_seconds(epoch + now_));
    ScrapeContext context{.unix_seconds = epoch + now_,
                          .gpu_detail = config_.serve_gpu_detail,
                          .mesh = config_.mesh,
                          .noise = &noise_};
    scrape_edges(scraper_, context, proxy_, head_);
    for (std::size_t i = 0; i < replicas_.size(); ++i) {
        scrape_replica(scraper_, context, names_[i], config_.engine, replicas_[i], hosts_[i],
                       conditions_[i]);
        if (noise_.uniform() < 0.2)
            logs_->add(time_from_seconds(epoch + now_), names_[i],
                       fmt::format("INFO metrics: Running: {} reqs, Waiting: {} reqs",
                                   replicas_[i].running(), replicas_[i].waiting()));
    }
    push(now_ + config_.scrape_seconds, EventKind::scrape);
}

Incident Stack::incident(Frame frame) const {
    Incident incident;
    incident.metrics = std::move(frame);
    incident.logs = logs_;
    auto topology = std::make_shared<Topology>();
    topology->nodes.push_back({.name = "nginx-proxy"});
    topology->nodes.push_back({.name = "ray-head"});
    topology->edges.push_back({.from = "nginx-proxy", .to = "ray-head"});
    for (std::size_t i = 0; i < names_.size(); ++i) {
        const std::string host =
            fmt::format("node-{}", i / static_cast<std::size_t>(config_.replicas_per_node));
        topology->nodes.push_back({.name = names_[i], .kind = NodeKind::replica});
        topology->nodes.push_back({.name = host, .kind = NodeKind::host});
        topology->edges.push_back({.from = "ray-head", .to = names_[i]});
        topology->edges.push_back({.from = names_[i], .to = host, .kind = EdgeKind::runs_on});
    }
    incident.topology = std::move(topology);
    incident.changes = changes_;
    incident.alert = time_from_seconds(epoch + injection_ + config_.alert_delay_seconds);
    incident.baseline = {time_from_seconds(epoch + config_.warm_up_seconds), incident.alert};
    incident.suspect = {incident.alert, time_from_seconds(epoch + end_)};
    return incident;
}

Result<Case> Stack::run(const Stop& stop) {
    push(0.0, EventKind::tick);
    push(gamma_interval(), EventKind::arrival);
    push(config_.warm_up_seconds, EventKind::scrape);
    if (config_.fault.decoy) {
        const std::string& other = names_[(target() + 1) % names_.size()];
        changes_.push_back({time_from_seconds(epoch + injection_ - 40.0), other, "rollout",
                            "image changed, no difference in behaviour"});
    }
    std::uint64_t handled = 0;
    while (!events_.empty() && events_.top().at < end_) {
        const Event event = events_.top();
        events_.pop();
        now_ = event.at;
        if (++handled % 65536 == 0) CULPRIT_TRY_STATUS(stop.check());
        switch (event.kind) {
            case EventKind::arrival:
                arrive();
                break;
            case EventKind::reach_engine:
                reach_engine(event.replica, event.request);
                break;
            case EventKind::step:
                do_step(event.replica);
                break;
            case EventKind::tick:
                tick();
                break;
            case EventKind::scrape:
                scrape();
                break;
        }
    }
    CULPRIT_TRY(Frame frame, scraper_.take());
    Case made;
    made.id = fmt::format("simulated/{}_{}/{}", names_[target()], config_.fault.kind, config_.seed);
    made.dataset = "simulated";
    made.incident = incident(std::move(frame));
    made.truth = GroundTruth{.services = blamed(config_.fault, names_[target()]),
                             .fault = config_.fault.kind};
    return made;
}

}  // namespace

Result<Case> simulate(const StackConfig& config, const Stop& stop) {
    const auto kinds = fault_kinds();
    if (std::ranges::find(kinds, config.fault.kind) == kinds.end())
        return fail(ErrorCode::invalid_input,
                    fmt::format("no simulated fault \"{}\"{}\nThere are: {}", config.fault.kind,
                                did_you_mean(config.fault.kind, kinds), fmt::join(kinds, ", ")));
    if (config.num_replicas < 1 || config.fault.target < 0 ||
        config.fault.target >= config.num_replicas || config.replicas_per_node < 1)
        return fail(ErrorCode::invalid_input,
                    fmt::format("expected at least one replica and a target among them, found {} "
                                "replicas and target {}",
                                config.num_replicas, config.fault.target));
    if (!(config.load.requests_per_second > 0.0) || !(config.scrape_seconds > 0.0) ||
        !(config.baseline_seconds > 0.0) || config.engine.kv_tokens < 256)
        return fail(ErrorCode::invalid_input,
                    "expected positive rates and durations and at least 256 KV tokens");
    return Stack(config).run(stop);
}

}  // namespace culprit::simulator
