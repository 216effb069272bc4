#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace culprit {

/// How many letters must be inserted, removed, replaced or swapped with their neighbour to make `b`
/// of `a` (optimal string alignment). Cost: O(a b).
/// Source: V. I. Levenshtein, Soviet Physics Doklady 10, 1966; F. J. Damerau, CACM 7(3), 1964.
std::size_t edit_distance(std::string_view a, std::string_view b);

/// The word that someone probably meant: the nearest, at most a third of the letters away and three
/// at most, letter case and "-" for "_" aside; of equally near ones the first. Empty: none is near.
std::string nearest_word(std::string_view word, std::span<const std::string> words);

/// "; did you mean \"X\"?", or "" when no word is near.
std::string did_you_mean(std::string_view word, std::span<const std::string> words);

}  // namespace culprit
