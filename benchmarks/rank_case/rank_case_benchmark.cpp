// Culprit's side of benchmarks/against_python.py: reads one case, runs each method REPEAT times and
// prints one JSON line per method with the least processor time of a call and the ranked names.
//
//   rank_case_benchmark CASE REPEAT METHOD...
//
// Without arguments it has nothing to time and says so: `make bench` runs it that way.

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <nlohmann/json.hpp>
#include <string>

#include "culprit/methods/catalog.h"
#include "culprit/readers/case_reader.h"

namespace {

using culprit::Incident;

double processor_seconds() {
    timespec now{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

nlohmann::json rank(const Incident& incident, const std::string& name, int repeat) {
    nlohmann::json line = {{"method", name}};
    const auto method = culprit::make_method(name);
    if (!method) return line["error"] = method.error().message, line;
    double shortest = 1e300;
    for (int i = 0; i < repeat; ++i) {
        const double begin = processor_seconds();
        const auto diagnosis =
            run_method(**method, incident, {.variant = culprit::Variant::reference});
        shortest = std::min(shortest, processor_seconds() - begin);
        if (!diagnosis) return line["error"] = diagnosis.error().message, line;
        line["names"] = nlohmann::json::array();
        for (const auto& suspect : diagnosis->ranking.suspects())
            line["names"].push_back(suspect.name);
    }
    line["seconds"] = shortest;
    return line;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 4 || argv[1][0] == '-') {
        std::puts("rank_case: nothing to time; benchmarks/against_python.py calls it with a case");
        return 0;
    }
    const auto read = culprit::read_case(argv[1]);
    if (!read) {
        std::fprintf(stderr, "%s\n", read.error().message.c_str());
        return 1;
    }
    for (int i = 3; i < argc; ++i)
        std::puts(rank(read->incident, argv[i], std::atoi(argv[2])).dump().c_str());
    return 0;
}
