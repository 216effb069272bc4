#include "culprit/methods/python_order.h"

#include <algorithm>
#include <numeric>

namespace culprit {
namespace {

using Order = std::vector<std::size_t>;

/// The adaptive merge sort over indices into `values`, ascending, with "less" as its only question.
class ListSort {
public:
    ListSort(std::span<const double> values, Order& items) : values_(values), items_(items) {}

    void run() {
        const std::size_t count = items_.size();
        if (count < 2) return;
        const std::size_t shortest = shortest_run(count);
        for (std::size_t first = 0; first < count;) {
            std::size_t length = natural_run(first);
            const std::size_t wanted = std::min(shortest, count - first);
            if (length < wanted) {
                insert_by_bisection(first, first + length, first + wanted);
                length = wanted;
            }
            merge_stronger_runs(length);
            runs_.push_back({first, length, 0});
            first += length;
        }
        while (runs_.size() > 1) {
            std::size_t left = runs_.size() - 2;
            if (left > 0 && runs_[left - 1].length < runs_[left + 1].length) --left;
            merge_at(left);
        }
    }

private:
    struct Run {
        std::size_t first;
        std::size_t length;
        int power;
    };

    bool less(std::size_t a, std::size_t b) const { return values_[a] < values_[b]; }

    // Between 32 and 64, such that count / run is a power of two or a little less.
    static std::size_t shortest_run(std::size_t count) {
        std::size_t rest = 0;
        while (count >= 64) {
            rest |= count & 1U;
            count >>= 1U;
        }
        return count + rest;
    }

    // Length of the run at `first`; a strictly falling one is turned round.
    std::size_t natural_run(std::size_t first) {
        const std::size_t end = items_.size();
        if (first + 1 == end) return 1;
        std::size_t next = first + 2;
        if (less(items_[first + 1], items_[first])) {
            while (next < end && less(items_[next], items_[next - 1])) ++next;
            std::reverse(at(first), at(next));
        } else {
            while (next < end && !less(items_[next], items_[next - 1])) ++next;
        }
        return next - first;
    }

    void insert_by_bisection(std::size_t first, std::size_t sorted_end, std::size_t end) {
        for (std::size_t i = sorted_end; i < end; ++i) {
            std::size_t low = first;
            std::size_t high = i;
            while (low < high) {
                const std::size_t middle = low + (high - low) / 2;
                if (less(items_[i], items_[middle]))
                    high = middle;
                else
                    low = middle + 1;
            }
            std::rotate(at(low), at(i), at(i + 1));
        }
    }

    // Depth of the boundary between two neighbouring runs in the ideal merge tree.
    int power(const Run& left, std::size_t right_length) const {
        std::size_t a = 2 * left.first + left.length;
        std::size_t b = a + left.length + right_length;
        int depth = 0;
        for (;;) {
            ++depth;
            if (a >= items_.size()) {
                a -= items_.size();
                b -= items_.size();
            } else if (b >= items_.size()) {
                return depth;
            }
            a *= 2;
            b *= 2;
        }
    }

    void merge_stronger_runs(std::size_t next_length) {
        if (runs_.empty()) return;
        const int depth = power(runs_.back(), next_length);
        while (runs_.size() > 1 && runs_[runs_.size() - 2].power > depth)
            merge_at(runs_.size() - 2);
        runs_.back().power = depth;
    }

    void merge_at(std::size_t left) {
        const Run a = runs_[left];
        const Run b = runs_[left + 1];
        runs_[left].length = a.length + b.length;
        runs_.erase(runs_.begin() + static_cast<std::ptrdiff_t>(left) + 1);
        // What already lies in place at both ends stays.
        const std::size_t skipped = upper_place(items_[b.first], &items_[a.first], a.length, 0);
        const std::size_t a_length = a.length - skipped;
        if (a_length == 0) return;
        const std::size_t a_first = a.first + skipped;
        const std::size_t b_length =
            lower_place(items_[a_first + a_length - 1], &items_[b.first], b.length, b.length - 1);
        if (b_length == 0) return;
        if (a_length <= b_length)
            merge_from_left(a_first, a_length, b_length);
        else
            merge_from_right(a_first, a_length, b_length);
    }

    // Where `key` goes in a sorted stretch, before its equals, searched in doubling steps from
    // hint.
    std::size_t lower_place(std::size_t key, const std::size_t* a, std::size_t n,
                            std::size_t hint) const {
        std::size_t last = 0;
        std::size_t step = 1;
        std::size_t low;
        std::size_t high;
        if (less(a[hint], key)) {
            const std::size_t most = n - hint;
            while (step < most && less(a[hint + step], key)) {
                last = step;
                step = 2 * step + 1;
            }
            step = std::min(step, most);
            low = hint + last + 1;
            high = hint + step;
        } else {
            const std::size_t most = hint + 1;
            while (step < most && !less(a[hint - step], key)) {
                last = step;
                step = 2 * step + 1;
            }
            step = std::min(step, most);
            low = hint + 1 - step;
            high = hint - last;
        }
        while (low < high) {
            const std::size_t middle = low + (high - low) / 2;
            if (less(a[middle], key))
                low = middle + 1;
            else
                high = middle;
        }
        return high;
    }

