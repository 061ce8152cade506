// What a worker counts beside its mailbox's books. Belongs to the name, like the mailbox. Written
// by the worker (items and errors: by any thread of its plugin), read by anyone; each number is
// exact on its own, so relaxed order is enough.
#pragma once

#include <atomic>
#include <cstdint>

namespace skep::host {

struct WorkerCounters {
    std::atomic<std::uint64_t> items{0};
    std::atomic<std::uint64_t> errors{0};
    std::atomic<std::uint64_t> out{0};       // taken by a receiver, or by a route's policy
    std::atomic<std::uint64_t> no_route{0};  // offered where nobody listens
    std::atomic<std::uint64_t> too_big{0};
    std::atomic<std::uint64_t> sequence{0};  // of the last emission
};

inline void add(std::atomic<std::uint64_t>& counter, std::uint64_t count) {
    counter.fetch_add(count, std::memory_order_relaxed);
}

}  // namespace skep::host
