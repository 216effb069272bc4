#pragma once

#include <string>
#include <string_view>

namespace culprit {

/// Copies `message` to `masked` with numbers and identifiers replaced, by the rules that
/// template_miner.h states. One pass, no regular expressions.
void mask_numbers(std::string_view message, std::string& masked);

}  // namespace culprit
