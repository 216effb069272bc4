#pragma once

#include <string>
#include <string_view>

namespace culprit {

/// `text`, a path for example, as one word of a command line that can be copied into a shell:
/// as it is where it may stand so, else in quotes; control characters escaped, as $'a\x0Ab'.
std::string shell_word(std::string_view text);

}  // namespace culprit
