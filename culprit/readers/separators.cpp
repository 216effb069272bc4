#include "culprit/readers/separators.h"

#include <bit>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace culprit {
namespace {

#if defined(__AVX2__)
struct Block {
    __m256i low;
    __m256i high;

    explicit Block(const char* p)
        : low(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))),
          high(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + 32))) {}
    // Bit i is set iff byte i is `c`.
    std::uint64_t equal(char c) const {
        const __m256i wanted = _mm256_set1_epi8(c);
        const auto a =
            static_cast<std::uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(low, wanted)));
        const auto b =
            static_cast<std::uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(high, wanted)));
        return a | static_cast<std::uint64_t>(b) << 32U;
    }
};
#else
struct Block {
    const char* bytes;

    explicit Block(const char* p) : bytes(p) {}
    std::uint64_t equal(char c) const {
        std::uint64_t mask = 0;
        for (unsigned i = 0; i < 64; ++i)
            mask |= static_cast<std::uint64_t>(bytes[i] == c ? 1 : 0) << i;
        return mask;
    }
};
#endif

}  // namespace

LineCount count_lines(std::string_view text) {
    LineCount count;
    std::uint64_t quotes = 0;
    std::size_t at = 0;
    for (; at + 64 <= text.size(); at += 64) {
        const Block block(text.data() + at);
        count.num_newlines += static_cast<std::size_t>(std::popcount(block.equal('\n')));
        quotes |= block.equal('"');
    }
    for (; at < text.size(); ++at) {
        count.num_newlines += text[at] == '\n' ? 1 : 0;
        quotes |= text[at] == '"' ? 1 : 0;
    }
    count.has_quotes = quotes != 0;
    return count;
}

std::size_t find_separators(std::string_view text, std::uint32_t* offsets) {
    std::uint32_t* out = offsets;
    std::size_t at = 0;
    for (; at + 64 <= text.size(); at += 64) {
        const Block block(text.data() + at);
        std::uint64_t mask = block.equal(',') | block.equal('\n');
        std::uint32_t* const next = out + std::popcount(mask);
        // Four at a time without asking whether there are so many (cells of 17 digits leave four in
        // a block): what is written too much is overwritten by the next block, hence the room
        // behind.
        while (mask != 0) {
            for (unsigned i = 0; i < 4; ++i) {
                out[i] = static_cast<std::uint32_t>(at) +
                         static_cast<std::uint32_t>(std::countr_zero(mask));
                mask &= mask - 1;
            }
            out += 4;
        }
        out = next;
    }
    for (; at < text.size(); ++at)
        if (text[at] == ',' || text[at] == '\n') *out++ = static_cast<std::uint32_t>(at);
    return static_cast<std::size_t>(out - offsets);
}

}  // namespace culprit
