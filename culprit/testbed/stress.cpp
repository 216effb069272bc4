#include "culprit/testbed/stress.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "culprit/testbed/child_process.h"

namespace culprit::testbed {

void multiply(int workers) {
    const pid_t parent = getpid();
    for (int i = 1; i < workers; ++i) {
        if (fork() != 0) continue;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) _exit(1);
        return;
    }
}

void burn_cpu() {
    volatile double value = 1;
    while (true) value = value * 1.0000001 + 1e-9;
}

void hold_memory(double megabytes, const std::function<void()>& full) {
    constexpr std::size_t page = 4096;
    constexpr std::size_t block = 16 << 20;
    std::vector<std::vector<char>> blocks;
    const auto wanted = static_cast<std::size_t>(megabytes * 1e6 / block) + 1;
    const double pause = 2.0 / static_cast<double>(wanted);
    while (true) {
        if (blocks.size() < wanted) {
            blocks.emplace_back(block);
            if (blocks.size() == wanted) full();
            sleep_seconds(pause);
        } else {
            sleep_seconds(1);
        }
        for (auto& memory : blocks)
            for (std::size_t at = 0; at < memory.size(); at += page) ++memory[at];
    }
}

Status write_to_disk(const std::string& folder) {
    const int file = open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (file < 0)
        return fail(ErrorCode::io_failure,
                    fmt::format("cannot write in {}: {}", folder, std::strerror(errno)));
    const std::string block(4 << 20, 'x');
    constexpr off_t file_bytes_max = 256 << 20;
    for (off_t at = 0;; at = (at + static_cast<off_t>(block.size())) % file_bytes_max) {
        if (pwrite(file, block.data(), block.size(), at) < 0 || fdatasync(file) != 0)
            return fail(ErrorCode::io_failure, std::strerror(errno));
    }
}

}  // namespace culprit::testbed
