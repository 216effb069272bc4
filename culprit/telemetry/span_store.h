#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "culprit/frame/string_pool.h"
#include "culprit/telemetry/telemetry_records.h"

namespace culprit {

/// Spans at 80 bytes each: ids in binary, every name once. A trace id of other than 32 hexadecimal
/// digits is padded with zeros on the left, one that is no hexadecimal number is hashed; likewise
/// for span ids of 16 digits.
class SpanStore {
public:
    void add(const SpanView& span);
    void add(const SpanRecord& span);
    /// Copies all of `other`; O(its spans + its distinct names).
    void append(const SpanStore& other);
    std::size_t size() const { return spans_.size(); }
    bool empty() const { return spans_.empty(); }
    std::int64_t start_ns(std::size_t index) const { return spans_[index].start_ns; }
    SpanRecord record(std::size_t index) const;
    /// Forgets spans that began earlier, and names that nobody uses any more.
    void drop_before(std::int64_t begin_ns);

private:
    struct Stored {
        std::array<std::uint64_t, 2> trace{};
        std::uint64_t id = 0;
        std::uint64_t parent = 0;
        std::int64_t start_ns = 0;
        std::int64_t duration_ns = 0;
        std::uint32_t service = 0;
        std::uint32_t operation = 0;
        std::uint32_t method = 0;
        std::int32_t status = 0;
        std::uint32_t kind = 0;
        bool has_trace = false;
    };
    template <class Span>
    void keep(const Span& span, std::array<std::uint64_t, 2> trace, std::uint64_t id,
              std::uint64_t parent);

    std::vector<Stored> spans_;
    StringPool names_;
};

}  // namespace culprit
