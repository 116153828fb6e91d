// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

// The sanitizers' interfaces for fibers; without a sanitizer they do nothing.
#if defined(__SANITIZE_ADDRESS__)
extern "C" {
void __sanitizer_start_switch_fiber(void** fake_stack, const void* bottom, size_t size);
void __sanitizer_finish_switch_fiber(void* fake_stack, const void** bottom, size_t* size);
void __asan_unpoison_memory_region(const volatile void* address, size_t size);
}
#endif
#if defined(__SANITIZE_THREAD__) || defined(KEJU_SIMT_TSAN)
extern "C" {
void* __tsan_get_current_fiber();
void* __tsan_create_fiber(unsigned flags);
void __tsan_switch_to_fiber(void* fiber, unsigned flags);
void __tsan_acquire(void* address);
void __tsan_release(void* address);
}
#endif

namespace keju::simt {

#if defined(__SANITIZE_ADDRESS__)
// Before a jump to the stack [bottom, bottom + size); `own` null: the leaving stack is done.
inline void asan_leave(void** own, const void* bottom, size_t size) {
  __sanitizer_start_switch_fiber(own, bottom, size);
}
inline void asan_arrive(void* own, const void** from, size_t* size) {
  __sanitizer_finish_switch_fiber(own, from, size);
}
inline void asan_unfence(void* memory, size_t size) { __asan_unpoison_memory_region(memory, size); }
#else
inline void asan_unfence(void*, size_t) {}
inline void asan_leave(void**, const void*, size_t) {}
inline void asan_arrive(void*, const void**, size_t*) {}
#endif

#if defined(__SANITIZE_THREAD__) || defined(KEJU_SIMT_TSAN)
inline constexpr bool kThreadSanitizer = true;
inline void* tsan_current() { return __tsan_get_current_fiber(); }
inline void* tsan_create() { return __tsan_create_fiber(0); }
inline void tsan_switch(void* fiber) { __tsan_switch_to_fiber(fiber, 1); }  // 1: orders nothing
inline void tsan_acquire(void* word) { __tsan_acquire(word); }
inline void tsan_release(void* word) { __tsan_release(word); }
#else
inline constexpr bool kThreadSanitizer = false;
inline void* tsan_current() { return nullptr; }
inline void* tsan_create() { return nullptr; }
inline void tsan_switch(void*) {}
inline void tsan_acquire(void*) {}
inline void tsan_release(void*) {}
#endif

// An asynchronous copy as an access of the thread that waits for it; instrumented, unlike the
// scheduler. Bytes past `valid` are zeroed.
void perform_copy(void* to, const void* from, size_t bytes, size_t valid);
// From its issue to its end a copy's target holds nobody knows what.
void unset_target(void* to, size_t bytes);

}  // namespace keju::simt
