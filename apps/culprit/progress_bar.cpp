#include "apps/culprit/progress_bar.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdio>

namespace culprit::cli {

std::string format_seconds_left(double seconds) {
    const auto whole = static_cast<long long>(std::ceil(seconds));
    if (whole < 60) return fmt::format("{} s", whole);
    if (whole < 3600) return fmt::format("{} min {} s", whole / 60, whole % 60);
    return fmt::format("{} h {} min", whole / 3600, whole % 3600 / 60);
}

void ProgressBar::show(const EvaluationProgress& progress) {
    if (!is_shown_ || progress.total == 0) return;
    const auto now = Clock::now();
    const bool is_last = progress.done == progress.total;
    if (!is_last && now - last_ < std::chrono::milliseconds(100)) return;
    last_ = now;
    constexpr std::size_t width = 24;
    const double share = static_cast<double>(progress.done) / static_cast<double>(progress.total);
    const auto filled = static_cast<std::size_t>(share * static_cast<double>(width));
    std::string left = "-";
    // Cells taken from the journal say nothing about how long the others take.
    const std::size_t fresh = progress.done - progress.reused;
    if (fresh > 0)
        left = format_seconds_left(std::chrono::duration<double>(now - begin_).count() *
                                   static_cast<double>(progress.total - progress.done) /
                                   static_cast<double>(fresh));
    fmt::print(stderr, "\r\x1b[K [{}{}] {:3.0f} %  {}/{}  {} left  {} failed  {} degenerate",
               std::string(filled, '='), std::string(width - filled, ' '), 100 * share,
               progress.done, progress.total, left, progress.failed, progress.degenerate);
    std::fflush(stderr);
    is_drawn_ = true;
}

void ProgressBar::clear() {
    if (!is_drawn_) return;
    fmt::print(stderr, "\r\x1b[K");
    std::fflush(stderr);
    is_drawn_ = false;
}

}  // namespace culprit::cli
