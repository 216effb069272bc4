// Culprit's side of benchmarks/against_pandas.py: reads a table of series REPEAT times and prints,
// as one JSON object, the shortest time on the clock and of the processor, the sum of every column
// and the memory it took.
//
//   read_table_benchmark FILE REPEAT THREADS
//
// Without arguments it has nothing to time and says so: `make bench` runs it that way.

#include <time.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "culprit/readers/file_bytes.h"
#include "culprit/readers/metric_table.h"

namespace {

double seconds_since(std::chrono::steady_clock::time_point begin) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

// Of all threads of the process.
double processor_seconds() {
    timespec now{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// The most memory this program had resident. Not getrusage's figure, which a child takes over from
// the program that started it.
std::size_t peak_bytes() {
    std::ifstream status("/proc/self/status");
    for (std::string word; status >> word;)
        if (word == "VmHWM:") {
            std::size_t kibibytes = 0;
            status >> kibibytes;
            return 1024 * kibibytes;
        }
    return 0;
}

// Missing values count as 0, as in pandas.
double sum_of(std::span<const double> values) {
    double sum = 0.0;
    for (const double v : values) sum += std::isnan(v) ? 0.0 : v;
    return sum;
}

int run(const char* path, int repeat, unsigned num_threads) {
    double shortest = 1e300;
    double least_cpu = 1e300;
    nlohmann::json line;
    for (int i = 0; i < repeat; ++i) {
        const auto begin = std::chrono::steady_clock::now();
        const double cpu_begin = processor_seconds();
        const auto bytes = culprit::open_file(path);
        culprit::ProblemList problems(path, false);
        const auto table = bytes ? read_metric_table(bytes->view(), problems, num_threads)
                                 : tl::unexpected<culprit::Error>(bytes.error());
        shortest = std::min(shortest, seconds_since(begin));
        least_cpu = std::min(least_cpu, processor_seconds() - cpu_begin);
        if (!table) {
            std::fprintf(stderr, "%s\n", table.error().message.c_str());
            return 1;
        }
        if (i > 0) continue;
        // After one read, before anything is freed and taken again.
        const culprit::Frame& frame = table->frame;
        line = {{"rows", frame.num_rows()},
                {"columns", frame.num_columns()},
                {"problems", problems.size()},
                {"file_bytes", bytes->view().size()},
                {"data_bytes", 8 * frame.num_rows() * (frame.num_columns() + 1)},
                {"peak_bytes", peak_bytes()},
                {"sums", nlohmann::json::array()}};
        for (std::size_t c = 0; c < frame.num_columns(); ++c)
            line["sums"].push_back(sum_of(frame.values(c)));
    }
    line["seconds"] = shortest;
    line["cpu_seconds"] = least_cpu;
    std::puts(line.dump().c_str());
    return 0;
}

}  // namespace

int main(int argc, char** argv) try {
    if (argc != 4 || argv[1][0] == '-') {
        std::puts("read_table: nothing to time; benchmarks/against_pandas.py calls it with a file");
        return 0;
    }
    return run(argv[1], std::atoi(argv[2]), static_cast<unsigned>(std::atoi(argv[3])));
} catch (const std::exception& problem) {
    std::fprintf(stderr, "read_table: %s\n", problem.what());
    return 1;
}
