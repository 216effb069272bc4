#include "culprit/catalogue/metric_words.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <initializer_list>
#include <unordered_set>

namespace culprit {
namespace {

bool is_letter(char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0; }
bool is_digit(char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; }
bool is_upper(char c) { return std::isupper(static_cast<unsigned char>(c)) != 0; }

// Words that measurements are made of. None is an everyday name of a component: "gateway",
// "frontend", "server" and "worker" are left out, "node", "host", "pod" and "container" only narrow
// what is measured.
// NOLINTNEXTLINE(readability-function-size): a table, one word a line
const std::unordered_set<std::string_view>& vocabulary() {
    static const std::unordered_set<std::string_view> words = {"abort",
                                                               "aborted",
                                                               "accepted",
                                                               "active",
                                                               "activity",
                                                               "allocated",
                                                               "availability",
                                                               "available",
                                                               "avail",
                                                               "average",
                                                               "avg",
                                                               "bandwidth",
                                                               "batch",
                                                               "blocked",
                                                               "busy",
                                                               "byte",
                                                               "bytes",
                                                               "c",
                                                               "cached",
                                                               "cancelled",
                                                               "capacity",
                                                               "celsius",
                                                               "cfs",
                                                               "clock",
                                                               "clocks",
                                                               "completed",
                                                               "completion",
                                                               "concurrency",
                                                               "concurrent",
                                                               "connection",
                                                               "connections",
                                                               "conns",
                                                               "core",
                                                               "cores",
                                                               "count",
                                                               "counter",
                                                               "cpu",
                                                               "ctn",
                                                               "current",
                                                               "decode",
                                                               "decoding",
                                                               "delay",
                                                               "depth",
                                                               "disk",
                                                               "diskio",
                                                               "drop",
                                                               "dropped",
                                                               "duration",
                                                               "e2e",
                                                               "ecc",
                                                               "egress",
                                                               "end",
                                                               "energy",
                                                               "engine",
                                                               "enforced",
                                                               "err",
                                                               "error",
                                                               "errors",
                                                               "event",
                                                               "events",
                                                               "exceptions",
                                                               "fail",
                                                               "failed",
                                                               "failure",
                                                               "failures",
                                                               "fault",
                                                               "faults",
                                                               "fb",
                                                               "fd",
                                                               "fds",
                                                               "first",
                                                               "free",
                                                               "freq",
                                                               "frequency",
                                                               "fs",
                                                               "gb",
                                                               "generated",
                                                               "generation",
                                                               "gib",
                                                               "gpu",
                                                               "gpus",
                                                               "gram",
                                                               "graphics",
                                                               "h2d",
                                                               "health",
                                                               "healthy",
                                                               "heap",
                                                               "hit",
                                                               "hits",
                                                               "host",
                                                               "hz",
                                                               "in",
                                                               "inference",
                                                               "inflight",
                                                               "ingress",
                                                               "input",
                                                               "inter",
                                                               "io",
                                                               "iops",
                                                               "iowait",
                                                               "itl",
                                                               "iteration",
                                                               "joules",
                                                               "kb",
                                                               "kib",
                                                               "kv",
                                                               "lag",
                                                               "latency",
                                                               "len",
                                                               "length",
                                                               "limit",
                                                               "load",
                                                               "loss",
                                                               "lost",
                                                               "major",
                                                               "max",
                                                               "mb",
                                                               "mbps",
                                                               "mean",
                                                               "median",
                                                               "mem",
                                                               "memory",
                                                               "mhz",
                                                               "mib",
                                                               "min",
                                                               "misses",
                                                               "ms",
                                                               "msec",
                                                               "net",
                                                               "network",
                                                               "node",
                                                               "num",
                                                               "number",
                                                               "occupancy",
                                                               "of",
                                                               "ongoing",
                                                               "oom",
                                                               "open",
                                                               "out",
                                                               "output",
                                                               "packet",
                                                               "packets",
                                                               "page",
                                                               "pct",
                                                               "pending",
                                                               "per",
                                                               "perc",
                                                               "percent",
                                                               "percentage",
                                                               "phase",
                                                               "pod",
                                                               "power",
                                                               "preempted",
                                                               "preemption",
                                                               "preemptions",
                                                               "prefill",
                                                               "prefix",
                                                               "pressure",
                                                               "process",
                                                               "processes",
                                                               "processing",
                                                               "prompt",
                                                               "psi",
                                                               "qps",
                                                               "queries",
                                                               "query",
                                                               "queue",
                                                               "queued",
                                                               "ram",
                                                               "rate",
                                                               "ratio",
                                                               "read",
                                                               "reads",
                                                               "ready",
                                                               "receive",
                                                               "received",
                                                               "recv",
                                                               "req",
                                                               "reqs",
                                                               "request",
                                                               "requests",
                                                               "resident",
                                                               "response",
                                                               "responses",
                                                               "restart",
                                                               "restarts",
                                                               "retrans",
                                                               "retransmit",
                                                               "retransmits",
                                                               "retransmitted",
                                                               "retries",
                                                               "rps",
                                                               "rss",
                                                               "rtt",
                                                               "running",
                                                               "rx",
                                                               "s",
                                                               "sec",
                                                               "second",
                                                               "seconds",
                                                               "secs",
                                                               "segments",
                                                               "sent",
                                                               "seqs",
                                                               "sequences",
                                                               "set",
                                                               "size",
                                                               "sm",
                                                               "socket",
                                                               "sockets",
                                                               "stall",
                                                               "stalled",
                                                               "state",
                                                               "status",
                                                               "success",
                                                               "swap",
                                                               "syscall",
                                                               "tcp",
                                                               "temp",
                                                               "temperature",
                                                               "tensor",
                                                               "thermal",
                                                               "threads",
                                                               "throttle",
                                                               "throttled",
                                                               "throttling",
                                                               "throughput",
                                                               "time",
                                                               "timeouts",
                                                               "to",
                                                               "token",
                                                               "tokens",
                                                               "total",
                                                               "tpot",
                                                               "tps",
                                                               "traffic",
                                                               "transmit",
                                                               "transmitted",
                                                               "ttft",
                                                               "tx",
                                                               "up",
                                                               "us",
                                                               "usage",
                                                               "used",
                                                               "util",
                                                               "utilisation",
                                                               "utilization",
                                                               "violation",
                                                               "vram",
                                                               "w",
                                                               "wait",
                                                               "waiting",
                                                               "watt",
                                                               "watts",
                                                               "working",
                                                               "workload",
                                                               "write",
                                                               "writes",
                                                               "written",
                                                               "xid"};
    return words;
}

class Words {
public:
    explicit Words(std::vector<std::string> words) : words_(std::move(words)) {}

