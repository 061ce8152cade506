// The right of one thread to serve a worker. The manager can revoke it while the thread is in code
// of the plugin; the worker then continues on another thread. (A lease with a fencing check on each
// access is Gray and Cheriton's, SOSP 1989; here the holder checks, and the memory is shared.)
//
// A thread cannot be interrupted inside of a plugin. Therefore a revoked thread stays where it is,
// and finds out at its next step into the host, before it touches anything of the worker:
//   - a function of the context returns SKEP_E_REVOKED;
//   - a call of the plugin that returns ends in LeaseRevoked, which unwinds the thread.
//
//   the thread, a step into the host        ask() by the manager
//   L1 is_in_host.store(true)               V1 serves.store(null)
//   L2 fence.light()                        V2 fence.heavy()
//   L3 serves.load                          V3 is_in_host.load(acquire)
//
//   By fence.hpp, either L3 sees V1 or V3 sees L1.
//   - If L3 sees V1, the thread leaves the host again and waits for the decision.
//   - If V3 sees L1, the manager does not revoke, and may ask again later.
//   - V3's acquire pairs with the release with which the thread left the host: the manager then
//     owns everything that the thread owned.
//   Only on a kernel with membarrier: on others nothing is ever revoked.
#pragma once

#include <atomic>
#include <cstdint>

#include "host/base/fence.hpp"

namespace skep::host {

class WorkerContext;

// Thrown in a thread whose lease was revoked, out of the call of the plugin that has returned.
struct LeaseRevoked {};

class Lease {
public:
    // Null: the lease of no worker, for threads that serve none.
    constexpr explicit Lease(const WorkerContext* worker)
        : worker_(worker),
          serves_(worker) {}

    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;

    // True if this is, or was, a lease of `worker`.
    [[nodiscard]] bool is_of(const WorkerContext& worker) const { return worker_ == &worker; }

    // -- [the thread that holds it] --

    // Before a call of the plugin, and at the end of a function of the context.
    void leave_host() { is_in_host_.store(false, std::memory_order_release); }

    // L1 to L3, at the begin of a function of the context. Returns true if the holder may call it.
    [[nodiscard]] bool enter_host(const WorkerContext& worker) {
        is_in_host_.store(true, std::memory_order_relaxed);
        std::atomic_signal_fence(std::memory_order_seq_cst);
        return serves_.load(std::memory_order_relaxed) == &worker;
    }

    // The same after enter_host() returned false: waits for the decision of a manager that asks.
    // Returns false if the lease is revoked or refuses.
    [[nodiscard]] bool wait_for_decision();

    // After a call of the plugin. Throws LeaseRevoked.
    void return_to_host() {
        if (!enter_host(*worker_) && !wait_for_decision() && is_revoked()) {
            leave_host();
            throw LeaseRevoked{};
        }
    }

    // The holder has found out that the lease is revoked, and has left the worker.
    void note_left() { has_left_.store(true, std::memory_order_release); }

    // -- [manager-thread] --

    // Revokes the lease if the holder is in a call of the plugin. Returns false if it is in the
    // host at this moment, or if the kernel cannot tell.
    [[nodiscard]] bool revoke(const Fence& fence);

    // Refuses the context to the plugin from now on. The holder keeps the worker.
    void refuse() {
        state_.store(State::refuses, std::memory_order_relaxed);
        serves_.store(nullptr, std::memory_order_release);
    }

    // -- [any-thread] --

    [[nodiscard]] bool is_revoked() const {
        return state_.load(std::memory_order_acquire) == State::revoked;
    }

    // True if the thread that held the revoked lease has left the worker.
    [[nodiscard]] bool has_left() const { return has_left_.load(std::memory_order_acquire); }

private:
    enum class State : std::uint8_t { valid, asked, revoked, refuses };

    const WorkerContext* const worker_;
    std::atomic<const WorkerContext*> serves_;  // null: see state_
    std::atomic<bool> is_in_host_{true};
    std::atomic<State> state_{State::valid};  // written by the manager
    std::atomic<bool> has_left_{false};
};

}  // namespace skep::host
