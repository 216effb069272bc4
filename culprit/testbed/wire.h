#pragma once

#include <functional>
#include <string>

#include "culprit/base/result.h"
#include "culprit/testbed/impairment.h"
#include "culprit/testbed/settings.h"

namespace culprit::testbed {

/// Leads all packets of one component, both ways, through this process and treats them as
/// `options` say, until `stop`. Real packets on a real network stack: TCP retransmits what is lost.
/// For kernels without netem. The detour consists of two TUN devices and two routes that are better
/// than the normal ones; when this process ends, however it ends, the kernel removes the devices
/// and with them the routes, and the normal route is in use again.
///
/// Must run single-threaded: it enters network namespaces. `ready` is called once packets flow.
Status run_wire(const Settings& settings, const std::string& component,
                const ImpairmentOptions& options, const std::function<void()>& ready,
                const std::function<bool()>& stop);

}  // namespace culprit::testbed
