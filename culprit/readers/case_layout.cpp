#include "culprit/readers/case_layout.h"

#include <algorithm>
#include <filesystem>
#include <optional>

#include "culprit/readers/columnar_file.h"
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

// RCAEval's later releases name a case "re<1-3><system>_<service>_<fault>_<n>": one folder.
struct FlatName {
    std::string dataset;
    std::string fault_folder;
    std::string number;
};

std::optional<FlatName> split_flat_name(const std::string& name) {
    const std::size_t first = name.find('_');
    const std::size_t last = name.rfind('_');
    if (!name.starts_with("re") || first != 5 || last <= first + 1 || last + 1 == name.size())
        return std::nullopt;
    if (name[2] < '1' || name[2] > '3') return std::nullopt;
    if (name.find_first_not_of("0123456789", last + 1) != std::string::npos) return std::nullopt;
    FlatName flat{name.substr(0, first), name.substr(first + 1, last - first - 1),
                  name.substr(last + 1)};
    if (flat.fault_folder.find('_') == std::string::npos) return std::nullopt;
    return flat;
}

std::string printable_name(const fs::path& path) {
    std::string name = path.filename().string();
    if (name.ends_with(columnar_suffix)) name.resize(name.size() - columnar_suffix.size());
    make_printable(name);
    return name;
}

}  // namespace

Result<bool> is_folder_of_cases(const std::string& path) {
    std::error_code code;
    const fs::file_status status = fs::status(path, code);
    const std::string shown = path_for_message(path);
    if (status.type() == fs::file_type::not_found)
        return fail(ErrorCode::missing_input,
                    shown + ": expected a case or a folder of cases, found nothing");
    if (code) return fail(ErrorCode::io_failure, shown + ": " + code.message());
    if (fs::is_directory(status)) return true;
    if (is_case_file(path)) return false;
    return fail(ErrorCode::invalid_input,
                shown + ": expected a folder or a .culprit file, found another file");
}

bool is_case_file(const std::string& path) {
    std::error_code code;
    return path.ends_with(columnar_suffix) && fs::is_regular_file(path, code);
}

bool is_case_folder(const std::string& folder) {
    const auto has = [&](std::string_view name) { return find_file(folder, name).has_value(); };
    if (std::any_of(metric_file_names.begin(), metric_file_names.end(), has)) return true;
    return (has("inject_time.txt") || has("case.json")) && (has("traces.csv") || has("logs.csv"));
}

std::string fault_folder_of(const std::string& path) {
    const fs::path real = real_path(path);
    if (const auto flat = split_flat_name(real.filename().string())) return flat->fault_folder;
    return real.parent_path().filename().string();
}

CaseLocation locate_case(const std::string& path) {
    const fs::path real = real_path(path);
    if (auto flat = split_flat_name(printable_name(real)))
        return {path, flat->dataset + "/" + flat->fault_folder + "/" + flat->number, flat->dataset};
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
