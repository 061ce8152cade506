// The triggers of reloads and rollbacks, the runs that serve them, and their verdicts.
//
// Triggers that come during a run wait for the next run, which serves all of them: a thousand
// triggers in a second cause two reloads, and the second reads the latest files. (Fluent Bit lost
// such triggers, fluent-bit#8457.) Each rollback is a separate run in this order, because two
// rollbacks go back twice.
//
// All functions are [any-thread].
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "host/base/mutex.hpp"
#include "host/daemon/verdict.hpp"

namespace skep::host {

// Why a run is refused after close().
inline constexpr const char* host_is_ending = "the host is ending";

class TriggerQueue {
public:
    // Queues a trigger and returns its number.
    std::uint64_t push(std::string who, const ReloadRequest& request);

    // Makes the thread that runs the reloads refuse all runs that still wait. Later triggers are
    // refused, too.
    void close();

    // -- For the thread that runs the reloads. --

    // Blocks until a run waits, and returns the trigger that caused it, without a result. None: the
    // queue is closed, and no run waits.
    [[nodiscard]] std::optional<Verdict> next();
    [[nodiscard]] bool is_closed();

    // True if another run waits, or the queue is closed.
    [[nodiscard]] const std::atomic<bool>& has_next() const { return has_next_; }

    // Returns the verdict of a run for each of the triggers that it served, the first one first.
    [[nodiscard]] std::vector<Verdict> of_each_trigger(const Verdict& run);
    // Makes wait() and look() return the verdict of a run. A final verdict forgets the oldest ones.
    void publish(const Verdict& run);

    // -- For those who wait for a verdict. --

    // Blocks until the plan of a trigger is in force or refused.
    [[nodiscard]] Verdict wait(std::uint64_t number);
    // Returns the current verdict of a trigger. None: the number is unknown or forgotten. A trigger
    // is forgotten when its final verdict has been returned, or after many later runs.
    [[nodiscard]] std::optional<Verdict> look(std::uint64_t number);
    // Blocks until next() has returned none. False: the time ran out.
    [[nodiscard]] bool wait_for_end(Nanos patience);

private:
    [[nodiscard]] std::optional<Verdict> known(std::uint64_t number) REQUIRES(mutex_);

    Mutex mutex_;
    Condition changed_;
    std::uint64_t last_ GUARDED_BY(mutex_) = 0;             // the number of the last trigger
    std::deque<std::uint64_t> waiting_ GUARDED_BY(mutex_);  // runs: the first trigger of each
    bool is_closed_ GUARDED_BY(mutex_) = false;
    bool is_over_ GUARDED_BY(mutex_) = false;  // next() has returned none
    std::atomic<bool> has_next_{false};        // written under mutex_
    // By number, without a result: triggers without a final verdict, or whose final verdict has not
    // been returned.
    std::map<std::uint64_t, Verdict> triggers_ GUARDED_BY(mutex_);
    std::map<std::uint64_t, Verdict> results_ GUARDED_BY(mutex_);  // by run
};

}  // namespace skep::host
