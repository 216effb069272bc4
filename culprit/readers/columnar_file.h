#pragma once

#include <string>
#include <string_view>

#include "culprit/base/result.h"
#include "culprit/rca/case.h"
#include "culprit/readers/file_bytes.h"

namespace culprit {

/// One case as one file, "*.culprit": every column as it lies in memory, so that series are mapped
/// and not parsed. Little-endian.
///
///   bytes 0-7    "CULPRIT1"
///   bytes 8-15   number of sections n
///   bytes 16-23  XXH3 of the directory
///   directory    n entries of 32 bytes: kind, offset, size, XXH3 of the section (64 bits each)
///   sections     each at a multiple of 64 bytes
///
/// Sections: a JSON document with what is small (ids, truth, windows, shapes; topology and changes
/// in the form of case_annex.h), and for each table its columns: times, numbers column-major,
/// indices, and lists of strings as their ends followed by their bytes.
///
/// Not kept: Case::path, and problems, which belong to the files that were read first.
inline constexpr std::string_view columnar_suffix = ".culprit";

/// Writes to a temporary file beside `path` and renames it: there is never half a file.
Status write_columnar(const Case& written, const std::string& path);

/// Every size, offset, checksum, index and order is checked before it is used; refuses
/// (malformed_data) what does not fit. Series share the mapping; logs and spans are copied.
Result<Case> read_columnar(const FileBytes& bytes);

}  // namespace culprit
