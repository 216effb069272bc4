#include "culprit/tailored/metric_family.h"

#include <array>
#include <cctype>
#include <span>

namespace culprit::tailored {
namespace {

std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return out;
}

bool contains_any(std::string_view text, std::span<const std::string_view> words) {
    for (const std::string_view word : words)
        if (text.find(word) != std::string_view::npos) return true;
    return false;
}

/// The name without the digits and separators that tell quantiles and releases apart.
std::string stem(std::string_view name) {
    std::string out;
    for (const char c : name)
        if (std::isdigit(static_cast<unsigned char>(c)) == 0) out += c;
    while (!out.empty() && (out.back() == '-' || out.back() == '_' || out.back() == '.'))
        out.pop_back();
    return out.empty() ? std::string(name) : out;
}

struct Vocabulary {
    std::string_view key;
    std::array<std::string_view, 5> words;  // unused places hold the first word again
};

// In order of precedence: "socket" before "net", because a socket count is no traffic volume.
constexpr std::array own_families = {
    Vocabulary{"cpu", {"cpu", "cpu", "cpu", "cpu", "cpu"}},
    Vocabulary{"gpu", {"gpu", "dcgm", "sm_clock", "gpu", "gpu"}},
    Vocabulary{"memory", {"mem", "rss", "heap", "working_set", "swap"}},
    Vocabulary{"disk", {"disk", "fs_", "filesystem", "blkio", "iops"}},
    Vocabulary{"socket", {"socket", "conn", "socket", "socket", "socket"}},
    Vocabulary{"network", {"net", "packet", "retrans", "rx_", "tx_"}},
    Vocabulary{"syscall", {"syscall", "syscall", "syscall", "syscall", "syscall"}},
};

}  // namespace

MetricFamily family_of(std::string_view metric) {
    static constexpr std::array<std::string_view, 5> latency = {"laten", "duration",
                                                                "response_time", "rtt", "ttft"};
    static constexpr std::array<std::string_view, 2> availability = {"avail", "success"};
    static constexpr std::array<std::string_view, 4> errors = {"error", "fail", "5xx", "exception"};
    static constexpr std::array<std::string_view, 4> traffic = {"request", "workload", "throughput",
                                                                "qps"};
    const std::string name = lower(metric);
    if (contains_any(name, latency)) return {FamilyRole::latency, "latency"};
    if (contains_any(name, availability)) return {FamilyRole::availability, "errors"};
    if (contains_any(name, errors)) return {FamilyRole::errors, "errors"};
    if (name == "load" || name == "rps" || contains_any(name, traffic))
        return {FamilyRole::traffic, "traffic"};
    for (const Vocabulary& family : own_families)
        if (contains_any(name, family.words)) return {FamilyRole::own, std::string(family.key)};
    return {FamilyRole::own, stem(name)};
}

int latency_rank(std::string_view metric) {
    const std::string name = lower(metric);
    if (name.find("average") != std::string::npos || name.find("mean") != std::string::npos ||
        name.find("avg") != std::string::npos)
        return 0;
    if (name.find("50") != std::string::npos) return 1;
    if (name.find("90") != std::string::npos) return 2;
    if (name.find("95") != std::string::npos) return 3;
    return name.find("99") != std::string::npos ? 4 : 1;
}

}  // namespace culprit::tailored
