#pragma once

#include <map>
#include <string>
#include <string_view>

namespace culprit::testbed {

/// Text in Prometheus' exposition format 0.0.4. Families must be written one after the other: the
/// samples of one family stand together.
class Exposition {
public:
    using Labels = std::map<std::string, std::string>;

    void family(std::string_view name, std::string_view type, std::string_view help);
    /// A sample of the family begun last; `suffix` is "_bucket", "_sum", "_count" or empty.
    void sample(const Labels& labels, double value, std::string_view suffix = {});
    const std::string& text() const { return text_; }

private:
    std::string text_;
    std::string name_;
};

}  // namespace culprit::testbed
