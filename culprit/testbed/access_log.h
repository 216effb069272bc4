#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "culprit/base/time.h"

namespace culprit::testbed {

/// One request as nginx logged it (log format `trace` of nginx_configuration).
struct AccessRecord {
    TimePoint end;
    double seconds = 0;  ///< from the first byte of the request to the last of the answer
    int status = 0;
    std::string method;
    std::string uri;
    std::string trace_id;
    std::string span_id;
    std::string upstream;  ///< "address:port" of the last upstream tried; "" = none
    int upstream_status = 0;
    double upstream_header_seconds = 0;  ///< until the first byte of the upstream's answer
    double upstream_seconds = 0;
};

/// Nothing when the line is not of that format.
std::optional<AccessRecord> parse_access_line(std::string_view line);

}  // namespace culprit::testbed
