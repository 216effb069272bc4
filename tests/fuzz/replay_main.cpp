// Runs every committed input through its target: tests/fuzz/corpus/<target>/<input>, and each of
// them cut short at a few places.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "tests/fuzz/fuzz_targets.h"

int main(int argc, char** argv) {
    namespace fs = std::filesystem;
    if (argc != 2) {
        std::fputs("usage: culprit_fuzz_replay tests/fuzz/corpus\n", stderr);
        return 2;
    }
    int missing = 0;
    for (const auto& target : culprit::fuzz::targets()) {
        const fs::path folder = fs::path(argv[1]) / target.name;
        std::size_t num_inputs = 0;
        target.run({});
        if (fs::is_directory(folder)) {
            for (const auto& entry : fs::directory_iterator(folder)) {
                std::ifstream file(entry.path(), std::ios::binary);
                const std::string input{std::istreambuf_iterator<char>(file), {}};
                target.run(input);
                for (std::size_t i = 1; i < 16; ++i)
                    target.run(std::string_view(input).substr(0, input.size() * i / 16));
                ++num_inputs;
            }
        }
        std::printf("%.*s: %zu inputs\n", static_cast<int>(target.name.size()), target.name.data(),
                    num_inputs);
        missing += num_inputs == 0 ? 1 : 0;
    }
    return missing == 0 ? 0 : 1;
}