    bool any(std::initializer_list<std::string_view> wanted) const {
        return std::ranges::any_of(words_, [&](const std::string& word) {
            return std::ranges::find(wanted, word) != wanted.end();
        });
    }
    bool starts(std::initializer_list<std::string_view> stems) const {
        return std::ranges::any_of(words_, [&](const std::string& word) {
            return std::ranges::any_of(
                stems, [&](std::string_view stem) { return word.starts_with(stem); });
        });
    }
    std::size_t size() const { return words_.size(); }
    const std::string& last() const { return words_.back(); }
    const std::vector<std::string>& all() const { return words_; }

private:
    std::vector<std::string> words_;
};

Statistic statistic_of(std::string_view word) {
    if (word == "p50" || word == "median" || word == "q50" || word == "50th") return Statistic::p50;
    if (word == "p90" || word == "90th" || word == "p75") return Statistic::p90;
    if (word == "p95" || word == "q95" || word == "95th") return Statistic::p95;
    if (word == "p99" || word == "q99" || word == "99th" || word == "p999" || word == "max")
        return Statistic::p99;
    if (word == "avg" || word == "mean" || word == "average") return Statistic::mean;
    return Statistic::none;
}

bool speaks_of_time(const Words& w) {
    return w.starts({"laten", "duration"}) ||
           w.any({"time", "wait", "ms", "msec", "us", "seconds", "sec", "delay"});
}

bool says_per_second(const Words& w) {
    if (w.any({"rps", "qps", "tps", "mbps", "rate", "throughput", "iops", "bandwidth"}))
        return true;
    if (w.any({"per"}) && w.any({"s", "sec", "second"})) return true;
    return w.size() > 1 && w.last() == "s" && !speaks_of_time(w);  // "tokens_s", "disk_write_mb_s"
}

std::string unit_of(const Words& w) {
    if (w.any({"ms", "msec", "millis", "milliseconds"})) return "ms";
    if (w.any({"us", "micros", "microseconds"})) return "us";
    if (w.any({"percent", "pct", "perc", "percentage"})) return "%";
    if (w.any({"ratio", "fraction"})) return "1";
    if (w.any({"mhz"})) return "MHz";
    if (w.any({"hz"})) return "Hz";
    if (w.any({"watts", "watt", "w"})) return "W";
    if (w.any({"celsius", "c"})) return "Cel";
    if (w.any({"gb", "gib"})) return "GBy";
    if (w.any({"mb", "mib", "mbps"})) return "MBy";
    if (w.any({"kb", "kib"})) return "kBy";
    if (w.any({"bytes", "byte"})) return "By";
    // "per second" and "tokens_s" say how often, not in what.
    const bool per = w.any({"per"}) || (says_per_second(w) && w.last() == "s");
    if (w.any({"seconds", "secs"}) || (!per && w.any({"sec", "s", "second"}))) return "s";
    return {};
}

bool is_number(std::string_view word) { return std::ranges::all_of(word, is_digit); }

bool is_metric_word(std::string_view word) {
    return is_number(word) || vocabulary().contains(word) || statistic_of(word) != Statistic::none;
}

std::string gpu_signal(const Words& w) {
    const bool memory = w.starts({"mem", "vram", "fb", "gram"});
    if (w.starts({"xid"})) return "gpu.xid";
    if (w.starts({"ecc"})) return "DCGM_FI_DEV_ECC_DBE_VOL_TOTAL";
    if (w.starts({"throttl", "violation", "slowdown"}))
        return w.starts({"therm", "temp"}) ? "gpu.event_thermal"
               : w.starts({"power"})       ? "gpu.event_power_cap"
                                           : "gpu.clock_event_reasons";
    if (w.starts({"power", "watt"}))
        return w.any({"limit", "cap", "enforced", "max"}) ? "gpu.power_limit" : "gpu.power";
    if (w.starts({"clock", "freq", "mhz"})) return memory ? "gpu.memory_clock" : "gpu.sm_clock";
    if (w.starts({"temp"})) return memory ? "gpu.memory_temperature" : "gpu.temperature";
    if (memory)
        return w.any({"free", "available", "avail"}) ? "gpu.memory_free" : "gpu.memory_used";
    if (w.starts({"util", "usage", "busy", "load", "activ", "percent", "pct"}) || w.size() == 1)
        return "gpu.utilization";
    return {};
}

std::string token_signal(const Words& w) {
    if (w.any({"first"})) return "engine.ttft";
    const bool prompt = w.any({"prompt", "input", "prefill"});
    if (w.any({"prefix", "cached", "hit", "hits"})) return {};
    if (w.any({"inter"}) || (w.starts({"laten"}) && !prompt)) return "engine.itl";
    if (w.any({"time"}) && w.any({"per"})) return "engine.itl";
    if (w.any({"length", "len", "size"}) || (w.any({"request", "req"}) && w.any({"per"})))
        return prompt ? "engine.prompt_length" : "engine.output_length";
    return prompt ? "engine.prompt_tokens" : "engine.generation_tokens";
}

std::string engine_signal(const Words& w) {
    if (w.any({"ttft"})) return "engine.ttft";
    if (w.any({"tpot", "itl"})) return "engine.itl";
    if (w.any({"token", "tokens", "tps"})) return token_signal(w);
    if (w.starts({"preempt", "retract"})) return "engine.preemptions";
    const bool hits = w.any({"hit", "hits"});
    if (hits && w.any({"kv", "prefix"})) return "engine.prefix_hit_ratio";
    if (w.any({"kv"}) && !w.starts({"transfer"})) return "engine.kv_usage";
    if (w.any({"prefill"}) && speaks_of_time(w)) return "engine.prefill_time";
    if (w.starts({"decod"}) && speaks_of_time(w)) return "engine.decode_time";
    const bool requests = w.starts({"req", "seq", "batch"});
    if (w.starts({"queue", "pending"}) || w.any({"waiting"}))
        return speaks_of_time(w) && !w.any({"waiting"}) ? "engine.queue_time" : "engine.waiting";
    if (w.starts({"abort", "cancel"})) return "engine.aborted";
    if (w.any({"running", "inflight", "concurrency", "concurrent", "ongoing"}) ||
        (w.any({"active"}) && requests) || (w.any({"batch"}) && w.any({"size"})))
        return "engine.running";
    if (w.any({"e2e"}) && speaks_of_time(w)) return "engine.e2e";
    return {};
}

std::string memory_signal(const Words& w) {
    if (w.starts({"pressure", "psi", "stall"})) return "node_pressure_memory_stalled_seconds_total";
    if (w.any({"limit"})) return "container_spec_memory_limit_bytes";
    if (w.any({"available", "avail", "free"})) return "node_memory_MemAvailable_bytes";
    if (w.any({"rate", "faults", "fault", "cached", "cache", "swap"})) return {};
    if (w.any({"node", "host"})) return "ray_node_mem_used";
    return w.any({"rss", "resident"}) ? "container_memory_rss"
                                      : "container_memory_working_set_bytes";
}

std::string cpu_signal(const Words& w) {
    if (w.starts({"throttl"})) return "container_cpu_cfs_throttled_seconds_total";
    if (w.starts({"pressure", "psi", "stall"})) return "node_pressure_cpu_waiting_seconds_total";
    if (w.any({"limit", "cores"}) && w.size() == 2 && w.any({"limit"})) return {};
    if (w.any({"load"})) return "node_load1";
    if (w.any({"node", "host"}) && w.size() > 1)
        return w.any({"cores", "usage", "util", "utilization", "percent", "pct"}) || w.size() == 2
                   ? "node_cpu_seconds_total"
                   : std::string();
    return "container_cpu_usage_seconds_total";
}

std::string network_signal(const Words& w) {
    if (w.starts({"retrans"})) return "node_netstat_Tcp_RetransSegs";
    if (w.starts({"drop", "lost", "loss"}))
        return "container_network_receive_packets_dropped_total";
    if (w.starts({"err"})) return "container_network_transmit_errors_total";
    if (w.starts({"laten", "rtt", "delay"})) return {};
    const bool packets = w.starts({"packet"});
    if (w.starts({"rx", "rec", "in"}) || w.any({"ingress"}))
        return "container_network_receive_bytes_total";
    return packets ? "container_network_transmit_packets_total"
                   : "container_network_transmit_bytes_total";
}

std::string disk_signal(const Words& w) {
    if (w.starts({"pressure", "psi"})) return "node_pressure_io_waiting_seconds_total";
    if (w.any({"free", "avail", "available"})) return "node_filesystem_avail_bytes";
    if (w.starts({"read"})) return "container_fs_reads_bytes_total";
    if (w.starts({"util", "busy"}) || w.any({"time"})) return "node_disk_io_time_seconds_total";
    if (w.any({"usage", "used", "size"}) && !w.any({"io"})) return "container_fs_usage_bytes";
    return "container_fs_writes_bytes_total";
}

std::string host_signal(const Words& w) {
    if (w.starts({"oom"})) return "container_oom_events_total";
    if (w.starts({"restart"})) return "kube_pod_container_status_restarts_total";
    if (w.starts({"cpu"})) return cpu_signal(w);
    if (w.starts({"mem", "rss", "ram", "heap"})) return memory_signal(w);
    if (w.starts({"disk", "fs", "iops"}) || w.any({"io"})) return disk_signal(w);
    if (w.starts({"retrans"})) return "node_netstat_Tcp_RetransSegs";
    if (w.starts({"socket", "connection", "conns"})) return "container_sockets";
    if (w.starts({"net", "packet"}) || w.any({"rx", "tx", "bandwidth"})) return network_signal(w);
    if (w.any({"threads"})) return "container_threads";
    if (w.any({"fds", "fd"})) return "container_file_descriptors";
    return {};
}

std::string service_signal(const Words& w) {
    if (w.starts({"laten", "duration", "rtt"}) ||
        (w.any({"response", "request"}) && w.any({"time"})))
        return "istio_request_duration_milliseconds";
    if (w.starts({"err", "fail", "exception"}) || w.any({"5xx"}))
        return "ray_serve_deployment_error_counter_total";
    if (w.any({"rps", "qps", "workload", "traffic"}) ||
        (w.starts({"req", "quer"}) && (says_per_second(w) || w.any({"total", "count", "num"}))) ||
        (w.size() == 1 && w.any({"requests", "throughput"})))
        return "istio_requests_total";
    if (w.size() == 1 && w.any({"up", "healthy"})) return "up";
    return {};
}

/// "cache" alone may be a component's name; after "kv" or "prefix" it is an engine's.
std::vector<std::string> without_engine_caches(std::vector<std::string> words) {
    for (std::size_t i = words.size(); i-- > 1;)
        if (words[i] == "cache" && (words[i - 1] == "kv" || words[i - 1] == "prefix"))
            words.erase(words.begin() + static_cast<std::ptrdiff_t>(i));
    return words;
}

bool is_running_total(const Words& w) {
    return w.any({"total", "count", "counter", "seconds", "restarts", "restart", "errors", "oom",
                  "retransmits", "preemptions", "failures", "xid", "ecc"});
}

}  // namespace

std::vector<std::string> words_of(std::string_view name) {
    std::vector<std::string> words;
    std::string word;
    const auto close = [&] {
        if (!word.empty()) words.push_back(std::move(word));
        word.clear();
    };
    for (std::size_t i = 0; i < name.size(); ++i) {
        const char c = name[i];
        if (!is_letter(c) && !is_digit(c)) {
            close();
            continue;
        }
        const bool after_lower =
            i > 0 && (std::islower(static_cast<unsigned char>(name[i - 1])) != 0);
        if (is_upper(c) && after_lower) close();
        word += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
    close();
    return words;
}

Statistic strip_statistic(std::string_view& metric) {
    const std::size_t cut = metric.find_last_of("_:.-/ ");
    if (cut == std::string_view::npos || cut == 0) return Statistic::none;
    const std::string_view end = metric.substr(cut + 1);
    Statistic found = statistic_of(end);
    if (end == "50" || end == "0.5") found = Statistic::p50;
    if (end == "90" || end == "0.9") found = Statistic::p90;
    if (end == "95" || end == "0.95") found = Statistic::p95;
    if (end == "99" || end == "0.99") found = Statistic::p99;
    if (end == "max") found = Statistic::none;
    if (found != Statistic::none) metric = metric.substr(0, cut);
    return found;
}

NamedByHand read_metric_words(std::string_view metric) {
    const Words w(words_of(metric));
    NamedByHand named;
    if (w.size() == 0) return named;
    for (const std::string& word : w.all())
        if (named.statistic == Statistic::none) named.statistic = statistic_of(word);
    if (w.starts({"gpu", "cuda", "dcgm", "nvidia", "vram"}) || (w.any({"sm"}) && w.any({"clock"})))
        named.signal = gpu_signal(w);
    if (named.signal.empty()) named.signal = engine_signal(w);
    if (named.signal.empty()) named.signal = host_signal(w);
    if (named.signal.empty()) named.signal = service_signal(w);
    if (named.signal.empty()) return {};
    named.unit = metric.find('%') == std::string_view::npos ? unit_of(w) : "%";
    named.is_rate = says_per_second(w) && named.unit != "%" && named.unit != "1" &&
                    named.signal != "engine.prefix_hit_ratio";
    if (is_running_total(w) && !named.is_rate) named.type = SignalType::untyped;
    // Latencies are means or quantiles of what happened in the interval, whoever wrote the name.
    const bool is_latency = named.signal == "istio_request_duration_milliseconds" ||
                            named.signal == "engine.ttft" || named.signal == "engine.itl" ||
                            named.signal == "engine.e2e" || named.signal.ends_with("_time");
    if (is_latency && named.statistic == Statistic::none) named.statistic = Statistic::mean;
    if (!is_latency) named.statistic = Statistic::none;
    return named;
}

bool says_only_how(std::string_view metric) {
    constexpr std::array<std::string_view, 33> how = {
        "b",     "byte",    "bytes", "c",     "celsius", "gb",   "gib",    "hz",      "kb",
        "kib",   "mb",      "mbps",  "mhz",   "mib",     "min",  "ms",     "msec",    "pct",
        "per",   "percent", "rate",  "ratio", "s",       "sec",  "second", "seconds", "secs",
        "total", "us",      "used",  "usage", "w",       "watts"};
    return std::ranges::all_of(words_of(metric), [&](const std::string& word) {
        return is_number(word) || statistic_of(word) != Statistic::none ||
               std::ranges::find(how, word) != how.end();
    });
}

bool is_all_metric_words(std::string_view metric) {
    const auto words = without_engine_caches(words_of(metric));
    return !words.empty() && !is_number(words.front()) &&
           std::ranges::all_of(words, is_metric_word);
}

bool is_readable_metric(std::string_view metric) {
    constexpr std::array<std::string_view, 8> places = {"proxy",   "upstream", "router", "client",
                                                        "service", "server",   "http",   "grpc"};
    auto words = without_engine_caches(words_of(metric));
    std::erase_if(words, [&](const std::string& word) {
        return std::ranges::find(places, word) != places.end();
    });
    return !words.empty() && !is_number(words.front()) &&
           std::ranges::all_of(words, is_metric_word);
}

}  // namespace culprit
