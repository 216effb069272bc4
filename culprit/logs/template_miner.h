#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "culprit/frame/log_table.h"
#include "culprit/frame/string_pool.h"

namespace culprit {

/// Groups log messages by the statement that printed them (Drain).
///
/// A message is cut at white space into tokens. A tree of fixed depth leads from the number of
/// tokens over the first `depth` - 3 tokens (a token with a digit counts as "<*>") to a leaf with
/// a few templates. The message joins the template with the largest share of equal tokens
///
///   similarity = #{i : template[i] == message[i], neither "<*>" nor a mask}
///                / #{i : not the same mask in both}          (1 when there is no such i)
///
/// (of equal ones that with more wildcards) if that is at least `similarity_min`, and the tokens in
/// which they differ become "<*>"; otherwise it starts a new template.
///
/// Masking, before all this, inside each token: UUIDs, hexadecimal words of 8 or more digits of
/// which one is decimal, decimal ones of 16 or more, and words that start with "0x" become "<id>";
/// other decimal numbers become "<num>", also before a unit ("12ms"); a run of masks joined by any
/// of ".:-/_+," becomes one (an address, a date, a time). A number of three digits from 100 to 599
/// that is a token of its own is kept: it may be an HTTP status. Labelled ids at the start of a
/// message ("TraceID: 9f3c... SpanID: 77ab...") are left out.
///
/// Assumes:  one statement prints a fixed number of tokens.
/// Cost:     O(bytes) time plus a few comparisons per token; memory of the templates only.
/// Source:   P. He, J. Zhu, Z. Zheng, M. R. Lyu, Drain: An Online Log Parsing Approach with Fixed
///           Depth Tree, ICWS 2017.   Parity: Drain3 (depth 4, similarity 0.4, 100 children, no
///           masking), equal cluster of every message and equal templates.
/// Differs:  with masking on, a token that is a mask speaks neither for nor against (with Drain3
/// two
///           messages of nothing but equal numbers of numbers are alike, whatever their words);
///           after `templates_max` templates a message that fits none counts as the template
///           "<other>"; a message of more than `tokens_max` tokens is cut, its last token "<*>".
struct TemplateMinerOptions {
    int depth = 4;  ///< >= 3: root, number of tokens, depth - 3 tokens, leaf
    double similarity_min = 0.4;
    std::size_t children_max = 100;
    std::size_t templates_max = 20'000;
    std::size_t tokens_max = 256;
    bool mask = true;
};

class TemplateMiner {
public:
    explicit TemplateMiner(TemplateMinerOptions options = {});

    /// The template of `message`, numbered 0, 1, 2 in the order of appearance.
    std::uint32_t add(std::string_view message);
    std::size_t size() const { return templates_.size(); }
    /// The template as it now is: tokens joined by one space.
    std::string text(std::uint32_t id) const;
    std::uint64_t count(std::uint32_t id) const { return templates_[id].count; }

private:
    using TokenId = std::uint32_t;
    struct Template {
        std::vector<TokenId> tokens;
        std::uint64_t count = 0;
    };
    struct Node {
        std::unordered_map<TokenId, std::uint32_t> children;  // token -> node
        std::vector<std::uint32_t> templates;
    };

    void tokenize(std::string_view message);
    void drop_labelled_ids();
    void push_token(std::string_view token);
    std::uint32_t find_leaf(bool& found) const;
    std::uint32_t make_leaf();
    std::uint32_t new_node();
    std::uint32_t child(std::uint32_t node, TokenId token);
    bool best_match(const Node& leaf, std::uint32_t& best) const;
    std::uint32_t overflow();

    TemplateMinerOptions options_;
    StringPool tokens_;  // of the templates only: token texts that occur in no template have no id
    std::vector<Node> nodes_;
    std::unordered_map<std::size_t, std::uint32_t> by_length_;
    std::vector<Template> templates_;
    std::uint32_t overflow_id_;
    // The current message.
    std::string masked_;
    std::vector<std::string_view> texts_;
    std::vector<TokenId> ids_;
};

/// The templates of a log and what each is.
struct LogTemplates {
    struct Entry {
        std::string text;
        std::uint64_t count = 0;
        std::size_t first_record = 0;  ///< an example
    };
    std::vector<Entry> templates;
    std::vector<std::uint32_t> of_record;  ///< one per record of the log
};
LogTemplates mine_templates(const LogTable& logs, const TemplateMinerOptions& options = {});

}  // namespace culprit
