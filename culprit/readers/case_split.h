#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "culprit/readers/case_reader.h"

namespace culprit {

/// Cases for design and cases for the report: whoever tunes looks at the first only.
enum class Split : std::uint8_t { all, dev, test };
std::string_view to_string(Split split);
/// The split of this name; any other name is Split::all.
Split split_named(std::string_view name);

/// A recorded set says it with its folders ("<set>/dev/...", "<set>/test/..."). Any other case is
/// for development when the lowest bit of h is 0, for test when it is 1:
///
///   h = FNV-1a (64 bit) of the id "<dataset>/<service>_<fault>/<n>"
///   h ^= h >> 33;  h *= 0xff51afd7ed558ccd;  h ^= h >> 33
///
/// so the split depends on names alone and needs no list.
/// Source: G. Fowler, L. C. Noll, K.-P. Vo, FNV hash, 1991; the mixing is MurmurHash3's, A.
/// Appleby.
Split split_of(const CaseLocation& location);

/// Those of one side, in their order. Split::all: all.
std::vector<CaseLocation> cases_of(std::vector<CaseLocation> cases, Split split);

}  // namespace culprit
