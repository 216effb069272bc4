#include "apps/culprit/case_choice.h"

#include <fmt/format.h>

#include "apps/culprit/command.h"
#include "culprit/readers/case_split.h"

namespace culprit::cli {

Result<std::vector<CaseLocation>> CaseChoice::cases() const {
    std::vector<CaseLocation> all;
    for (const std::string& path : paths) {
        auto found = find_cases(path);
        if (!found)
            return tl::unexpected<Error>(
                with_hint(std::move(found).error(), "Expected a case folder or a folder of them."));
        all.insert(all.end(), found->begin(), found->end());
    }
    all = cases_of(std::move(all), split_named(split));
    if (all.empty())
        return fail(ErrorCode::missing_input, fmt::format("no case is in the split \"{}\"", split));
    return all;
}

Option add_case_options(Command& command, CaseChoice& choice) {
    command.option("--split", choice.split, "all|dev|test: which half of the cases")
        .check(one_of({"all", "dev", "test"}))
        .default_text("all");
    return command.option("datasets", choice.paths, "Folders that hold labelled cases");
}

}  // namespace culprit::cli
