#include "apps/culprit/progress_bar.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdio>

#include "culprit/report/text_table.h"

namespace culprit::cli {

std::string format_seconds_left(double seconds) {
    const auto whole = static_cast<long long>(std::ceil(seconds));
    if (whole < 60) return fmt::format("{} s", whole);
    if (whole < 3600) return fmt::format("{} min {} s", whole / 60, whole % 60);
    return fmt::format("{} h {} min", whole / 3600, whole % 3600 / 60);
}

void ProgressBar::show(const EvaluationProgress& progress) {
    const std::scoped_lock lock(mutex_);
    draw(progress.done, progress.total, progress.done - progress.reused,
         fmt::format("{}/{}  {} failed  {} degenerate", progress.done, progress.total,
                     progress.failed, progress.degenerate));
}

void ProgressBar::step(std::size_t total, const std::string& noun) {
    const std::scoped_lock lock(mutex_);
    ++steps_;
    draw(steps_, total, steps_, fmt::format("{} of {} {}", steps_, total, noun));
}

void ProgressBar::draw(std::size_t done, std::size_t total, std::size_t fresh,
                       const std::string& rest) {
    if (width_ == 0 || total == 0) return;
    const auto now = Clock::now();
    if (done != total && now - last_ < std::chrono::milliseconds(100)) return;
    if (patient_ && !is_drawn_ && now - begin_ < std::chrono::seconds(1)) return;
    last_ = now;
    constexpr std::size_t columns = 24;
    const double share = static_cast<double>(done) / static_cast<double>(total);
    const auto filled = static_cast<std::size_t>(share * static_cast<double>(columns));
    std::string left = "-";
    if (fresh > 0)
        left = format_seconds_left(std::chrono::duration<double>(now - begin_).count() *
                                   static_cast<double>(total - done) / static_cast<double>(fresh));
    const std::string line =
        fmt::format(" [{}{}] {:3.0f} %  {} left  {}", std::string(filled, '='),
                    std::string(columns - filled, ' '), 100 * share, left, rest);
    fmt::print(stderr, "\r\x1b[K{}", shorten(line, width_ - 1));
    std::fflush(stderr);
    is_drawn_ = true;
}

void ProgressBar::clear() {
    const std::scoped_lock lock(mutex_);
    if (!is_drawn_) return;
    fmt::print(stderr, "\r\x1b[K");
    std::fflush(stderr);
    is_drawn_ = false;
}

}  // namespace culprit::cli
