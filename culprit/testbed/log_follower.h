#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace culprit::testbed {

/// Follows growing text files: every complete line that was appended since the last look, once.
/// A file that shrinks is read again from its start. Lines longer than `line_bytes_max` are cut.
class LogFollower {
public:
    using Handler = std::function<void(const std::string& path, std::string_view line)>;

    /// Starts to follow a file from its beginning; known files are left as they are.
    void add(const std::string& path);
    bool follows(const std::string& path) const { return files_.contains(path); }
    /// Reads what is new, at most `bytes_max` per file.
    void poll(const Handler& handler, std::size_t bytes_max = 4 << 20);

    static constexpr std::size_t line_bytes_max = 8192;

private:
    struct File {
        std::uint64_t offset = 0;
        std::string partial;
    };
    std::map<std::string, File> files_;
};

}  // namespace culprit::testbed
