// Records what a worker may still do without another message, and tells the manager when a worker
// comes to rest. The manager uses both to find out whether work is left (manager/drain_order.hpp).
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <utility>

#include "host/base/fence.hpp"

namespace skep::host {

// One word of bits. The thread that serves the worker writes it, between two calls of the plugin
// and only when it changes.
class Activity {
public:
    enum Bit : std::uint32_t {
        one_shot = 1,  // a timer that fires once is set
        periodic = 2,  // a periodic timer is set
        calling = 4,   // on_timer runs
        unsent = 8,    // on a pool: emissions wait in the outbox for room
        failing = 16,  // a call failed; the worker ends soon, or its predecessor is activated again
        // A loop worker waits in receive(), and has finished all messages that it took.
        receiving = 32,
        began_one_shot = 64,   // an instance had set a one-shot timer before its first message
        began_periodic = 128,  // an instance had set a periodic timer before its first message
    };

    static constexpr std::uint32_t timers = one_shot | periodic;
    static constexpr std::uint32_t began = began_one_shot | began_periodic;
    // Each of these bits is set only for a moment.
    static constexpr std::uint32_t transient = calling | unsent | failing;

    // [any-thread] Acquire pairs with the release in set(): a thread that sees a bit cleared, and
    // then reads the counts of the receivers, sees all that the worker sent before.
    [[nodiscard]] std::uint32_t bits() const { return bits_.load(std::memory_order_acquire); }

    // [the worker's thread] Replaces the bits of `mask`. Returns the previous bits.
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

// Wakes the manager, which found a worker busy, when a worker comes to rest.
//
//   manager                                  a worker that goes to sleep
//   armed.store(true)                        its last message is finished, its bits are set
//   full fence                               full fence (it needs one to sleep at all)
//   reads counts and bits                    note(): armed.load()
//
// By the two fences, either the worker sees that the watch is armed, or the manager sees that the
// worker is at rest. The first worker that sees the watch armed reports; the manager looks again,
// and arms the watch again.
class RestWatch {
public:
    // `report` runs on the worker's thread and must not block.
    explicit RestWatch(std::function<void()> report)
        : report_(std::move(report)) {}

    // [manager-thread]
    void arm() {
        is_armed_.store(true, std::memory_order_relaxed);
        full_fence();
    }

    // [any worker's thread] Call after a full fence, or when the worker will call it again.
    void note() {
        if (is_armed_.load(std::memory_order_relaxed) &&
            is_armed_.exchange(false, std::memory_order_acq_rel)) {
            report_();
        }
    }

private:
    // First, and on its own cache line: read by every worker that goes to sleep, rarely written.
    alignas(64) std::atomic<bool> is_armed_{false};
    alignas(64) const std::function<void()> report_;
};

}  // namespace skep::host
