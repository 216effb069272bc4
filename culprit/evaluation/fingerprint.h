#pragma once

#include <string>

namespace culprit {

/// 16 hexadecimal digits that change when a file of the case does: names, sizes and times of
/// modification of the files directly in `path`, or of `path` itself when it is a file. Reads no
/// file; "0" when there is nothing.
std::string fingerprint_of(const std::string& path);

/// 16 hexadecimal digits of a file's bytes; "0" when it can't be read.
std::string digest_of_file(const std::string& path);

}  // namespace culprit
