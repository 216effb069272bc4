#pragma once

#include <memory>
#include <optional>
#include <string>

#include "apps/culprit/command_line.h"
#include "culprit/tailored/culprit_method.h"

namespace culprit::cli {

/// What the default method knows beyond what is shipped, as given on the command line.
struct Knowledge {
    std::string faults;      ///< folder of fault files; empty = none
    std::string experience;  ///< file of confirmed incidents; empty = none

    /// The shipped faults with those of the folder.
    Result<FaultLibrary> library() const;
    Result<Experience> learned() const;
    /// The method by name; `culprit` with this knowledge. invalid_input: no such method.
    Result<std::unique_ptr<Method>> method(const std::string& name) const;
};

/// --faults and --experience.
void add_knowledge_options(Command& command, Knowledge& knowledge);

}  // namespace culprit::cli
