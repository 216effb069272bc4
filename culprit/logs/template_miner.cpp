#include "culprit/logs/template_miner.h"

#include <algorithm>
#include <limits>

#include "culprit/base/check.h"
#include "culprit/logs/token_mask.h"

namespace culprit {
namespace {

constexpr std::uint32_t wildcard = 0;
constexpr std::uint32_t number_mask = 1;
constexpr std::uint32_t id_mask = 2;
constexpr std::uint32_t unknown_token = std::numeric_limits<std::uint32_t>::max();
constexpr std::uint32_t none = std::numeric_limits<std::uint32_t>::max();

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

bool has_digit(std::string_view text) {
    return std::any_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

TemplateMiner::TemplateMiner(TemplateMinerOptions options) : options_(options), overflow_id_(none) {
    CULPRIT_CHECK(options_.depth >= 3 && options_.children_max > 1 && options_.tokens_max > 0 &&
                  options_.templates_max > 0);
    CULPRIT_CHECK(tokens_.intern("<*>") == wildcard);
    CULPRIT_CHECK(tokens_.intern("<num>") == number_mask && tokens_.intern("<id>") == id_mask);
}

void TemplateMiner::push_token(std::string_view token) {
    texts_.push_back(token);
    ids_.push_back(tokens_.find(token).value_or(unknown_token));
}

void TemplateMiner::tokenize(std::string_view message) {
    texts_.clear();
    ids_.clear();
    if (options_.mask) {
        mask_numbers(message, masked_);
        message = masked_;
    }
    std::size_t at = 0;
    while (true) {
        while (at < message.size() && is_space(message[at])) ++at;
        if (at == message.size()) break;
        const std::size_t begin = at;
        while (at < message.size() && !is_space(message[at])) ++at;
        if (texts_.size() + 1 == options_.tokens_max) {
            push_token("<*>");
            break;
        }
        push_token(message.substr(begin, at - begin));
    }
    if (options_.mask) drop_labelled_ids();
}

void TemplateMiner::drop_labelled_ids() {
    std::size_t first = 0;
    while (first + 1 < ids_.size() && ids_[first + 1] == id_mask &&
           (texts_[first].ends_with(':') || texts_[first].ends_with('=')))
        first += 2;
    texts_.erase(texts_.begin(), texts_.begin() + static_cast<std::ptrdiff_t>(first));
    ids_.erase(ids_.begin(), ids_.begin() + static_cast<std::ptrdiff_t>(first));
}

// The leaf under which a template like the message would stand; found = false when there is none.
std::uint32_t TemplateMiner::find_leaf(bool& found) const {
    found = false;
    const auto first = by_length_.find(ids_.size());
    if (first == by_length_.end()) return 0;
    std::uint32_t node = first->second;
    const auto num_levels = static_cast<std::size_t>(options_.depth - 3);
    for (std::size_t level = 0; level < num_levels && level + 1 < ids_.size(); ++level) {
        const auto& children = nodes_[node].children;
        auto next = children.find(ids_[level]);
        if (next == children.end()) next = children.find(wildcard);
        if (next == children.end()) return 0;
        node = next->second;
    }
    found = true;
    return node;
}

std::uint32_t TemplateMiner::new_node() {
    nodes_.emplace_back();
    return static_cast<std::uint32_t>(nodes_.size() - 1);
}

std::uint32_t TemplateMiner::child(std::uint32_t node, TokenId token) {
    const auto found = nodes_[node].children.find(token);
    if (found != nodes_[node].children.end()) return found->second;
    const std::uint32_t made = new_node();
    nodes_[node].children.emplace(token, made);
    return made;
}

std::uint32_t TemplateMiner::make_leaf() {
    const auto [first, is_new] = by_length_.emplace(ids_.size(), 0);
    if (is_new) first->second = new_node();
    std::uint32_t node = first->second;
    const auto num_levels = static_cast<std::size_t>(options_.depth - 3);
    for (std::size_t level = 0; level < num_levels && level + 1 < ids_.size(); ++level) {
        const auto& children = nodes_[node].children;
        TokenId key = ids_[level];
        if (children.count(key) == 0) {
            // One place is kept for the wildcard, which takes what no longer fits.
            const std::size_t taken = children.size() + (children.count(wildcard) == 0 ? 1 : 0);
            if (has_digit(texts_[level]) || taken >= options_.children_max) key = wildcard;
        }
        node = child(node, key);
    }
    return node;
}

bool TemplateMiner::best_match(const Node& leaf, std::uint32_t& best) const {
    double similarity_max = -1.0;
    std::size_t wildcards_max = 0;
    for (const std::uint32_t id : leaf.templates) {
        const std::vector<TokenId>& tokens = templates_[id].tokens;
        std::size_t equal = 0;
        std::size_t wildcards = 0;
        std::size_t masks = 0;
        for (std::size_t i = 0; i < tokens.size(); ++i) {
            const bool same = tokens[i] == ids_[i] && tokens[i] != wildcard;
            const bool mask = same && tokens[i] <= id_mask && options_.mask;
            wildcards += tokens[i] == wildcard ? 1 : 0;
            masks += mask ? 1 : 0;
            equal += same && !mask ? 1 : 0;
        }
        const std::size_t compared = tokens.size() - masks;
        const double similarity =
            compared == 0 ? 1.0 : static_cast<double>(equal) / static_cast<double>(compared);
        if (similarity > similarity_max ||
            (similarity == similarity_max && wildcards > wildcards_max)) {
            similarity_max = similarity;
            wildcards_max = wildcards;
            best = id;
        }
    }
    return similarity_max >= options_.similarity_min;
}

std::uint32_t TemplateMiner::overflow() {
    if (overflow_id_ == none) {
        overflow_id_ = static_cast<std::uint32_t>(templates_.size());
        templates_.push_back({{tokens_.intern("<other>")}, 0});
    }
    return overflow_id_;
}

std::uint32_t TemplateMiner::add(std::string_view message) {
    tokenize(message);
    bool found = false;
    const std::uint32_t leaf = find_leaf(found);
    std::uint32_t id = 0;
    if (found && best_match(nodes_[leaf], id)) {
        std::vector<TokenId>& tokens = templates_[id].tokens;
        for (std::size_t i = 0; i < tokens.size(); ++i)
            if (tokens[i] != ids_[i]) tokens[i] = wildcard;
    } else if (templates_.size() >= options_.templates_max) {
        id = overflow();
    } else {
        for (std::size_t i = 0; i < ids_.size(); ++i) ids_[i] = tokens_.intern(texts_[i]);
        id = static_cast<std::uint32_t>(templates_.size());
        const std::uint32_t home = make_leaf();
        nodes_[home].templates.push_back(id);
        templates_.push_back({ids_, 0});
    }
    ++templates_[id].count;
    return id;
}

std::string TemplateMiner::text(std::uint32_t id) const {
    std::string text;
    for (const TokenId token : templates_[id].tokens) {
        if (!text.empty()) text += ' ';
        text += tokens_[token];
    }
    return text;
}

LogTemplates mine_templates(const LogTable& logs, const TemplateMinerOptions& options) {
    TemplateMiner miner(options);
    LogTemplates mined;
    mined.of_record.reserve(logs.size());
    for (std::size_t i = 0; i < logs.size(); ++i) {
        const std::uint32_t id = miner.add(logs.message(i));
        if (id == mined.templates.size()) mined.templates.push_back({"", 0, i});
        mined.of_record.push_back(id);
    }
    for (std::uint32_t id = 0; id < mined.templates.size(); ++id) {
        mined.templates[id].text = miner.text(id);
        mined.templates[id].count = miner.count(id);
    }
    return mined;
}

}  // namespace culprit
