#include "culprit/telemetry/json_elements.h"

#include <fmt/format.h>

#include <utility>

namespace culprit {
namespace {

constexpr std::size_t envelope_bytes_max = 64U << 10U;

bool is_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

}  // namespace

JsonElements::JsonElements(std::string array_key, OnElement on_element,
                           std::function<void()> on_restart, std::uint64_t element_bytes_max)
    : array_key_(std::move(array_key)),
      on_element_(std::move(on_element)),
      on_restart_(std::move(on_restart)),
      element_bytes_max_(element_bytes_max) {}

void JsonElements::restart() {
    envelope_.clear();
    element_.clear();
    last_string_.clear();
    in_string_ = escaped_ = key_pending_ = in_array_ = array_done_ = false;
    depth_ = inner_depth_ = 0;
    num_elements_ = num_bytes_ = 0;
    if (on_restart_) on_restart_();
}

Status JsonElements::end_element() {
    while (!element_.empty() && is_space(element_.back())) element_.pop_back();
    if (element_.empty()) return {};
    ++num_elements_;
    auto taken = on_element_(element_);
    element_.clear();
    return taken;
}

Status JsonElements::take_in_array(char c) {
    if (in_string_) {
        element_.push_back(c);
        if (escaped_)
            escaped_ = false;
        else if (c == '\\')
            escaped_ = true;
        else if (c == '"')
            in_string_ = false;
    } else if (inner_depth_ == 0 && c == ',') {
        return end_element();
    } else if (inner_depth_ == 0 && c == ']') {
        in_array_ = false;
        array_done_ = true;
        envelope_.push_back(c);
        return end_element();
    } else {
        if (c == '"') in_string_ = true;
        if (c == '{' || c == '[') ++inner_depth_;
        if (c == '}' || c == ']') --inner_depth_;
        if (inner_depth_ < 0)
            return fail(ErrorCode::malformed_data,
                        fmt::format("byte {}: a bracket too many", num_bytes_));
        if (!element_.empty() || !is_space(c)) element_.push_back(c);
    }
    if (element_.size() > element_bytes_max_)
        return fail(ErrorCode::malformed_data,
                    fmt::format("byte {}: one element of \"{}\" is longer than {} bytes",
                                num_bytes_, array_key_, element_bytes_max_));
    return {};
}

Status JsonElements::take(char c) {
    if (in_array_) return take_in_array(c);
    if (envelope_.size() < envelope_bytes_max)
        envelope_.push_back(c);
    else if (!array_done_)
        return fail(ErrorCode::malformed_data,
                    fmt::format("no array \"{}\" within the first {} bytes", array_key_,
                                envelope_bytes_max));
    if (in_string_) {
        if (escaped_) {
            escaped_ = false;
        } else if (c == '\\') {
            escaped_ = true;
        } else if (c == '"') {
            in_string_ = false;
            return {};
        }
        last_string_.push_back(c);
        return {};
    }
    if (is_space(c)) return {};
    if (c == '"') {
        in_string_ = true;
        last_string_.clear();
        key_pending_ = false;
        return {};
    }
    if (c == ':') {
        key_pending_ = last_string_ == array_key_;
        return {};
    }
    if (c == '[' && key_pending_ && !array_done_) {
        in_array_ = true;
        inner_depth_ = 0;
        return {};
    }
    key_pending_ = false;
    if (c == '{' || c == '[') ++depth_;
    if (c == '}' || c == ']') --depth_;
    if (depth_ < 0)
        return fail(ErrorCode::malformed_data,
                    fmt::format("byte {}: a bracket too many", num_bytes_));
    return {};
}

Status JsonElements::write(std::string_view piece) {
    for (std::size_t i = 0; i < piece.size(); ++i) {
        // Whole runs of ordinary characters inside an element at once.
        if (in_array_ && (in_string_ || inner_depth_ > 0) && !escaped_) {
            const std::string_view stops = in_string_ ? "\"\\" : "\"{}[]";
            const std::size_t end = std::min(piece.find_first_of(stops, i), piece.size());
            element_.append(piece.substr(i, end - i));
            num_bytes_ += end - i;
            i = end;
            if (i == piece.size()) {
                if (element_.size() > element_bytes_max_)
                    return fail(ErrorCode::malformed_data,
                                fmt::format("one element of \"{}\" is longer than {} bytes",
                                            array_key_, element_bytes_max_));
                break;
            }
        }
        ++num_bytes_;
        CULPRIT_TRY_STATUS(take(piece[i]));
    }
    return {};
}

Status JsonElements::finish() const {
    if (in_array_ || in_string_ || depth_ != 0 || num_bytes_ == 0)
        return fail(ErrorCode::malformed_data,
                    fmt::format("the answer ends early, after {} bytes and {} elements of \"{}\"",
                                num_bytes_, num_elements_, array_key_));
    return {};
}

}  // namespace culprit
