#pragma once

#include <map>
#include <string>
#include <vector>

#include "culprit/base/random.h"
#include "culprit/base/result.h"
#include "culprit/frame/frame.h"
#include "culprit/simulator/fault_effects.h"
#include "culprit/simulator/replica.h"

namespace culprit::simulator {

/// What the proxy and the head count.
struct EdgeCounters {
    double requests = 0.0;
    double accepted = 0.0;
    double failed = 0.0;
    double active = 0.0;
    double routed = 0.0;
    double ongoing = 0.0;
    Tally health_check_ms;
};

/// A host and container under one replica, integrated over time.
struct HostState {
    double cpu_seconds = 0.0;
    double node_cpu_seconds = 0.0;
    double pressure_seconds = 0.0;
    double memory_pressure_seconds = 0.0;
    double throttled_seconds = 0.0;
    double throttled_periods = 0.0;
    double retransmits = 0.0;
    double disk_busy_seconds = 0.0;
    double disk_written_bytes = 0.0;
    double load1 = 1.0;
    double base_memory_bytes = 0.0;
    double oom_kills = 0.0;
    double start_time = 0.0;
};

/// Collects scrapes into a frame: one row per scrape, columns in the order of the first scrape.
class Scraper {
public:
    void begin_row(TimePoint at);
    /// `labels` beyond the pod are kept for the first row only.
    void put(const std::string& component, const char* metric, double value, const char* unit = "");
    Result<Frame> take();

private:
    std::vector<TimePoint> times_;
    std::vector<Column> columns_;
    std::vector<std::vector<double>> rows_;
    std::size_t next_ = 0;
};

struct ScrapeContext {
    double unix_seconds = 0.0;
    bool gpu_detail = true;
    bool mesh = true;
    Random* noise = nullptr;
};

void scrape_replica(Scraper& scraper, const ScrapeContext& context, const std::string& name,
                    const EngineModel& model, const Replica& replica, const HostState& host,
                    const HostCondition& condition);
void scrape_edges(Scraper& scraper, const ScrapeContext& context, const EdgeCounters& proxy,
                  const EdgeCounters& head);

}  // namespace culprit::simulator
