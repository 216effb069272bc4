#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "culprit/base/result.h"
#include "culprit/base/time.h"
#include "culprit/testbed/arrivals.h"

namespace culprit::testbed {

/// What a client saw of one request.
struct RequestRecord {
    TimePoint sent;
    double lateness_s = 0;  ///< sent after its time by so much: the generator's own delay
    int prompt_tokens = 0;
    int output_tokens = 0;     ///< asked for
    int received_tokens = 0;   ///< stream events with text
    int status = 0;            ///< HTTP status; 0 = no answer
    std::string problem;       ///< "" = complete
    double first_token_s = 0;  ///< time to first token; 0 = none came
    double total_s = 0;
    double token_gap_mean_s = 0;
    double token_gap_max_s = 0;
};

struct LoadOptions {
    std::string address;  ///< IPv4 address
    int port = 80;
    std::string path = "/v1/completions";
    std::string model = "model";
    /// Tokens that all prompts have in common, from their start: what a prefix cache can reuse.
    int shared_prefix_tokens = 0;
    /// Puts a number that never repeats in front: no prefix is ever shared.
    bool unique_prefix = false;
    /// The same, switched while the load runs.
    const std::atomic<bool>* unique_prefix_now = nullptr;
    double timeout_s = 60;
    std::uint64_t seed = 1;
    /// Called from the load's thread for every finished request.
    std::function<void(const RequestRecord&)> on_record = {};
};

/// Sends the arrivals from one thread with one connection per request, streaming, never waiting for
/// an answer before the next request. Ends when all are answered or timed out, or when `stop` says
/// so.
Result<std::vector<RequestRecord>> run_load(const std::vector<Arrival>& arrivals,
                                            const LoadOptions& options,
                                            const std::function<bool()>& stop);

/// CSV with one line per request.
std::string load_csv(const std::vector<RequestRecord>& records);

struct LoadSummary {
    std::size_t requests = 0;
    std::size_t failed = 0;  ///< those that the generator broke off when it ended do not count
    double first_token_s_p50 = 0, first_token_s_p95 = 0;
    double token_gap_s_p50 = 0, token_gap_s_p95 = 0;
    double total_s_p50 = 0, total_s_p95 = 0;
    double tokens_per_s = 0;
};
LoadSummary summarise(const std::vector<RequestRecord>& records);

}  // namespace culprit::testbed
