#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "culprit/telemetry/http_client.h"

namespace culprit {

/// Cuts the elements of one array out of a JSON text that arrives in pieces, so that an answer with
/// 100,000 series never lies in memory as a whole.
///
/// The array is the value of the first key `array_key` that has an array as its value, at any
/// depth. Each element is handed over as its own JSON text; what surrounds the array is kept (with
/// the array empty) as `envelope`, at most 64 KiB of it. Only the structure is checked here: quotes
/// and brackets; the element's reader checks the rest.
///
/// Cost: O(bytes) time, O(longest element) memory. Refuses (malformed_data): unbalanced brackets,
/// an element longer than `element_bytes_max`, a text that ends early (`finish`).
class JsonElements final : public StreamReceiver {
public:
    using OnElement = std::function<Status(std::string_view json)>;
    JsonElements(std::string array_key, OnElement on_element, std::function<void()> on_restart = {},
                 std::uint64_t element_bytes_max = 256U << 20U);

    void restart() override;
    Status write(std::string_view piece) override;
    /// After the last piece.
    Status finish() const;
    const std::string& envelope() const { return envelope_; }
    std::uint64_t num_elements() const { return num_elements_; }
    std::uint64_t num_bytes() const { return num_bytes_; }

private:
    Status take(char c);
    Status take_in_array(char c);
    Status end_element();

    std::string array_key_;
    OnElement on_element_;
    std::function<void()> on_restart_;
    std::uint64_t element_bytes_max_;

    std::string envelope_;
    std::string element_;
    std::string last_string_;  // the last string outside the array: a key if ':' follows
    bool in_string_ = false;
    bool escaped_ = false;
    bool key_pending_ = false;  // `"array_key" :` has been read
    bool in_array_ = false;
    bool array_done_ = false;
    int depth_ = 0;        // of brackets outside the array
    int inner_depth_ = 0;  // of brackets inside the current element
    std::uint64_t num_elements_ = 0;
    std::uint64_t num_bytes_ = 0;
};

}  // namespace culprit
