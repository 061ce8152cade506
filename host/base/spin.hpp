// Adaptive spinning: a waiter polls for a moment before it sleeps. A sleep and a wake cost both
// sides microseconds. When the next message usually arrives sooner, polling is cheaper and faster;
// otherwise polling is waste. Thus each waiter learns. Its time to poll grows when a sleep was
// short, and shrinks, down to none, when polling found nothing. An idle worker does not poll at
// all. (The adaptive mutexes of Solaris and glibc do the same for locks.)
//
// In a stream, polling too early is expensive too. A receiver close behind its sender takes away
// the cache lines that the sender is about to write, and both slow down (here: 12 instead of 80
// million messages a second). Thus a receiver that finds only a few messages as soon as it looks
// again keeps its distance from then on: it waits until many have arrived, and leaves some
// (temporal slipping: FastForward, PPoPP 2008). When they do not arrive within one or two
// microseconds, it takes the messages that are there. A receiver that had to wait for its message,
// as in a request and reply, does not keep a distance.
#pragma once

#include <cstdint>
#include <ctime>

#include <sched.h>

#include "host/base/clock.hpp"

namespace skep::host {

class AdaptiveSpin {
public:
    // Polls `is_there()` until it returns true, or until polling is no longer worthwhile. Returns
    // its last result.
    template <typename IsThere>
    bool wait(IsThere&& is_there) {
        if (budget_ == Nanos(0)) {
            return false;
        }
        for (int i = 0; i < pauses; ++i) {
            if (is_there()) {
                return true;
            }
            pause();
        }
        // After these pauses, other work may use the core.
        const Nanos end = now() + budget_;
        do {
            for (int i = 0; i < yields; ++i) {
                if (is_there()) {
                    budget_ = longest;
                    return true;
                }
                sched_yield();
            }
        } while (now() < end);
        budget_ = budget_ / 2 < shortest ? Nanos(0) : budget_ / 2;
        return false;
    }

    // Call before a look for messages. `has_more_than(n)` returns true if more than n messages are
    // there. Returns the largest number of messages to take.
    template <typename HasMoreThan>
    [[nodiscard]] std::uint32_t before_look(std::uint32_t max, HasMoreThan&& has_more_than) {
        if (!is_on_heels_) {
            return max;
        }
        for (int i = 0; i < distance_looks; ++i) {
            if (has_more_than(distance)) {
                has_distance_ = true;
                return max < distance / 2 ? max : distance / 2;
            }
            for (int j = 0; j < distance_pauses; ++j) {
                pause();
            }
        }
        looks_to_wait_ = looks_after_vain;
        return max;
    }

    void after_look(std::uint32_t found) {
        const bool is_close = found > 0 && found < distance / 2 && !was_dry_;
        looks_to_wait_ -= looks_to_wait_ > 0 ? 1 : 0;
        is_on_heels_ = has_distance_ || (is_close && looks_to_wait_ == 0);
        has_distance_ = false;
        was_dry_ = found == 0;
    }

    // Call these around a sleep.
    void begin_sleep() { slept_since_ = now(); }

    void end_sleep() {
        if (now() - slept_since_ < longest) {
            budget_ = longest;
        }
    }

private:
    static constexpr std::uint32_t distance = 48;
    static constexpr int distance_looks = 32;
    static constexpr int distance_pauses = 4;
    static constexpr int looks_after_vain = 256;  // looks until the next attempt
    static constexpr int pauses = 40;
    static constexpr int yields = 4;
    static constexpr Nanos longest = std::chrono::microseconds(50);
    static constexpr Nanos shortest = std::chrono::microseconds(4);

    static void pause() {
#if defined(__x86_64__) || defined(__i386__)
        __builtin_ia32_pause();
#elif defined(__aarch64__)
        __asm__ volatile("yield");
#endif
    }

    static Nanos now() {
        timespec time{};
        clock_gettime(CLOCK_MONOTONIC, &time);
        return std::chrono::seconds(time.tv_sec) + Nanos(time.tv_nsec);
    }

    Nanos budget_ = longest;
    bool was_dry_ = true;
    bool is_on_heels_ = false;
    bool has_distance_ = false;
    int looks_to_wait_ = 0;
    Nanos slept_since_{0};
};

}  // namespace skep::host
