// Time, and the one place where a thread of skep sleeps.
//
// One thread sleeps in a Parker until something happens or a deadline passes. Everything that can
// wake a worker (a message, a command, room in a mailbox, a timer) calls unpark() of its one
// Parker. Thus a worker has one wait, and not one per reason. (The two-step wait is folly's
// EventCount.)
//
//   waiter                                   waker
//   loop:                                    make the condition true
//     ticket = parker.prepare()              parker.unpark()
//     if the condition holds: leave
//     parker.park(ticket, deadline)
//
// unpark() changes the ticket. A wake-up between prepare() and park() is thus not lost: park()
// returns at once. Wake-ups may be spurious: the loop must check its condition again.
//
// A Clock makes the Parkers of its host. SteadyClock parks on a futex. ManualClock moves only when
// every thread that has a Parker is asleep. A test thus runs a timeline of minutes in milliseconds,
// in the same order each time: no thread is ever early or late.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "host/base/mutex.hpp"

namespace skep::host {

// Nanoseconds since a zero without meaning.
using Nanos = std::chrono::nanoseconds;
inline constexpr Nanos forever = Nanos::max();

// Returns now + duration without overflow; a negative duration means `forever`.
[[nodiscard]] constexpr Nanos deadline_after(Nanos now, Nanos duration) {
    return duration < Nanos(0) || duration > forever - now ? forever : now + duration;
}

class Parker {
public:
    virtual ~Parker() = default;

    // [the starter of the owner's thread, before that thread runs] / [owner, as its last act]
    // Between the two calls the Parker has a thread. Only ManualClock uses this: it must not wait
    // for threads that do not exist.
    virtual void attach() {}

    virtual void detach() {}

    // [owner] Prepares a wait; see above.
    [[nodiscard]] std::uint32_t prepare() const { return word_.load(std::memory_order_seq_cst); }

    // [owner] Sleeps until unpark() has been called since prepare(), or until the clock reaches
    // `deadline`.
    virtual void park(std::uint32_t ticket, Nanos deadline) = 0;

    // [any-thread] Returns true while the owner sleeps in park().
    [[nodiscard]] virtual bool is_asleep() const { return false; }

    // [any-thread] Wakes the owner, or keeps its next park() from sleeping. Takes no lock of the
    // caller.
    virtual void unpark() = 0;

protected:
    // Pairs a waker's seq_cst increment with a waiter's seq_cst load in prepare(). What the waker
    // wrote before is visible to a waiter that saw the new ticket. A waiter that saw the old ticket
    // does not sleep.
    std::atomic<std::uint32_t> word_{0};
};

class Clock {
public:
    virtual ~Clock() = default;
    // [any-thread]
    [[nodiscard]] virtual Nanos now() const = 0;
    // Returns true if time passes by itself: repeated checks can then see something new.
    [[nodiscard]] virtual bool is_real() const = 0;
    // Makes a Parker for one thread at a time. It must not outlive the clock. It is shared because
    // a waker may hold it a moment longer than its owner lives.
    [[nodiscard]] virtual std::shared_ptr<Parker> make_parker() = 0;
};

// Real time, from CLOCK_MONOTONIC.
class SteadyClock : public Clock {
public:
    [[nodiscard]] Nanos now() const override;

    [[nodiscard]] bool is_real() const override { return true; }

    [[nodiscard]] std::shared_ptr<Parker> make_parker() override;
};

// A clock that a test controls. An attached Parker counts as awake until it parks, and again from
// the moment it is unparked. Threads without a Parker (the test itself) do not count.
class ManualClock : public Clock {
public:
    ManualClock();
    ~ManualClock() override;

    [[nodiscard]] Nanos now() const override;

    [[nodiscard]] bool is_real() const override { return false; }

    [[nodiscard]] std::shared_ptr<Parker> make_parker() override;

    // [the test's thread] Runs all threads until the time is `until`: waits until every Parker
    // sleeps, advances the time to the nearest deadline, wakes the sleepers of that deadline, and
    // repeats. Returns when the time is `until` and every Parker sleeps again.
    void run_until(Nanos until);

    void run_for(Nanos duration) { run_until(now() + duration); }

    // [the test's thread] Waits until every Parker sleeps. Does not advance the time.
    void settle();

    struct State;

private:
    std::unique_ptr<State> state_;
};

}  // namespace skep::host
