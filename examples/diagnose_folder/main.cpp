// Reads a case folder and prints the three services that one method suspects most.
#include <cstdio>
#include <memory>
#include <string>

#include "culprit/methods/catalog.h"
#include "culprit/rca/method.h"
#include "culprit/readers/case_reader.h"

namespace {

culprit::Status diagnose(const std::string& path, const std::string& method_name) {
    CULPRIT_TRY(const culprit::Case found, culprit::read_case(path));
    CULPRIT_TRY(const std::unique_ptr<culprit::Method> method, culprit::make_method(method_name));
    CULPRIT_TRY(const culprit::Diagnosis diagnosis,
                culprit::run_method(*method, found.incident, culprit::RunContext{}));
    int rank = 0;
    for (const std::string& service : diagnosis.ranking.services()) {
        std::printf("%d %s\n", ++rank, service.c_str());
        if (rank == 3) break;
    }
    return {};
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 2) {
        std::fputs("usage: diagnose_folder CASE [METHOD]\n", stderr);
        return 2;
    }
    const std::string method = argc > 2 ? argv[2] : std::string(culprit::default_method_name);
    const culprit::Status status = diagnose(argv[1], method);
    if (status) return 0;
    std::fprintf(stderr, "error: %s\n", status.error().message.c_str());
    return 1;
}
