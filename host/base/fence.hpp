// The two sides of a sleep-and-wake handshake, with the cost on the rare side.
//
// A waker stores data and then checks for a sleeper. A sleeper announces its sleep and then checks
// for data once more. Each side needs its store to be visible before its load, which neither
// release nor acquire guarantees: without a fence both may miss the other. A full fence in the
// waker would cost each message more than everything else. Thus the sleeper pays for both:
//
//   waker                        sleeper
//   data.store(release)          sleeps.store(relaxed)
//   light()                      heavy()
//   sleeps.load(relaxed)         data.load(acquire)
//
// heavy() is membarrier(2), MEMBARRIER_CMD_PRIVATE_EXPEDITED. It returns after every thread of this
// process has passed through a full fence, or does not run and will pass one before it runs again.
// Wherever the fence falls between a waker's store and load, either the store is visible to the
// sleeper's second check, or the load comes after the fence and sees `sleeps`. light() only
// prevents the compiler from exchanging store and load. (The idea is folly's AsymmetricThreadFence;
// the kernel's membarrier(2) has the proof.)
//
// Both sides are full fences where the kernel has no membarrier, and between parties that both
// sleep often and briefly (workers of a pool).
#pragma once

#include <atomic>

namespace skep::host {

// An ordinary full fence. (Not std::atomic_thread_fence: GCC's ThreadSanitizer does not support
// it.)
inline void full_fence() {
    std::atomic<int> here{0};
    here.fetch_add(1, std::memory_order_seq_cst);
}

class Fence {
public:
    enum class Cost {
        asymmetric,  // light() is free, heavy() takes a microsecond or more
        symmetric,   // both sides are a full fence
    };

    // Asymmetric only if the kernel supports it.
    explicit Fence(Cost wanted);

    void light() const {
        if (is_asymmetric_) {
            std::atomic_signal_fence(std::memory_order_seq_cst);
        } else {
            full_fence();
        }
    }

    void heavy() const;

    [[nodiscard]] bool is_asymmetric() const { return is_asymmetric_; }

private:
    bool is_asymmetric_;
};

}  // namespace skep::host
