#pragma once

#include <string>
#include <vector>

#include "apps/culprit/command_line.h"
#include "culprit/base/result.h"
#include "culprit/readers/case_reader.h"

namespace culprit::cli {

/// Which labelled cases a command is about: folders of them, and one half or all.
struct CaseChoice {
    std::vector<std::string> paths;
    std::string split = "all";

    /// The cases of all folders in their order. Refuses (missing_input) a folder that has none, and
    /// a half that is empty.
    Result<std::vector<CaseLocation>> cases() const;
};

/// The positional `datasets`, which is returned, and --split.
Option add_case_options(Command& command, CaseChoice& choice);

}  // namespace culprit::cli
