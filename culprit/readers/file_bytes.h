#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "culprit/base/result.h"

namespace culprit {

/// A file's content in memory: a read-only mapping when the file is plain, a buffer when it was
/// compressed. Copies share it.
class FileBytes {
public:
    FileBytes() = default;
    FileBytes(std::shared_ptr<const char> owner, std::size_t size)
        : owner_(std::move(owner)), size_(size) {}
    std::string_view view() const { return {owner_.get(), size_}; }
    const std::shared_ptr<const char>& owner() const { return owner_; }

private:
    std::shared_ptr<const char> owner_;
    std::size_t size_ = 0;
};

/// Opens `path`, a regular file, and unpacks it if its first bytes are those of gzip or zstd
/// (whatever its name). Refuses: missing_input; io_failure; malformed_data for a damaged or
/// truncated archive; invalid_input when the content is larger than `bytes_max` (0 = three
/// quarters of the machine's memory), without having unpacked more than that.
Result<FileBytes> open_file(const std::string& path, std::size_t bytes_max = 0);

/// Unpacks gzip (several members too) or zstd (several frames too); other bytes come back as they
/// are, sharing nothing with `bytes`.
Result<FileBytes> unpack(std::string_view bytes, std::size_t bytes_max);

/// `folder/name`, `folder/name.gz` or `folder/name.zst`: the first that is there, whatever it is
/// and whether it may be read: open_file says what is wrong with it.
std::optional<std::string> find_file(const std::string& folder, std::string_view name);

/// Three quarters of the machine's memory, in bytes.
std::size_t memory_bytes_max();

/// The text without a UTF-8 byte-order mark. Refuses (malformed_data) UTF-16, UTF-32 and binary.
Result<std::string_view> as_text(std::string_view bytes);

}  // namespace culprit
