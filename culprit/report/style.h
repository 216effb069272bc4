#pragma once

#include <string>
#include <string_view>

namespace culprit {

/// Terminal emphasis, or none: with `enabled` false every call gives its text back unchanged, so
/// that one renderer serves a terminal, a pipe and a file.
class Style {
public:
    Style() = default;
    Style(bool enabled, int width) : enabled_(enabled), width_(width) {}

    bool enabled() const { return enabled_; }
    /// Columns of the terminal; 0 when lines may be as long as they like.
    int width() const { return width_; }
    std::string bold(std::string_view text) const { return wrap("1", text); }
    std::string dim(std::string_view text) const { return wrap("2", text); }
    std::string red(std::string_view text) const { return wrap("31", text); }
    std::string green(std::string_view text) const { return wrap("32", text); }
    std::string yellow(std::string_view text) const { return wrap("33", text); }
    std::string cyan(std::string_view text) const { return wrap("36", text); }

private:
    std::string wrap(std::string_view code, std::string_view text) const;

    bool enabled_ = false;
    int width_ = 0;
};

}  // namespace culprit
