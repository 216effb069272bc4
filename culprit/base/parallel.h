#pragma once

#include <cstddef>
#include <functional>

namespace culprit {

/// Calls `body(begin, end)` over disjoint pieces that cover [0, count), on up to `num_threads`
/// threads (0 = as many as the machine has, 1 = in the calling thread, in order). `body` writes
/// only to slots of its own indices, so that the result does not depend on the number of threads.
/// An exception in `body` is rethrown here. `grain`: smallest piece worth a task.
void parallel_for(std::size_t count, unsigned num_threads,
                  const std::function<void(std::size_t begin, std::size_t end)>& body,
                  std::size_t grain = 1);

}  // namespace culprit
