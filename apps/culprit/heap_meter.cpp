#include "apps/culprit/heap_meter.h"

// glibc lets a program replace malloc and keep the original under the name __libc_malloc. Counting
// there sees what operator new and C libraries take alike; it costs two additions per call.

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CULPRIT_COUNTS_MALLOC 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define CULPRIT_COUNTS_MALLOC 0
#endif
#endif
#ifndef CULPRIT_COUNTS_MALLOC
#define CULPRIT_COUNTS_MALLOC 1
#endif

#if CULPRIT_COUNTS_MALLOC
#include <errno.h>
#include <malloc.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace {

thread_local std::int64_t held_bytes = 0;
thread_local std::int64_t peak_bytes = 0;

void* counted(void* block) {
    if (block == nullptr) return block;
    held_bytes += static_cast<std::int64_t>(malloc_usable_size(block));
    peak_bytes = std::max(peak_bytes, held_bytes);
    return block;
}

void forget(void* block) {
    if (block != nullptr) held_bytes -= static_cast<std::int64_t>(malloc_usable_size(block));
}

class CountedHeap : public culprit::HeapMeter {
public:
    void start() override {
        held_bytes = 0;
        peak_bytes = 0;
    }
    std::int64_t stop() override { return peak_bytes; }
};

}  // namespace

// Names and signatures are the C library's.
// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming)
extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* block, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);
void __libc_free(void* block);

void* malloc(std::size_t size) noexcept { return counted(__libc_malloc(size)); }
void* calloc(std::size_t count, std::size_t size) noexcept {
    return counted(__libc_calloc(count, size));
}
void* realloc(void* block, std::size_t size) noexcept {
    const std::int64_t before =
        block == nullptr ? 0 : static_cast<std::int64_t>(malloc_usable_size(block));
    void* moved = __libc_realloc(block, size);
    if (moved != nullptr || size == 0) held_bytes -= before;
    return counted(moved);
}
void* memalign(std::size_t alignment, std::size_t size) noexcept {
    return counted(__libc_memalign(alignment, size));
}
void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept {
    return counted(__libc_memalign(alignment, size));
}
int posix_memalign(void** block, std::size_t alignment, std::size_t size) noexcept {
    void* found = counted(__libc_memalign(alignment, size));
    if (found == nullptr) return ENOMEM;
    *block = found;
    return 0;
}
void free(void* block) noexcept {
    forget(block);
    __libc_free(block);
}
}
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)

culprit::HeapMeter* culprit::cli::heap_meter() {
    static CountedHeap meter;
    return &meter;
}
#else
culprit::HeapMeter* culprit::cli::heap_meter() { return nullptr; }
#endif
