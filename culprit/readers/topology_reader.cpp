#include "culprit/readers/topology_reader.h"

#include <fmt/format.h>

#include <unordered_set>

#include "culprit/readers/column_finder.h"
#include "culprit/readers/csv_cursor.h"
#include "culprit/readers/file_bytes.h"
#include "culprit/readers/metric_table.h"

namespace culprit {
namespace {

bool is_host(std::string_view name) { return name.find(":10250") != std::string_view::npos; }

// Calls `add` with the two named fields of every row that has them.
template <class Add>
Status read_pairs(std::string_view bytes, ProblemList& problems, std::string_view first,
                  std::string_view second, Add add) {
    const auto text = as_text(bytes);
    if (!text) return problems.refuse({}, text.error().message);
    CsvCursor cursor(*text);
    if (!cursor.next()) return problems.refuse({}, "expected a header, found an empty file");
    const std::size_t count = cursor.fields().size();
    const std::size_t first_field = find_field(cursor.fields(), {first});
    const std::size_t second_field = find_field(cursor.fields(), {second});
    if (first_field == no_field || second_field == no_field)
        return problems.refuse(
            {cursor.line(), 0},
            fmt::format("expected the columns \"{}\" and \"{}\", found not both", first, second));
    while (cursor.next()) {
        const auto& row = cursor.fields();
        if (cursor.malformed() || row.size() != count || row[first_field].empty() ||
            row[second_field].empty()) {
            CULPRIT_TRY_STATUS(problems.note(
                "edge", {cursor.line(), 0},
                fmt::format("expected {} fields with a {} and a {}, found {} fields; the row was "
                            "not used",
                            count, first, second, row.size())));
            continue;
        }
        std::string from(row[first_field].substr(0, name_bytes_max));
        std::string to(row[second_field].substr(0, name_bytes_max));
        make_printable(from);
        make_printable(to);
        add(std::move(from), std::move(to));
    }
    return {};
}

// "carts-7d648bc7b8-q2xtl" is a pod of "carts": the suffixes are the replica set's hash and the
// pod's, of 8 to 10 and of 5 characters.
std::string service_of_pod(std::string_view pod) {
    const std::size_t last = pod.rfind('-');
    if (last == std::string_view::npos || last == 0 || pod.size() - last - 1 != 5)
        return std::string(pod);
    const std::size_t middle = pod.rfind('-', last - 1);
    if (middle == std::string_view::npos || middle == 0) return std::string(pod.substr(0, last));
    const std::size_t length = last - middle - 1;
    const bool is_hash =
        length >= 8 && length <= 10 &&
        pod.substr(middle + 1, length).find_first_of("0123456789") != std::string_view::npos;
    return std::string(pod.substr(0, is_hash ? middle : last));
}

}  // namespace

Result<Topology> read_topology(std::string_view bytes, ProblemList& problems) {
    Topology topology;
    std::unordered_set<std::string> seen;
    CULPRIT_TRY_STATUS(
        read_pairs(bytes, problems, "source", "destination", [&](std::string from, std::string to) {
            for (const std::string& name : {from, to})
                if (seen.insert(name).second)
                    topology.nodes.push_back(
                        {name, is_host(name) ? NodeKind::host : NodeKind::service});
            const EdgeKind kind = is_host(to) ? EdgeKind::runs_on : EdgeKind::calls;
            topology.edges.push_back({std::move(from), std::move(to), kind});
        }));
    return topology;
}

Status add_placements(std::string_view bytes, ProblemList& problems, Topology& topology) {
    std::unordered_set<std::string> nodes;
    std::unordered_set<std::string> edges;
    for (const TopologyNode& node : topology.nodes) nodes.insert(node.name);
    return read_pairs(bytes, problems, "POD", "NODE_NAME",
                      [&](const std::string& pod, const std::string& host) {
                          const std::string service = service_of_pod(pod);
                          if (!edges.insert(service + '\0' + host).second) return;
                          if (nodes.insert(service).second)
                              topology.nodes.push_back({service, NodeKind::service});
                          if (nodes.insert(host).second)
                              topology.nodes.push_back({host, NodeKind::host});
                          topology.edges.push_back({service, host, EdgeKind::runs_on});
                      });
}

}  // namespace culprit
