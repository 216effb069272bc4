#pragma once

#include <string>
#include <vector>

#include "culprit/base/result.h"

namespace culprit::testbed {

/// Addresses and names of one testbed's network: every component has a network namespace of its own
/// with one address of 10.77.<index>.0/24, all joined by a routing namespace ("fabric"); the
/// caller's namespace reaches them through one virtual cable. No packet leaves the machine.
///
///   ours --[cu<index>r 10.77.i.254 | 10.77.i.253 cu<index>f]-- fabric --[v<n> | eth0 10.77.i.n]--
///   pod
struct NetworkNames {
    std::string testbed;  ///< its name, part of every namespace's name
    int index = 0;        ///< 0..254, the third byte of the addresses

    std::string fabric() const { return "culprit-" + testbed + "-fabric"; }
    std::string pod(const std::string& component) const {
        return "culprit-" + testbed + "-" + component;
    }
    static std::string path_of(const std::string& netns) { return "/var/run/netns/" + netns; }
    std::string address(int host) const {
        return "10.77." + std::to_string(index) + "." + std::to_string(host);
    }
    std::string outside() const { return address(254); }
    std::string router() const { return address(253); }
    static std::string cable(int host) { return "v" + std::to_string(host); }
};

/// Creates the routing namespace and our cable into it.
Status create_fabric(const NetworkNames& names);
/// Creates a component's namespace with its address.
Status create_pod(const NetworkNames& names, const std::string& component, int host);
/// Removes every namespace and cable of the testbed; nothing to remove is no error.
Status destroy_network(const NetworkNames& names);
/// The namespaces of this testbed that exist.
std::vector<std::string> existing_namespaces(const std::string& testbed);

}  // namespace culprit::testbed
