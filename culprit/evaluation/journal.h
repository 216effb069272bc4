#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <unordered_map>
#include <vector>

#include "culprit/base/result.h"
#include "culprit/evaluation/cell.h"

namespace culprit {

/// The results of an evaluation on disk, one JSON object per line, only ever appended to. A killed
/// run loses nothing that `append` returned for: each record is one write; every 64 records or
/// second, and at the end, the file is also synced, so that a power cut costs at most that. A last
/// line that a kill cut short is moved out of the way when the journal is opened again; its cell is
/// computed anew. One process at a time: the file is locked. Not thread safe.
class Journal {
public:
    /// Creates the file when there is none. io_failure: unreadable, not writable, locked by another
    /// run. malformed_data (with its line number): a line in the middle is no record.
    static Result<Journal> open(const std::string& path);
    Journal(Journal&& other) noexcept;
    Journal& operator=(Journal&&) = delete;
    Journal(const Journal&) = delete;
    Journal& operator=(const Journal&) = delete;
    ~Journal();

    /// Null when the cell has not been computed. The pointer is valid until the next append.
    const CellRecord* find(const CellKey& key) const;
    Status append(CellRecord cell);
    Status sync();
    std::size_t size() const { return cells_.size(); }
    /// Bytes of a torn last line that `open` dropped.
    std::size_t num_torn_bytes() const { return num_torn_bytes_; }

private:
    Journal() = default;

    std::string path_;
    int descriptor_ = -1;
    std::size_t num_torn_bytes_ = 0;
    std::size_t num_unsynced_ = 0;
    std::chrono::steady_clock::time_point last_sync_{};
    std::vector<CellRecord> cells_;
    std::unordered_map<std::string, std::size_t> index_;  // looked up, never iterated
};

}  // namespace culprit
