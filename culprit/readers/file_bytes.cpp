#include "culprit/readers/file_bytes.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "culprit/readers/problem_list.h"

namespace culprit {
namespace {

constexpr std::string_view gzip_magic = "\x1f\x8b";
constexpr std::string_view zstd_magic = "\x28\xb5\x2f\xfd";

// A growing buffer of bytes that are not initialised first; realloc moves pages, not contents.
class ByteBuffer {
public:
    explicit ByteBuffer(std::size_t bytes_max) : bytes_max_(bytes_max) {}
    ByteBuffer(const ByteBuffer&) = delete;
    ByteBuffer& operator=(const ByteBuffer&) = delete;
    ~ByteBuffer() { std::free(data_); }

    // Room for at least one more byte; false when the limit is reached or memory ran out.
    bool grow(std::size_t hint) {
        if (size < capacity) return true;
        std::size_t wanted = std::max({hint, capacity * 2, std::size_t{1} << 16});
        wanted = std::min(wanted, bytes_max_ + 1);
        if (wanted <= capacity) return false;
        void* grown = std::realloc(data_, wanted);
        if (grown == nullptr) return false;
        data_ = static_cast<char*>(grown);
        capacity = wanted;
        return true;
    }
    char* end() { return data_ + size; }
    std::size_t room() const { return capacity - size; }
    FileBytes release() {
        std::shared_ptr<const char> owner(data_, [](const char* p) {
            std::free(const_cast<char*>(p));  // NOLINT(cppcoreguidelines-*): from realloc
        });
        data_ = nullptr;
        return {std::move(owner), size};
    }

    std::size_t size = 0;
    std::size_t capacity = 0;

private:
    std::size_t bytes_max_;
    char* data_ = nullptr;
};

tl::unexpected<Error> too_large(std::size_t bytes_max) {
    return fail(ErrorCode::invalid_input,
                fmt::format("expected at most {:.1f} GB of content (three quarters of this "
                            "machine's memory), found more",
                            static_cast<double>(bytes_max) / 1e9));
}

struct Inflater {
    z_stream stream{};
    bool ready = false;
    ~Inflater() {
        if (ready) inflateEnd(&stream);
    }
};

// The last four bytes of a gzip file say its content's size modulo 2^32: a hint, not a promise.
std::size_t gzip_size_hint(std::string_view bytes) {
    if (bytes.size() < 18) return 0;
    std::size_t size = 0;  // the last four bytes, the lowest first
    for (std::size_t i = 1; i <= 4; ++i)
        size = (size << 8U) | static_cast<unsigned char>(bytes[bytes.size() - i]);
    return size / 1100 > bytes.size() ? 0 : size + 1;  // deflate cannot gain more than 1032:1
}

Result<FileBytes> gunzip(std::string_view bytes, std::size_t bytes_max) {
    Inflater inflater;
    z_stream& stream = inflater.stream;
    if (inflateInit2(&stream, 15 + 16) != Z_OK)
        return fail(ErrorCode::io_failure, "zlib cannot start");
    inflater.ready = true;
    ByteBuffer buffer(bytes_max);
    const std::size_t hint = std::min(gzip_size_hint(bytes), bytes_max + 1);
    std::size_t consumed = 0;
    while (true) {
        if (!buffer.grow(hint)) return too_large(bytes_max);
        const std::size_t input = std::min<std::size_t>(bytes.size() - consumed, 1U << 30U);
        const std::size_t output = std::min<std::size_t>(buffer.room(), 1U << 30U);
        stream.next_in =
            reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data() + consumed));  // NOLINT
        stream.avail_in = static_cast<uInt>(input);
        stream.next_out = reinterpret_cast<Bytef*>(buffer.end());  // NOLINT
        stream.avail_out = static_cast<uInt>(output);
        const int code = inflate(&stream, Z_NO_FLUSH);
        consumed += input - stream.avail_in;
        buffer.size += output - stream.avail_out;
        if (buffer.size > bytes_max) return too_large(bytes_max);
        if (code == Z_STREAM_END) {
            // Another member may follow; padding (zeros, as tar writes it) may not be one.
            if (bytes.substr(consumed, 2) != gzip_magic) return buffer.release();
            inflateReset(&stream);
            continue;
        }
        if (code == Z_BUF_ERROR && consumed == bytes.size())
            return fail(ErrorCode::malformed_data,
                        fmt::format("expected the end of the gzip stream, found the end of the "
                                    "file after {} bytes (truncated?)",
                                    bytes.size()));
        if (code != Z_OK && code != Z_BUF_ERROR)
            return fail(ErrorCode::malformed_data,
                        fmt::format("expected gzip data, found damage near byte {} ({})", consumed,
                                    stream.msg != nullptr ? stream.msg : "no detail"));
    }
}

struct ZstdContext {
    ZSTD_DCtx* context = ZSTD_createDCtx();
    ~ZstdContext() { ZSTD_freeDCtx(context); }
};

