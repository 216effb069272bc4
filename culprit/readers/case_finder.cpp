#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "culprit/readers/case_layout.h"
#include "culprit/readers/case_reader.h"
#include "culprit/readers/problem_list.h"

namespace culprit {
namespace {

namespace fs = std::filesystem;

// Case folders lie at most three levels below a dataset; some sets add a system and a version.
constexpr int depth_max = 8;
constexpr std::size_t cases_max = 1'000'000;

Status add_case(const fs::path& path, std::vector<CaseLocation>& found) {
    if (found.size() >= cases_max)
        return fail(ErrorCode::invalid_input,
                    fmt::format("expected at most {} cases, found more", cases_max));
    found.push_back(locate_case(path.string()));
    return {};
}

Status find_below(const fs::path& folder, int depth, std::vector<CaseLocation>& found) {
    if (is_case_folder(folder.string())) return add_case(folder, found);
    if (depth >= depth_max) return {};
    std::error_code code;
    std::vector<fs::path> children;
    for (auto it = fs::directory_iterator(folder, code); !code && it != fs::directory_iterator();
         it.increment(code)) {
        std::error_code ignored;  // a link to nothing is no folder
        if (it->is_directory(ignored) && !it->is_symlink(ignored) &&
            !it->path().filename().string().starts_with("."))
            children.push_back(it->path());
        else if (is_case_file(it->path().string()))
            CULPRIT_TRY_STATUS(add_case(it->path(), found));
    }
    if (code)
        return fail(ErrorCode::io_failure,
                    path_for_message(folder.string()) + ": " + code.message());
    std::sort(children.begin(), children.end());
    for (const fs::path& child : children) CULPRIT_TRY_STATUS(find_below(child, depth + 1, found));
    return {};
}

}  // namespace

Result<std::vector<CaseLocation>> find_cases(const std::string& path) {
    CULPRIT_TRY(const bool is_folder, is_folder_of_cases(path));
    if (!is_folder) return std::vector<CaseLocation>{locate_case(path)};
    std::vector<CaseLocation> found;
    CULPRIT_TRY_STATUS(find_below(path, 0, found));
    if (found.empty())
        return fail(ErrorCode::missing_input,
                    path_for_message(path) +
                        ": expected case folders with data.csv, or .culprit files, found none");
    std::sort(found.begin(), found.end(),
              [](const CaseLocation& a, const CaseLocation& b) { return a.path < b.path; });
    return found;
}

}  // namespace culprit
