#include "culprit/readers/topology_reader.h"

#include <fmt/format.h>

#include <unordered_set>

#include "culprit/readers/column_finder.h"
#include "culprit/readers/csv_cursor.h"
#include "culprit/readers/file_bytes.h"

namespace culprit {
namespace {

bool is_host(std::string_view name) { return name.find(":10250") != std::string_view::npos; }

}  // namespace

Result<Topology> read_topology(std::string_view bytes, ProblemList& problems) {
    const auto text = as_text(bytes);
    if (!text) return problems.refuse({}, text.error().message);
    CsvCursor cursor(*text);
    if (!cursor.next()) return problems.refuse({}, "expected a header, found an empty file");
    const std::size_t count = cursor.fields().size();
    const std::size_t source = find_field(cursor.fields(), {"source"});
    const std::size_t destination = find_field(cursor.fields(), {"destination"});
    if (source == no_field || destination == no_field)
        return problems.refuse(
            {cursor.line(), 0},
            "expected the columns \"source\" and \"destination\", found not both");
    Topology topology;
    std::unordered_set<std::string> seen;
    while (cursor.next()) {
        const auto& row = cursor.fields();
        if (cursor.malformed() || row.size() != count || row[source].empty() ||
            row[destination].empty()) {
            CULPRIT_TRY_STATUS(problems.note(
                "edge", {cursor.line(), 0},
                fmt::format("expected {} fields with a source and a destination, found {}; the "
                            "edge was not used",
                            count, row.size())));
            continue;
        }
        TopologyEdge edge{std::string(row[source]), std::string(row[destination])};
        make_printable(edge.from);
        make_printable(edge.to);
        if (is_host(edge.to)) edge.kind = EdgeKind::runs_on;
        for (const std::string& name : {edge.from, edge.to})
            if (seen.insert(name).second)
                topology.nodes.push_back(
                    {name, is_host(name) ? NodeKind::host : NodeKind::service});
        topology.edges.push_back(std::move(edge));
    }
    return topology;
}

}  // namespace culprit
