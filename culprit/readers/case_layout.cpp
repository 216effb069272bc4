#include "culprit/readers/case_layout.h"

#include <algorithm>
#include <filesystem>

#include "culprit/readers/file_bytes.h"
#include "culprit/readers/problem_list.h"

namespace culprit {
namespace {

namespace fs = std::filesystem;

fs::path real_path(const std::string& path) {
    std::error_code code;
    fs::path real = fs::weakly_canonical(path, code);
    if (code) real = path;
    return real.has_filename() ? real : real.parent_path();
}

std::string printable_name(const fs::path& path) {
    std::string name = path.filename().string();
    make_printable(name);
    return name;
}

}  // namespace

bool is_case_folder(const std::string& folder) {
    const auto has = [&](std::string_view name) { return find_file(folder, name).has_value(); };
    if (std::any_of(metric_file_names.begin(), metric_file_names.end(), has)) return true;
    return (has("inject_time.txt") || has("case.json")) && (has("traces.csv") || has("logs.csv"));
}

std::string fault_folder_of(const std::string& path) {
    return real_path(path).parent_path().filename().string();
}

CaseLocation locate_case(const std::string& path) {
    const fs::path real = real_path(path);
    fs::path dataset = real.parent_path().parent_path();
    // Folders that only say "here are cases" name no dataset.
    while (dataset.filename() == "cases" || dataset.filename() == "data")
        dataset = dataset.parent_path();
    CaseLocation location;
    location.path = path;
    location.dataset = printable_name(dataset);
    location.id =
        location.dataset + "/" + printable_name(real.parent_path()) + "/" + printable_name(real);
    return location;
}

}  // namespace culprit
