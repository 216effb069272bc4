#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "culprit/testbed/access_log.h"

namespace culprit::testbed {

// OTLP JSON messages, one per line, as the OpenTelemetry collector's file exporter writes them:
// what `culprit diagnose --from <run>/culprit.yaml` reads beside Prometheus.

struct LogLine {
    std::int64_t time_ns = 0;
    std::string_view container;
    std::string_view file;
    std::string_view text;
};
std::string otlp_log_line(const LogLine& line);

/// The proxy's root span of one request, out of its access log.
std::string otlp_proxy_span_line(const AccessRecord& record);

}  // namespace culprit::testbed
