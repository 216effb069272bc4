#include "culprit/testbed/wire.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>

#include "culprit/testbed/child_process.h"

namespace culprit::testbed {
namespace {

class Descriptor {
public:
    explicit Descriptor(int value) : value_(value) {}
    Descriptor(Descriptor&& other) noexcept : value_(std::exchange(other.value_, -1)) {}
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    Descriptor& operator=(Descriptor&&) = delete;
    ~Descriptor() {
        if (value_ >= 0) close(value_);
    }
    int get() const { return value_; }

private:
    int value_;
};

Status enter(const Descriptor& netns) {
    if (setns(netns.get(), CLONE_NEWNET) == 0) return {};
    return fail(ErrorCode::io_failure, fmt::format("setns: {}", std::strerror(errno)));
}

// A TUN device in the given namespace; the calling process ends up in that namespace.
Result<Descriptor> open_tun(const Descriptor& netns, const std::string& name) {
    CULPRIT_TRY_STATUS(enter(netns));
    Descriptor tun(open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC));
    ifreq request{};
    request.ifr_flags = IFF_TUN | IFF_NO_PI;
    std::snprintf(request.ifr_name, IFNAMSIZ, "%s", name.c_str());
    if (tun.get() < 0 || ioctl(tun.get(), TUNSETIFF, &request) != 0)
        return fail(ErrorCode::io_failure,
                    fmt::format("cannot make the device {}: {}", name, std::strerror(errno)));
    return tun;
}

Status run_ip(const std::string& netns, std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"ip", "-n", netns});
    CULPRIT_TRY(const auto output, run_command(arguments, 10));
    if (output.exit_code == 0) return {};
    return fail(ErrorCode::io_failure,
                fmt::format("`{}`: {}", fmt::join(arguments, " "), output.text));
}

// Everything that waits on `from` into the link, everything due out of it into `to`.
void pump(int from, int to, ImpairedLink& link) {
    char buffer[65536];
    while (true) {
        const auto size = read(from, buffer, sizeof buffer);
        if (size <= 0) break;
        link.enter(monotonic_seconds(), std::string(buffer, static_cast<std::size_t>(size)));
    }
    while (auto packet = link.leave(monotonic_seconds())) {
        // A full queue of the kernel drops the packet, as a network card would.
        [[maybe_unused]] const auto written = write(to, packet->data(), packet->size());
    }
}

int wait_ms(const ImpairedLink& first, const ImpairedLink& second) {
    double wait = 0.1;
    for (const auto& due : {first.next_due(), second.next_due()})
        if (due) wait = std::min(wait, *due - monotonic_seconds());
    return std::max(0, static_cast<int>(std::ceil(wait * 1000)));
}

}  // namespace

Status run_wire(const Settings& settings, const std::string& component,
                const ImpairmentOptions& options, const std::function<void()>& ready,
                const std::function<bool()>& stop) {
    CULPRIT_TRY(const auto place, settings.component(component));
    const auto names = settings.network();
    const auto pod = names.pod(component);
    const auto fabric = names.fabric();
    const Descriptor pod_ns(open(NetworkNames::path_of(pod).c_str(), O_RDONLY | O_CLOEXEC));
    const Descriptor fabric_ns(open(NetworkNames::path_of(fabric).c_str(), O_RDONLY | O_CLOEXEC));
    if (pod_ns.get() < 0 || fabric_ns.get() < 0)
        return fail(ErrorCode::missing_input,
                    fmt::format("no network namespace {} or {}", pod, fabric));
    const auto fabric_device = fmt::format("w{}", place.host);
    CULPRIT_TRY(const auto inner, open_tun(pod_ns, "wire0"));
    CULPRIT_TRY(const auto outer, open_tun(fabric_ns, fabric_device));
    const auto address = names.address(place.host);
    CULPRIT_TRY_STATUS(run_ip(pod, {"link", "set", "wire0", "up"}));
    CULPRIT_TRY_STATUS(run_ip(fabric, {"link", "set", fabric_device, "up"}));
    CULPRIT_TRY_STATUS(
        run_ip(pod, {"route", "add", "default", "dev", "wire0", "src", address, "metric", "10"}));
    CULPRIT_TRY_STATUS(
        run_ip(fabric, {"route", "add", address + "/32", "dev", fabric_device, "metric", "10"}));
    ready();
    ImpairmentOptions back = options;
    back.seed = derive_seed(options.seed, "back");
    ImpairedLink outgoing(options);
    ImpairedLink incoming(back);
    while (!stop()) {
        pollfd waiting[2] = {{.fd = inner.get(), .events = POLLIN, .revents = 0},
                             {.fd = outer.get(), .events = POLLIN, .revents = 0}};
        poll(waiting, 2, wait_ms(outgoing, incoming));
        pump(inner.get(), outer.get(), outgoing);
        pump(outer.get(), inner.get(), incoming);
    }
    return {};
}

}  // namespace culprit::testbed