    // The same after its equals.
    std::size_t upper_place(std::size_t key, const std::size_t* a, std::size_t n,
                            std::size_t hint) const {
        std::size_t last = 0;
        std::size_t step = 1;
        std::size_t low;
        std::size_t high;
        if (less(key, a[hint])) {
            const std::size_t most = hint + 1;
            while (step < most && less(key, a[hint - step])) {
                last = step;
                step = 2 * step + 1;
            }
            step = std::min(step, most);
            low = hint + 1 - step;
            high = hint - last;
        } else {
            const std::size_t most = n - hint;
            while (step < most && !less(key, a[hint + step])) {
                last = step;
                step = 2 * step + 1;
            }
            step = std::min(step, most);
            low = hint + last + 1;
            high = hint + step;
        }
        while (low < high) {
            const std::size_t middle = low + (high - low) / 2;
            if (less(key, a[middle]))
                high = middle;
            else
                low = middle + 1;
        }
        return high;
    }

    // Merges [first, first + a_length) with the b_length items behind, from the left; the smaller
    // left part is set aside.
    void merge_from_left(std::size_t first, std::size_t a_length, std::size_t b_length) {
        const Order aside(at(first), at(first + a_length));
        std::size_t a = 0;
        std::size_t b = first + a_length;
        const std::size_t b_end = b + b_length;
        std::size_t out = first;
        // One item of the left part is known to be the largest: it goes last.
        const auto finish = [&] {
            if (b < b_end && a + 1 == aside.size()) {
                while (b < b_end) items_[out++] = items_[b++];
            }
            while (a < aside.size()) items_[out++] = aside[a++];
        };
        items_[out++] = items_[b++];
        if (b == b_end || aside.size() == 1) return finish();
        std::size_t patience = patience_;
        for (;;) {
            std::size_t a_wins = 0;
            std::size_t b_wins = 0;
            do {
                if (less(items_[b], aside[a])) {
                    items_[out++] = items_[b++];
                    ++b_wins;
                    a_wins = 0;
                    if (b == b_end) return finish();
                } else {
                    items_[out++] = aside[a++];
                    ++a_wins;
                    b_wins = 0;
                    if (a + 1 == aside.size()) return finish();
                }
            } while (std::max(a_wins, b_wins) < patience);
            ++patience;
            do {
                patience -= patience > 1 ? 1 : 0;
                patience_ = patience;
                a_wins = upper_place(items_[b], &aside[a], aside.size() - a, 0);
                for (std::size_t k = 0; k < a_wins; ++k) items_[out++] = aside[a++];
                if (a_wins > 0 && a + 1 >= aside.size()) return finish();
                items_[out++] = items_[b++];
                if (b == b_end) return finish();
                b_wins = lower_place(aside[a], &items_[b], b_end - b, 0);
                for (std::size_t k = 0; k < b_wins; ++k) items_[out++] = items_[b++];
                if (b_wins > 0 && b == b_end) return finish();
                items_[out++] = aside[a++];
                if (a + 1 == aside.size()) return finish();
            } while (a_wins >= gallop_min || b_wins >= gallop_min);
            patience_ = ++patience;
        }
    }

    // The mirror image: the smaller right part is set aside and merged from the right.
    void merge_from_right(std::size_t first, std::size_t a_length, std::size_t b_length) {
        const Order aside(at(first + a_length), at(first + a_length + b_length));
        std::size_t a = first + a_length;  // one behind the last left item
        std::size_t b = aside.size();      // one behind the last right item
        std::size_t out = a + b_length;
        const auto finish = [&] {
            if (a > first && b == 1) {
                while (a > first) items_[--out] = items_[--a];
            }
            while (b > 0) items_[--out] = aside[--b];
        };
        items_[--out] = items_[--a];
        if (a == first || b == 1) return finish();
        std::size_t patience = patience_;
        for (;;) {
            std::size_t a_wins = 0;
            std::size_t b_wins = 0;
            do {
                if (less(aside[b - 1], items_[a - 1])) {
                    items_[--out] = items_[--a];
                    ++a_wins;
                    b_wins = 0;
                    if (a == first) return finish();
                } else {
                    items_[--out] = aside[--b];
                    ++b_wins;
                    a_wins = 0;
                    if (b == 1) return finish();
                }
            } while (std::max(a_wins, b_wins) < patience);
            ++patience;
            do {
                patience -= patience > 1 ? 1 : 0;
                patience_ = patience;
                const std::size_t left = a - first;
                a_wins = left - upper_place(aside[b - 1], &items_[first], left, left - 1);
                for (std::size_t k = 0; k < a_wins; ++k) items_[--out] = items_[--a];
                if (a_wins > 0 && a == first) return finish();
                items_[--out] = aside[--b];
                if (b == 1) return finish();
                b_wins = b - lower_place(items_[a - 1], aside.data(), b, b - 1);
                for (std::size_t k = 0; k < b_wins; ++k) items_[--out] = aside[--b];
                if (b_wins > 0 && b <= 1) return finish();
                items_[--out] = items_[--a];
                if (a == first) return finish();
            } while (a_wins >= gallop_min || b_wins >= gallop_min);
            patience_ = ++patience;
        }
    }

    Order::iterator at(std::size_t i) { return items_.begin() + static_cast<std::ptrdiff_t>(i); }

    static constexpr std::size_t gallop_min = 7;
    std::span<const double> values_;
    Order& items_;
    std::vector<Run> runs_;
    std::size_t patience_ = gallop_min;
};

}  // namespace

std::vector<std::size_t> python_falling_order(std::span<const double> values) {
    Order items(values.size());
    std::iota(items.begin(), items.end(), std::size_t{0});
    // reverse=True: turned round before and after, so that equal values keep their order.
    std::reverse(items.begin(), items.end());
    ListSort(values, items).run();
    std::reverse(items.begin(), items.end());
    return items;
}

}  // namespace culprit