Result<FileBytes> unzstd(std::string_view bytes, std::size_t bytes_max) {
    const ZstdContext owner;
    if (owner.context == nullptr) return fail(ErrorCode::io_failure, "zstd cannot start");
    ByteBuffer buffer(bytes_max);
    const unsigned long long declared = ZSTD_getFrameContentSize(bytes.data(), bytes.size());
    // The header may lie: believe at most a thousandfold gain before there is output to show for.
    std::size_t hint = 0;
    if (declared < bytes_max && declared / 1000 < bytes.size()) hint = declared + 1;
    ZSTD_inBuffer input{bytes.data(), bytes.size(), 0};
    std::size_t pending = 1;
    while (input.pos < input.size || pending != 0) {
        if (!buffer.grow(hint)) return too_large(bytes_max);
        ZSTD_outBuffer output{buffer.end(), buffer.room(), 0};
        pending = ZSTD_decompressStream(owner.context, &output, &input);
        if (ZSTD_isError(pending) != 0)
            return fail(ErrorCode::malformed_data,
                        fmt::format("expected zstd data, found damage near byte {} ({})", input.pos,
                                    ZSTD_getErrorName(pending)));
        buffer.size += output.pos;
        if (buffer.size > bytes_max) return too_large(bytes_max);
        if (input.pos == input.size && output.pos < output.size && pending != 0)
            return fail(ErrorCode::malformed_data,
                        fmt::format("expected the end of the zstd frame, found the end of the file "
                                    "after {} bytes (truncated?)",
                                    bytes.size()));
    }
    return buffer.release();
}

struct Descriptor {
    int fd = -1;
    ~Descriptor() {
        if (fd >= 0) close(fd);
    }
};

Result<FileBytes> map_file(const std::string& path) {
    const Descriptor file{open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    if (file.fd < 0)
        return fail(errno == ENOENT ? ErrorCode::missing_input : ErrorCode::io_failure,
                    std::strerror(errno));
    struct stat status {};
    if (fstat(file.fd, &status) != 0) return fail(ErrorCode::io_failure, std::strerror(errno));
    if (!S_ISREG(status.st_mode)) return fail(ErrorCode::invalid_input, "expected a regular file");
    const auto size = static_cast<std::size_t>(status.st_size);
    if (size == 0) return FileBytes();
    void* mapping = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.fd, 0);
    if (mapping == MAP_FAILED) return fail(ErrorCode::io_failure, std::strerror(errno));
    madvise(mapping, size, MADV_SEQUENTIAL);
    madvise(mapping, size, MADV_WILLNEED);
    std::shared_ptr<const char> owner(static_cast<const char*>(mapping), [size](const char* p) {
        munmap(const_cast<char*>(p), size);  // NOLINT(cppcoreguidelines-*): munmap's signature
    });
    return FileBytes(std::move(owner), size);
}

}  // namespace

Result<FileBytes> unpack(std::string_view bytes, std::size_t bytes_max) {
    if (bytes.starts_with(gzip_magic)) return gunzip(bytes, bytes_max);
    if (bytes.starts_with(zstd_magic)) return unzstd(bytes, bytes_max);
    if (bytes.empty()) return FileBytes();
    std::shared_ptr<char> copy(new char[bytes.size()], std::default_delete<char[]>());
    std::memcpy(copy.get(), bytes.data(), bytes.size());
    return FileBytes(std::move(copy), bytes.size());
}

Result<FileBytes> open_file(const std::string& path, std::size_t bytes_max) {
    if (bytes_max == 0) bytes_max = memory_bytes_max();
    auto mapped = map_file(path);
    const std::string shown = path_for_message(path);
    if (!mapped) return fail_with_context(shown, std::move(mapped).error());
    const std::string_view bytes = mapped->view();
    if (!bytes.starts_with(gzip_magic) && !bytes.starts_with(zstd_magic)) {
        if (bytes.size() > bytes_max)
            return fail_with_context(shown, std::move(too_large(bytes_max).value()));
        return mapped;
    }
    auto unpacked = unpack(bytes, bytes_max);
    if (!unpacked) return fail_with_context(shown, std::move(unpacked).error());
    return unpacked;
}

std::optional<std::string> find_file(const std::string& folder, std::string_view name) {
    for (const std::string_view suffix : {"", ".gz", ".zst"}) {
        std::string path = fmt::format("{}/{}{}", folder, name, suffix);
        struct stat status {};
        if (lstat(path.c_str(), &status) == 0 || (errno != ENOENT && errno != ENOTDIR)) return path;
    }
    return std::nullopt;
}

std::size_t memory_bytes_max() {
    const long pages = sysconf(_SC_PHYS_PAGES);
    const long page_bytes = sysconf(_SC_PAGESIZE);
    if (pages <= 0 || page_bytes <= 0) return std::size_t{8} << 30U;
    return static_cast<std::size_t>(pages) / 4 * 3 * static_cast<std::size_t>(page_bytes);
}

Result<std::string_view> as_text(std::string_view bytes) {
    if (bytes.starts_with("\xEF\xBB\xBF")) return bytes.substr(3);
    if (bytes.starts_with("\xFF\xFE") || bytes.starts_with("\xFE\xFF"))
        return fail(ErrorCode::malformed_data,
                    "expected UTF-8 text, found UTF-16 (iconv -f UTF-16 -t UTF-8 converts it)");
    if (bytes.substr(0, 4096).find('\0') != std::string_view::npos)
        return fail(ErrorCode::malformed_data,
                    "expected UTF-8 text, found zero bytes (binary, or UTF-16 without a mark)");
    return bytes;
}

}  // namespace culprit
