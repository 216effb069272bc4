#include "culprit/testbed/network.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "culprit/testbed/child_process.h"

namespace culprit::testbed {
namespace {

Status run_ip(const std::vector<std::string>& arguments) {
    std::vector<std::string> command{"ip"};
    command.insert(command.end(), arguments.begin(), arguments.end());
    CULPRIT_TRY(const auto output, run_command(command, 20));
    if (output.exit_code == 0) return {};
    return fail(ErrorCode::io_failure,
                fmt::format("`{}` refused: {}", fmt::join(command, " "), output.text));
}

// One `ip` process for many commands: starting forty of them takes seconds on a busy machine.
Status run_batch(const std::string& netns, const std::string& commands) {
    std::vector<std::string> command{"ip"};
    if (!netns.empty()) command.insert(command.end(), {"-n", netns});
    command.insert(command.end(), {"-batch", "-"});
    CULPRIT_TRY(const auto output, run_command(command, 20, commands));
    if (output.exit_code == 0) return {};
    return fail(ErrorCode::io_failure,
                fmt::format("`ip -batch` in \"{}\" refused: {}\n{}", netns, output.text, commands));
}

}  // namespace

Status create_fabric(const NetworkNames& names) {
    const auto fabric = names.fabric();
    const auto ours = fmt::format("cu{}r", names.index);
    const auto theirs = fmt::format("cu{}f", names.index);
    CULPRIT_TRY_STATUS(run_ip({"netns", "add", fabric}));
    CULPRIT_TRY_STATUS(
        run_ip({"link", "add", ours, "type", "veth", "peer", "name", theirs, "netns", fabric}));
    CULPRIT_TRY_STATUS(
        run_batch("", fmt::format("addr add {0} peer {1} dev {2}\nlink set {2} up\n"
                                  "route add {3}/24 via {1} dev {2}\n",
                                  names.outside(), names.router(), ours, names.address(0))));
    CULPRIT_TRY_STATUS(run_batch(
        fabric, fmt::format("link set lo up\naddr add {0} peer {1} dev {2}\nlink set {2} up\n"
                            "route add default via {1} dev {2}\n",
                            names.router(), names.outside(), theirs)));
    constexpr const char* routing =
        "echo 1 > /proc/sys/net/ipv4/ip_forward; "
        "echo 0 > /proc/sys/net/ipv4/conf/all/rp_filter; "
        "echo 0 > /proc/sys/net/ipv4/conf/default/rp_filter";
    return run_ip({"netns", "exec", fabric, "/bin/sh", "-c", routing});
}

Status create_pod(const NetworkNames& names, const std::string& component, int host) {
    const auto pod = names.pod(component);
    const auto cable = NetworkNames::cable(host);
    CULPRIT_TRY_STATUS(run_ip({"netns", "add", pod}));
    CULPRIT_TRY_STATUS(run_ip({"-n", names.fabric(), "link", "add", cable, "type", "veth", "peer",
                               "name", "eth0", "netns", pod}));
    // The routes have a metric, so that a fault can lay a better one over them for a while.
    CULPRIT_TRY_STATUS(
        run_batch(names.fabric(), fmt::format("addr add {0}/32 dev {1}\nlink set {1} up\n"
                                              "route add {2}/32 dev {1} metric 100\n",
                                              names.router(), cable, names.address(host))));
    return run_batch(pod, fmt::format("link set lo up\naddr add {0}/32 dev eth0\nlink set eth0 up\n"
                                      "route add {1}/32 dev eth0\n"
                                      "route add default via {1} dev eth0 metric 100\n",
                                      names.address(host), names.router()));
}

std::vector<std::string> existing_namespaces(const std::string& testbed) {
    std::vector<std::string> found;
    std::error_code error;
    const auto prefix = "culprit-" + testbed + "-";
    for (const auto& entry : std::filesystem::directory_iterator("/var/run/netns", error))
        if (entry.path().filename().string().starts_with(prefix))
            found.push_back(entry.path().filename());
    std::ranges::sort(found);
    return found;
}

Status destroy_network(const NetworkNames& names) {
    const auto ours = fmt::format("cu{}r", names.index);
    const auto device = "/sys/class/net/" + ours;
    // The reaper may be at the same work: what is gone afterwards is no error.
    if (std::filesystem::exists(device))
        if (auto status = run_ip({"link", "del", ours}); !status && std::filesystem::exists(device))
            return status;
    for (const auto& netns : existing_namespaces(names.testbed))
        if (auto status = run_ip({"netns", "del", netns});
            !status && std::filesystem::exists(NetworkNames::path_of(netns)))
            return status;
    return {};
}

}  // namespace culprit::testbed
