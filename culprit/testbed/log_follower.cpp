#include "culprit/testbed/log_follower.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

namespace culprit::testbed {

void LogFollower::add(const std::string& path) { files_.try_emplace(path); }

void LogFollower::poll(const Handler& handler, std::size_t bytes_max) {
    std::string buffer;
    for (auto& [path, file] : files_) {
        const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
        if (descriptor < 0) continue;
        struct stat status {};
        fstat(descriptor, &status);
        const auto size = static_cast<std::uint64_t>(status.st_size);
        if (size < file.offset) file = File{};
        buffer.resize(std::min<std::uint64_t>(size - file.offset, bytes_max));
        const auto got = buffer.empty() ? 0
                                        : pread(descriptor, buffer.data(), buffer.size(),
                                                static_cast<off_t>(file.offset));
        close(descriptor);
        if (got <= 0) continue;
        file.offset += static_cast<std::uint64_t>(got);
        file.partial.append(buffer.data(), static_cast<std::size_t>(got));
        std::size_t begin = 0;
        while (true) {
            const auto end = file.partial.find('\n', begin);
            if (end == std::string::npos) break;
            const auto line = std::string_view(file.partial).substr(begin, end - begin);
            if (!line.empty()) handler(path, line.substr(0, line_bytes_max));
            begin = end + 1;
        }
        file.partial.erase(0, begin);
        if (file.partial.size() > line_bytes_max) {
            handler(path, std::string_view(file.partial).substr(0, line_bytes_max));
            file.partial.clear();
        }
    }
}

}  // namespace culprit::testbed
