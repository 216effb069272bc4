#include "culprit/catalogue/narrowed.h"

#include <algorithm>
#include <string>
#include <unordered_map>
#include <vector>

namespace culprit {
namespace {

using Entries = std::unordered_map<std::string, std::vector<const Signal*>>;

const Entries& narrowed_entries() {
    static const Entries entries = [] {
        Entries found;
        for (const Signal& signal : Catalogue::builtin().signals())
            if (!signal.where.empty()) found[signal.name].push_back(&signal);
        return found;
    }();
    return entries;
}

bool fulfils(const Labels& labels, const Labels& where) {
    return std::ranges::all_of(where, [&](const auto& condition) {
        const auto found = labels.find(condition.first);
        if (found == labels.end()) return false;
        const std::string& wanted = condition.second;
        if (wanted.ends_with('*'))
            return found->second.starts_with(wanted.substr(0, wanted.size() - 1));
        return found->second == wanted;
    });
}

}  // namespace

bool is_narrowed(const SeriesMatch& match) {
    return match.signal != nullptr && narrowed_entries().contains(match.signal->name);
}

SeriesMatch match_with_labels(std::string_view series_name, const Labels& labels) {
    SeriesMatch match = Catalogue::builtin().match(series_name);
    if (!is_narrowed(match)) return match;
    for (const Signal* signal : narrowed_entries().at(match.signal->name))
        if (fulfils(labels, signal->where)) {
            match.signal = signal;
            return match;
        }
    return match.signal->where.empty() ? match : SeriesMatch{};
}

}  // namespace culprit
