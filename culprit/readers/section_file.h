#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "culprit/base/result.h"
#include "culprit/readers/file_bytes.h"

namespace culprit {

/// The container of a columnar file (columnar_file.h): numbered sections with checksums, whatever
/// they hold.
class SectionWriter {
public:
    /// Borrows `bytes` until `write`. Kinds are distinct.
    void add(std::uint64_t kind, std::string_view bytes) { sections_.push_back({kind, bytes}); }
    template <class T>
    void add_array(std::uint64_t kind, std::span<const T> values) {
        add(kind, {reinterpret_cast<const char*>(values.data()), values.size_bytes()});
    }
    /// Whole or not at all.
    Status write(const std::string& path) const;

private:
    struct Section {
        std::uint64_t kind;
        std::string_view bytes;
    };
    std::vector<Section> sections_;
};

class SectionReader {
public:
    /// Checks the header, the directory and every checksum.
    static Result<SectionReader> open(FileBytes bytes);
    bool has(std::uint64_t kind) const { return find(kind) != nullptr; }
    /// Empty when there is none.
    std::string_view section(std::uint64_t kind) const;
    const FileBytes& bytes() const { return bytes_; }
    /// `count` values of the section; malformed_data when it has another size.
    template <class T>
    Result<std::span<const T>> array(std::uint64_t kind, std::size_t count) const {
        const std::string_view bytes = section(kind);
        if (bytes.size() / sizeof(T) != count || bytes.size() % sizeof(T) != 0)
            return wrong_size(kind, count, bytes.size() / sizeof(T));
        return std::span<const T>(reinterpret_cast<const T*>(bytes.data()), count);
    }

private:
    struct Section {
        std::uint64_t kind;
        std::string_view bytes;
    };
    const Section* find(std::uint64_t kind) const;
    static tl::unexpected<Error> wrong_size(std::uint64_t kind, std::size_t expected,
                                            std::size_t found);

    FileBytes bytes_;
    std::vector<Section> sections_;
};

}  // namespace culprit
