#include "culprit/readers/section_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>
#include <xxhash.h>

#include <array>
#include <bit>
#include <cerrno>
#include <cstdio>

namespace culprit {
namespace {

static_assert(std::endian::native == std::endian::little, "the file is read in place");

constexpr std::string_view magic = "CULPRIT1";
constexpr std::size_t header_bytes = 24;
constexpr std::size_t entry_bytes = 32;
constexpr std::size_t alignment = 64;
constexpr std::size_t sections_max = 4096;

std::size_t align(std::size_t offset) { return (offset + alignment - 1) / alignment * alignment; }

std::uint64_t load(std::string_view bytes, std::size_t at) {
    std::uint64_t value = 0;
    std::memcpy(&value, bytes.data() + at, sizeof(value));
    return value;
}

void append(std::string& bytes, std::uint64_t value) {
    bytes.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

std::uint64_t checksum(std::string_view bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

tl::unexpected<Error> refuse(std::string_view what) {
    return fail(ErrorCode::malformed_data, fmt::format("expected a culprit file, found {}", what));
}

// A file that is deleted unless it was renamed to its place.
class TemporaryFile {
public:
    explicit TemporaryFile(const std::string& path)
        : path_(fmt::format("{}.{}.part", path, getpid())),
          descriptor_(::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)) {}
    TemporaryFile(const TemporaryFile&) = delete;
    TemporaryFile& operator=(const TemporaryFile&) = delete;
    ~TemporaryFile() {
        if (descriptor_ < 0) return;
        ::close(descriptor_);
        ::unlink(path_.c_str());
    }
    bool write(std::string_view bytes) {
        while (!bytes.empty()) {
            const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
            if (written < 0 && errno == EINTR) continue;
            if (written < 0) return false;
            bytes.remove_prefix(static_cast<std::size_t>(written));
        }
        return true;
    }
    bool move_to(const std::string& path) {
        const bool closed = ::close(descriptor_) == 0;
        descriptor_ = -1;
        if (closed && std::rename(path_.c_str(), path.c_str()) == 0) return true;
        ::unlink(path_.c_str());
        return false;
    }
    bool good() const { return descriptor_ >= 0; }

private:
    std::string path_;
    int descriptor_;
};

}  // namespace

Status SectionWriter::write(const std::string& path) const {
    std::string directory;
    std::size_t offset = align(header_bytes + sections_.size() * entry_bytes);
    for (const Section& section : sections_) {
        append(directory, section.kind);
        append(directory, offset);
        append(directory, section.bytes.size());
        append(directory, checksum(section.bytes));
        offset = align(offset + section.bytes.size());
    }
    std::string head(magic);
    append(head, sections_.size());
    append(head, checksum(directory));
    head += directory;
    TemporaryFile file(path);
    constexpr std::array<char, alignment> zeros{};
    const auto pad = [&](std::size_t size) {
        return file.write({zeros.data(), align(size) - size});
    };
    bool good = file.good() && file.write(head);
    std::size_t size = head.size();
    for (const Section& section : sections_) {
        good = good && pad(size) && file.write(section.bytes);  // none behind the last one
        size = section.bytes.size();
    }
    if (good && file.move_to(path)) return {};
    return fail(ErrorCode::io_failure,
                fmt::format("{}: cannot write: {}", path, std::strerror(errno)));
}

Result<SectionReader> SectionReader::open(FileBytes bytes) {
    const std::string_view all = bytes.view();
    if (all.size() < header_bytes || !all.starts_with(magic)) return refuse("other bytes");
    const std::uint64_t count = load(all, 8);
    if (count > sections_max || all.size() < header_bytes + count * entry_bytes)
        return refuse(fmt::format("a directory of {} entries in {} bytes", count, all.size()));
    const std::string_view directory = all.substr(header_bytes, count * entry_bytes);
    if (checksum(directory) != load(all, 16)) return refuse("a damaged directory");
    SectionReader reader;
    for (std::size_t i = 0; i < count; ++i) {
        const std::uint64_t kind = load(directory, i * entry_bytes);
        const std::uint64_t offset = load(directory, i * entry_bytes + 8);
        const std::uint64_t size = load(directory, i * entry_bytes + 16);
        if (offset % alignment != 0 || offset > all.size() || size > all.size() - offset)
            return refuse(fmt::format("section {} outside the file (truncated?)", kind));
        const std::string_view section = all.substr(offset, size);
        if (checksum(section) != load(directory, i * entry_bytes + 24))
            return refuse(fmt::format("section {} damaged", kind));
        if (reader.has(kind)) return refuse(fmt::format("section {} twice", kind));
        reader.sections_.push_back({kind, section});
    }
    reader.bytes_ = std::move(bytes);
    return reader;
}

const SectionReader::Section* SectionReader::find(std::uint64_t kind) const {
    for (const Section& section : sections_)
        if (section.kind == kind) return &section;
    return nullptr;
}

std::string_view SectionReader::section(std::uint64_t kind) const {
    const Section* found = find(kind);
    return found == nullptr ? std::string_view{} : found->bytes;
}

tl::unexpected<Error> SectionReader::wrong_size(std::uint64_t kind, std::size_t expected,
                                                std::size_t found) {
    return refuse(fmt::format("{} values in section {} where {} belong", found, kind, expected));
}

}  // namespace culprit
