// Counters of a worker outside of its mailbox. They belong to the name, like the mailbox. The
// worker's thread writes them (items, errors and misuse: any thread of its plugin), every thread
// may read them. Each number is exact by itself, so relaxed order is enough.
#pragma once

#include <atomic>
#include <cstdint>

namespace skep::host {

// On its own cache line, because it is written for every message.
struct alignas(64) WorkerCounters {
    std::atomic<std::uint64_t> items{0};
    std::atomic<std::uint64_t> errors{0};
    std::atomic<std::uint64_t> out{0};       // accepted by a receiver or by a route's policy
    std::atomic<std::uint64_t> no_route{0};  // emitted at a port without a route
    std::atomic<std::uint64_t> too_big{0};
    std::atomic<std::uint64_t> misuse{0};  // see FlowCounts::Rejected, also for no_memory
    std::atomic<std::uint64_t> no_memory{0};
    std::atomic<std::uint64_t> sequence{0};  // of the last emission of the earlier instances
};

// Only for the worker's thread: no read-modify-write, which would cost as much as a message.
inline void count(std::atomic<std::uint64_t>& counter, std::uint64_t more) {
    counter.store(counter.load(std::memory_order_relaxed) + more, std::memory_order_relaxed);
}

// For any thread.
inline void add(std::atomic<std::uint64_t>& counter, std::uint64_t count) {
    counter.fetch_add(count, std::memory_order_relaxed);
}

}  // namespace skep::host
