#include "culprit/evaluation/journal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace culprit {
namespace {

constexpr std::size_t records_per_sync_max = 64;
constexpr std::chrono::seconds sync_interval{1};

tl::unexpected<Error> system_failure(const std::string& path, std::string_view what) {
    return fail(ErrorCode::io_failure,
                fmt::format("{}: can't {}: {}", path, what, std::strerror(errno)));
}

Result<std::string> read_all(int descriptor, const std::string& path) {
    std::string text;
    char buffer[1 << 16];
    for (;;) {
        const ssize_t got = ::read(descriptor, buffer, sizeof buffer);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return system_failure(path, "read");
        if (got == 0) return text;
        text.append(buffer, static_cast<std::size_t>(got));
    }
}

Status write_all(int descriptor, std::string_view text, const std::string& path) {
    while (!text.empty()) {
        const ssize_t written = ::write(descriptor, text.data(), text.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return system_failure(path, "write");
        text.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
}

}  // namespace

Result<Journal> Journal::open(const std::string& path) {
    Journal journal;
    journal.path_ = path;
    journal.descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (journal.descriptor_ < 0) return system_failure(path, "open");
    if (::flock(journal.descriptor_, LOCK_EX | LOCK_NB) != 0)
        return fail(ErrorCode::io_failure,
                    fmt::format("{}: another evaluation is writing here", path));
    CULPRIT_TRY(const std::string text, read_all(journal.descriptor_, path));
    std::size_t begin = 0;
    for (std::size_t line = 1; begin < text.size(); ++line) {
        const std::size_t end = text.find('\n', begin);
        if (end == std::string::npos) break;
        auto cell = cell_from_json_line(std::string_view(text).substr(begin, end - begin));
        if (!cell) {
            // A power cut may leave a last line of the right length with blocks never written.
            if (end + 1 == text.size()) break;
            return fail(ErrorCode::malformed_data,
                        fmt::format("{}:{}: expected a result, found: {}\nMove the file away to "
                                    "start over, or give another --output.",
                                    path, line, cell.error().message));
        }
        journal.index_[cell->key.text()] = journal.cells_.size();
        journal.cells_.push_back(std::move(*cell));
        begin = end + 1;
    }
    journal.num_torn_bytes_ = text.size() - begin;
    if (::ftruncate(journal.descriptor_, static_cast<off_t>(begin)) != 0)
        return system_failure(path, "truncate");
    if (::lseek(journal.descriptor_, 0, SEEK_END) < 0) return system_failure(path, "seek");
    journal.last_sync_ = std::chrono::steady_clock::now();
    return journal;
}

Journal::Journal(Journal&& other) noexcept
    : path_(std::move(other.path_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      num_torn_bytes_(other.num_torn_bytes_),
      num_unsynced_(other.num_unsynced_),
      last_sync_(other.last_sync_),
      cells_(std::move(other.cells_)),
      index_(std::move(other.index_)) {}

Journal::~Journal() {
    if (descriptor_ < 0) return;
    ::fsync(descriptor_);
    ::close(descriptor_);
}

const CellRecord* Journal::find(const CellKey& key) const {
    const auto found = index_.find(key.text());
    return found == index_.end() ? nullptr : &cells_[found->second];
}

Status Journal::append(CellRecord cell) {
    CULPRIT_TRY_STATUS(write_all(descriptor_, to_json_line(cell) + "\n", path_));
    index_[cell.key.text()] = cells_.size();
    cells_.push_back(std::move(cell));
    ++num_unsynced_;
    const bool is_due = num_unsynced_ >= records_per_sync_max ||
                        std::chrono::steady_clock::now() - last_sync_ > sync_interval;
    return is_due ? sync() : Status{};
}

Status Journal::sync() {
    if (::fdatasync(descriptor_) != 0) return system_failure(path_, "sync");
    num_unsynced_ = 0;
    last_sync_ = std::chrono::steady_clock::now();
    return {};
}

}  // namespace culprit
