// Time, and the one place where a thread of skep sleeps.
//
// A Parker is where one thread sleeps until something happens or a deadline passes. Everything that
// can wake a worker (a message, a command, room in a mailbox, a timer) ends in unpark() of its one
// Parker, so there is one wait in a worker and not one per reason. (The two-step wait is folly's
// EventCount.)
//
//   waiter                                   waker
//   loop:                                    make the condition true
//     ticket = parker.prepare()              parker.unpark()
//     if the condition holds: leave
//     parker.park(ticket, deadline)
//
// unpark() changes the ticket, so a wake-up between prepare() and park() is not lost: park() then
// returns at once. Wake-ups may be spurious; the loop asks again.
//
// A Clock makes the Parkers of its host. SteadyClock parks on a futex. ManualClock moves only when
// every thread that has a Parker is asleep, so a test runs a timeline of minutes in milliseconds,
// and the same each time: no thread is ever early or late.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "host/base/mutex.hpp"

namespace skep::host {

// Nanoseconds since a zero that means nothing.
using Nanos = std::chrono::nanoseconds;
inline constexpr Nanos forever = Nanos::max();

// now + duration, without overflow; negative: for ever.
[[nodiscard]] constexpr Nanos deadline_after(Nanos now, Nanos duration) {
    return duration < Nanos(0) || duration > forever - now ? forever : now + duration;
}

class Parker {
public:
    virtual ~Parker() = default;

    // [whoever starts the owner's thread, before it runs] / [owner, as its last act] Between the
    // two the Parker has a thread. Only a ManualClock cares: it must not wait for threads that do
    // not exist.
    virtual void attach() {}

    virtual void detach() {}

    // [owner] Says that a wait is about to begin; see above.
    [[nodiscard]] std::uint32_t prepare() const { return word_.load(std::memory_order_seq_cst); }

    // [owner] Sleeps until unpark() has been called since prepare(), or until the clock reads
    // `deadline`.
    virtual void park(std::uint32_t ticket, Nanos deadline) = 0;

    // [any-thread] Whether the owner sleeps in park().
    [[nodiscard]] virtual bool is_asleep() const { return false; }

    // [any-thread] Wakes the owner, or keeps its next park() from sleeping. Takes no lock of the
    // caller's.
    virtual void unpark() = 0;

protected:
    // Pairs: a waker's seq_cst increment with a waiter's seq_cst load in prepare(); what the waker
    // wrote before is visible to a waiter that saw the new ticket, and one that saw the old one
    // does not sleep.
    std::atomic<std::uint32_t> word_{0};
};

class Clock {
public:
    virtual ~Clock() = default;
    // [any-thread]
    [[nodiscard]] virtual Nanos now() const = 0;
    // Whether time passes by itself, so that asking again and again may see something new.
    [[nodiscard]] virtual bool is_real() const = 0;
    // A Parker for one thread at a time. It must not outlive the clock. Shared, because a waker may
    // hold it a moment longer than its owner lives.
    [[nodiscard]] virtual std::shared_ptr<Parker> make_parker() = 0;
};

// Real time, from CLOCK_MONOTONIC.
class SteadyClock : public Clock {
public:
    [[nodiscard]] Nanos now() const override;

    [[nodiscard]] bool is_real() const override { return true; }

    [[nodiscard]] std::shared_ptr<Parker> make_parker() override;
};

// A clock that a test turns. An attached Parker is awake until it parks, and again from the moment
// it is unparked. Threads without a Parker (the test itself) are not counted.
class ManualClock : public Clock {
public:
    ManualClock();
    ~ManualClock() override;

    [[nodiscard]] Nanos now() const override;

    [[nodiscard]] bool is_real() const override { return false; }

    [[nodiscard]] std::shared_ptr<Parker> make_parker() override;

    // [the test's thread] Runs the world until `until`: waits until every Parker sleeps, moves the
    // time to the nearest deadline, wakes whoever it is for, and so on. Returns when the time is
    // `until` and everyone sleeps again.
    void run_until(Nanos until);

    void run_for(Nanos duration) { run_until(now() + duration); }

    // [the test's thread] Waits, without moving the time, until every Parker sleeps.
    void settle();

    struct State;

private:
    std::unique_ptr<State> state_;
};

}  // namespace skep::host
