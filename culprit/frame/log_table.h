#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "culprit/base/time.h"
#include "culprit/frame/string_pool.h"

namespace culprit {

/// Log records, one entry per record in every vector, in the order of the source (not necessarily
/// of time). Messages lie end to end in one arena.
struct LogTable {
    std::vector<TimePoint> time;
    std::vector<std::uint32_t> source;         ///< index into `sources`
    std::vector<std::uint64_t> message_end{};  ///< end of record i's message in `arena`
    std::string arena;
    StringPool sources;  ///< containers or services

    std::size_t size() const { return time.size(); }
    std::string_view message(std::size_t record) const {
        const std::uint64_t begin = record == 0 ? 0 : message_end[record - 1];
        return std::string_view(arena).substr(begin, message_end[record] - begin);
    }
    void add(TimePoint when, std::string_view source_name, std::string_view text) {
        time.push_back(when);
        source.push_back(sources.intern(source_name));
        arena.append(text);
        message_end.push_back(arena.size());
    }
};

}  // namespace culprit
