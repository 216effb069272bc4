#include "apps/culprit/live_case.h"

#include "culprit/base/clock.h"

namespace culprit::cli {

Result<Collection> collect_live_case(const std::string& config, const std::string& at) {
    CULPRIT_TRY(const CollectConfig read, read_config(config));
    const TimePoint now = wall_clock_now();
    CULPRIT_TRY(const TimePoint alert, alert_time(read, at, now));
    const auto transport = make_curl_transport();
    return collect_case(read, alert, now, *transport);
}

}  // namespace culprit::cli
