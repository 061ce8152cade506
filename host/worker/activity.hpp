// What a worker may still do without another message, and how the manager learns that a worker has
// come to rest. The manager needs both to find out whether work is left (manager/drain_order.hpp).
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <utility>

#include "host/base/fence.hpp"

namespace skep::host {

// One word, written by the thread that serves the worker, between two calls of the plugin and only
// when it changes.
class Activity {
public:
    enum Bit : std::uint32_t {
        one_shot = 1,    // a timer that fires once is set
        periodic = 2,    // a timer that fires again and again is set
        calling = 4,     // on_timer runs
        unsent = 8,      // on a pool: emissions wait in the outbox for room
        failing = 16,    // a call has failed; the worker ends soon, or its predecessor comes back
        receiving = 32,  // a loop worker waits in receive(), and has finished all that it took
        began_one_shot = 64,   // an instance had set such a timer before its first message
        began_periodic = 128,  // the same
    };

    static constexpr std::uint32_t timers = one_shot | periodic;
    static constexpr std::uint32_t began = began_one_shot | began_periodic;
    // One of these bits is set for a moment only.
    static constexpr std::uint32_t transient = calling | unsent | failing;

    // [any-thread] Acquire pairs with the release in set(): what the worker sent before it cleared
    // a bit is seen by all that read the counts of the receivers afterwards.
    [[nodiscard]] std::uint32_t bits() const { return bits_.load(std::memory_order_acquire); }

    // [the worker's thread] Replaces the bits of `mask`. Returns the bits before.
    std::uint32_t set(std::uint32_t mask, std::uint32_t bits) {
        const std::uint32_t before = bits_.load(std::memory_order_relaxed);
        const std::uint32_t next = (before & ~mask) | bits;
        if (next != before) {
            bits_.store(next, std::memory_order_release);
        }
        return before;
    }

private:
    std::atomic<std::uint32_t> bits_{0};
};

// The manager found a worker busy and wants to know when the next worker comes to rest.
//
//   manager                                  a worker that goes to sleep
//   armed.store(true)                        its last message is finished, its bits are set
//   full fence                               full fence (it needs one to sleep at all)
//   reads counts and bits                    note(): armed.load()
//
// By the two fences either the worker sees that it is awaited, or the manager sees that it is at
// rest. The first worker that sees it reports; the manager looks again, and arms again.
class RestWatch {
public:
    // `report` runs on the worker's thread and must not wait.
    explicit RestWatch(std::function<void()> report)
        : report_(std::move(report)) {}

    // [manager-thread]
    void arm() {
        is_armed_.store(true, std::memory_order_relaxed);
        full_fence();
    }

    // [any worker's thread] After a full fence, or before the worker does the same again.
    void note() {
        if (is_armed_.load(std::memory_order_relaxed) &&
            is_armed_.exchange(false, std::memory_order_acq_rel)) {
            report_();
        }
    }

private:
    // First, and on a cache line of its own: read by all that go to sleep, seldom written.
    alignas(64) std::atomic<bool> is_armed_{false};
    alignas(64) const std::function<void()> report_;
};

}  // namespace skep::host
