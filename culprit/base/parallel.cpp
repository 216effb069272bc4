#include "culprit/base/parallel.h"

#include <tbb/blocked_range.h>
#include <tbb/info.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

#include <algorithm>

namespace culprit {

void parallel_for(std::size_t count, unsigned num_threads,
                  const std::function<void(std::size_t begin, std::size_t end)>& body,
                  std::size_t grain) {
    if (count == 0) return;
    if (num_threads == 1 || count <= grain) {
        body(0, count);
        return;
    }
    // More threads than cores would only wait, and TBB warns about them on stderr.
    const int cores = tbb::info::default_concurrency();
    const int concurrency =
        num_threads == 0 ? cores : std::min(static_cast<int>(num_threads), cores);
    tbb::task_arena arena(concurrency);
    arena.execute([&] {
        tbb::parallel_for(
            tbb::blocked_range<std::size_t>(0, count, std::max<std::size_t>(grain, 1)),
            [&](const tbb::blocked_range<std::size_t>& range) {
                body(range.begin(), range.end());
            });
    });
}

}  // namespace culprit
