// What a worker counts beside its mailbox's books. Belongs to the name, like the mailbox. Written
// by the worker's thread (items, errors and misuse: by any thread of its plugin), read by anyone;
// each number is exact on its own, so relaxed order is enough.
#pragma once

#include <atomic>
#include <cstdint>

namespace skep::host {

// On a line of its own: it is written for every message.
struct alignas(64) WorkerCounters {
    std::atomic<std::uint64_t> items{0};
    std::atomic<std::uint64_t> errors{0};
    std::atomic<std::uint64_t> out{0};       // taken by a receiver, or by a route's policy
    std::atomic<std::uint64_t> no_route{0};  // offered where nobody listens
    std::atomic<std::uint64_t> too_big{0};
    std::atomic<std::uint64_t> misuse{0};  // see FlowCounts::Rejected, as for the next
    std::atomic<std::uint64_t> no_memory{0};
    std::atomic<std::uint64_t> sequence{0};  // of the last emission of the generations before
};

// For the worker's thread alone: no read-modify-write, which would cost as much as a message.
inline void count(std::atomic<std::uint64_t>& counter, std::uint64_t more) {
    counter.store(counter.load(std::memory_order_relaxed) + more, std::memory_order_relaxed);
}

// For any thread.
inline void add(std::atomic<std::uint64_t>& counter, std::uint64_t count) {
    counter.fetch_add(count, std::memory_order_relaxed);
}

}  // namespace skep::host
