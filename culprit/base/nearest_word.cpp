#include "culprit/base/nearest_word.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace culprit {
namespace {

std::string plain(std::string_view word) {
    std::string out(word);
    for (char& c : out) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
        if (c == '-') c = '_';
    }
    return out;
}

}  // namespace

std::size_t edit_distance(std::string_view a, std::string_view b) {
    const std::size_t width = b.size() + 1;
    std::vector<std::size_t> cost((a.size() + 1) * width);
    const auto at = [&](std::size_t i, std::size_t j) -> std::size_t& {
        return cost[i * width + j];
    };
    for (std::size_t i = 0; i <= a.size(); ++i) at(i, 0) = i;
    for (std::size_t j = 0; j <= b.size(); ++j) at(0, j) = j;
    for (std::size_t i = 1; i <= a.size(); ++i)
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t replaced = at(i - 1, j - 1) + (a[i - 1] == b[j - 1] ? 0 : 1);
            at(i, j) = std::min({replaced, at(i - 1, j) + 1, at(i, j - 1) + 1});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                at(i, j) = std::min(at(i, j), at(i - 2, j - 2) + 1);
        }
    return at(a.size(), b.size());
}

std::string nearest_word(std::string_view word, std::span<const std::string> words) {
    constexpr std::size_t distance_max = 3;
    constexpr std::size_t word_bytes_max = 200;  // nobody mistypes more, and the cost is quadratic
    if (word.size() > word_bytes_max) return {};
    const std::string meant = plain(word);
    std::string nearest;
    std::size_t least = std::min(distance_max, std::max<std::size_t>(1, word.size() / 3)) + 1;
    for (const std::string& known : words) {
        if (known.size() > word_bytes_max) continue;
        const std::size_t distance = edit_distance(meant, plain(known));
        if (distance >= least) continue;
        least = distance;
        nearest = known;
    }
    return nearest;
}

std::string did_you_mean(std::string_view word, std::span<const std::string> words) {
    const std::string nearest = nearest_word(word, words);
    return nearest.empty() ? std::string() : fmt::format("; did you mean \"{}\"?", nearest);
}

}  // namespace culprit
