#include "host/worker/lease.hpp"

#include <thread>

namespace skep::host {

bool Lease::wait_for_decision() {
    // The manager decides within one heavy fence, if its thread gets a processor.
    for (;;) {
        (void)serves_.load(std::memory_order_acquire);  // makes the state visible
        const State state = state_.load(std::memory_order_acquire);
        if (state == State::revoked || state == State::refuses) {
            return false;
        }
        leave_host();
        std::this_thread::yield();
        if (enter_host(*worker_)) {
            return true;
        }
    }
}

bool Lease::revoke(const Fence& fence) {
    if (!fence.is_asymmetric() || state_.load(std::memory_order_relaxed) != State::valid) {
        return false;
    }
    state_.store(State::asked, std::memory_order_relaxed);
    serves_.store(nullptr, std::memory_order_release);
    fence.heavy();
    if (is_in_host_.load(std::memory_order_acquire)) {
        serves_.store(worker_, std::memory_order_relaxed);
        state_.store(State::valid, std::memory_order_release);
        return false;
    }
    state_.store(State::revoked, std::memory_order_release);
    return true;
}

}  // namespace skep::host
