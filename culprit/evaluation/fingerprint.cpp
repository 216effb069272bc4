#include "culprit/evaluation/fingerprint.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <system_error>
#include <vector>

namespace culprit {
namespace {

namespace fs = std::filesystem;

std::string state_of(const fs::directory_entry& file) {
    std::error_code ignored;
    return fmt::format("{} {} {}\n", file.path().filename().string(), file.file_size(ignored),
                       file.last_write_time(ignored).time_since_epoch().count());
}

}  // namespace

std::string fingerprint_of(const std::string& path) {
    std::error_code error;
    std::vector<std::string> states;
    if (fs::is_directory(path, error)) {
        for (fs::directory_iterator it(path, error), end; !error && it != end; it.increment(error))
            if (std::error_code ignored; it->is_regular_file(ignored))
                states.push_back(state_of(*it));
    } else if (fs::is_regular_file(path, error)) {
        states.push_back(state_of(fs::directory_entry(path, error)));
    }
    if (states.empty()) return "0";
    std::sort(states.begin(), states.end());
    std::string all;
    for (const std::string& state : states) all += state;
    return fmt::format("{:016x}", XXH3_64bits(all.data(), all.size()));
}

std::string digest_of_file(const std::string& path) {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"),
                                                               &std::fclose);
    if (!file) return "0";
    const std::unique_ptr<XXH3_state_t, XXH_errorcode (*)(XXH3_state_t*)> state(XXH3_createState(),
                                                                                &XXH3_freeState);
    XXH3_64bits_reset(state.get());
    char buffer[1 << 16];
    while (const std::size_t got = std::fread(buffer, 1, sizeof buffer, file.get()))
        XXH3_64bits_update(state.get(), buffer, got);
    return fmt::format("{:016x}", XXH3_64bits_digest(state.get()));
}

}  // namespace culprit
