// The two sides of a sleep-and-wake handshake, with the cost on the side that is rare.
//
// A waker stores data and then looks whether somebody sleeps; a sleeper says that it sleeps and
// then looks for data once more. Each needs its store to be visible before its load, which neither
// release nor acquire gives: without a fence both may miss the other. A full fence on the waker's
// side would cost every message more than all the rest of it. So the sleeper pays for both:
//
//   waker                        sleeper
//   data.store(release)          sleeps.store(relaxed)
//   light()                      heavy()
//   sleeps.load(relaxed)         data.load(acquire)
//
// heavy() is membarrier(2), MEMBARRIER_CMD_PRIVATE_EXPEDITED: it returns after every thread of this
// process has passed through a full fence, or is not running and will. Whatever a waker's store and
// load are split by, its store is visible to the sleeper's second look, or its load comes after and
// sees `sleeps`. light() only keeps the compiler from exchanging the two. (The idea is folly's
// AsymmetricThreadFence; the kernel's membarrier(2) has the proof.)
//
// Where the kernel has no membarrier, and between parties that both are quick sleepers (workers of
// a pool), both sides are full fences.
#pragma once

#include <atomic>

namespace skep::host {

// An ordinary full fence. (Not std::atomic_thread_fence: GCC's ThreadSanitizer does not know it.)
inline void full_fence() {
    std::atomic<int> here{0};
    here.fetch_add(1, std::memory_order_seq_cst);
}

class Fence {
public:
    enum class Cost {
        asymmetric,  // light() is free, heavy() takes a microsecond or more
        symmetric,   // both are a full fence
    };

    // Asymmetric only where the kernel can.
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
