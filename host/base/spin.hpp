// Waiting by asking, for a moment, before going to sleep. A sleep and a wake cost microseconds of
// both sides; where the next message is usually there in less, asking is cheaper and quicker, and
// where it is not, asking is waste. So each waiter learns: the time that it may ask grows when a
// sleep turned out short and shrinks when asking was in vain, down to none. An idle worker does not
// ask at all. (The adaptive mutexes of Solaris and glibc do the same for locks.)
//
// In a stream, asking too soon is dear as well: a receiver on the heels of its sender takes away
// the cache lines that the sender is about to write, and both crawl (here: 12 instead of 80 million
// messages a second). So a receiver that finds just a few messages the moment that it looks again
// keeps its distance from then on: it waits until there are many, and leaves some (temporal
// slipping: FastForward, PPoPP 2008). When they do not come within a microsecond or two it takes
// what there is. One that had to wait for its message, as in a conversation, does nothing of it.
#pragma once

#include <cstdint>
#include <ctime>

#include <sched.h>

#include "host/base/clock.hpp"

namespace skep::host {

class AdaptiveSpin {
public:
    // Asks `is_there()` until it is true, or for as long as is worth it. Its last answer.
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
        // Beyond that the core may have other work.
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

    // Before a look for messages; `has_more_than(n)` says whether more than n are there. At most so
    // many are to be taken.
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

    // Around a sleep.
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
    static constexpr int looks_after_vain = 256;  // no second try until then
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
