#include "culprit/evaluation/processor_deadline.h"

#include <pthread.h>
#include <time.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>

namespace culprit {
namespace {

using std::chrono::nanoseconds;

nanoseconds used(clockid_t clock) {
    timespec now{};
    clock_gettime(clock, &now);
    return std::chrono::seconds(now.tv_sec) + nanoseconds(now.tv_nsec);
}

}  // namespace

ProcessorDeadline::ProcessorDeadline(nanoseconds allowed) {
    clockid_t clock{};
    pthread_getcpuclockid(pthread_self(), &clock);
    const nanoseconds end = used(clock) + allowed;
    watcher_ = std::jthread([clock, end, stop = stop_](const std::stop_token& over) mutable {
        std::mutex mutex;
        std::condition_variable_any woken;
        std::unique_lock lock(mutex);
        while (!over.stop_requested()) {
            const nanoseconds left = end - used(clock);
            if (left <= nanoseconds{0}) {
                stop.request_stop();
                return;
            }
            // Processor time passes at most as fast as time.
            woken.wait_for(lock, over, std::max<nanoseconds>(left, std::chrono::milliseconds(5)),
                           [] { return false; });
        }
    });
}

}  // namespace culprit
