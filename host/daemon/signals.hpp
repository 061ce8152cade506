// The guard runs on the main thread and reads the signals; another thread does all the work.
//
//   first SIGINT or SIGTERM    asks the host to stop within its grace
//   second, or SIGQUIT         asks the host to stop now; the exit code becomes 130
//   one more                   ends the process at once, with 130
//   SIGHUP                     reads the topology again
//
// No other thread blocks a signal; the children of plugins thus inherit no blocked signal. The
// kernel gives a signal of the process to the main thread while that thread waits for it, whatever
// the other threads have blocked and whatever handler a plugin has installed. A handler forwards a
// signal that another thread still gets.
//
// Before expect_host(), each of these signals ends the process at once. From expect_host() until
// stop_with(), the guard remembers a signal to stop, and one more ends the process at once. A
// SIGHUP of that time is carried out when the host runs. If the host has not ended when its time is
// over, the guard ends the process with exit code 70: neither a thread of a plugin nor a stuck
// manager can keep the process alive. The guard waits only for signals: it needs no descriptor,
// which a plugin could close, and another thread writes its log lines.
#pragma once

#include <atomic>
#include <csignal>
#include <cstdint>
#include <functional>
#include <optional>

#include "host/base/clock.hpp"
#include "host/base/deadline.hpp"
#include "host/base/mutex.hpp"

namespace skep::host {

// The action that a signal asks for.
enum class StopStep { drain, stop_now, leave };

// The order of the steps as signals arrive. Pure.
class StopSteps {
public:
    StopStep next(int signal);

private:
    std::optional<StopStep> last_;
};

class Guard {
public:
    // Normalises the state of the process and blocks SIGINT, SIGTERM, SIGQUIT and SIGHUP on this
    // thread; not SIGHUP if the parent ignores it (nohup). Must run first in main, before any other
    // thread starts.
    Guard();

    // Runs `work` on a new thread and reads signals until `work` has returned. Returns the exit
    // code of the process: that of `work`, or 130 if the end was forced. [main-thread]
    int watch(const std::function<int()>& work);

    // Announces that a host is being made. Its maker must poll is_stop_wanted(). [any-thread]
    void expect_host();

    // True after a signal to stop that came before stop_with(), and after the host has ended. Never
    // becomes false again. [any-thread]
    [[nodiscard]] const std::atomic<bool>& is_stop_wanted() const { return is_stop_wanted_; }

    using Stop = std::function<void(Nanos grace)>;
    // Makes later signals call `stop`: the first with `grace`, the next with 0. The main thread
    // calls it; it must not block, and lives as long as the guard needs it. [any-thread]
    void stop_with(Stop stop, Nanos grace);

    // Makes later SIGHUPs call `reload`, on the main thread and without blocking; null: nothing.
    // Calls it here if a SIGHUP has come since expect_host(). [any-thread]
    void reload_with(const std::function<void()>& reload);

    // Gives the host `time` to end. The process ends with exit code 70 shortly after that time. A
    // later call can only shorten the time. [any-thread]
    void end_within(Nanos time);

    // Returns the time that the host still has to end. forever: end_within() was not called.
    // [any-thread]
    [[nodiscard]] Nanos time_left() const;

    // Ends trials of plugins that still run, because the host has ended. [any-thread]
    void cancel_trials() { is_stop_wanted_ = true; }

    // True after stop_with(). [any-thread]
    [[nodiscard]] bool has_host();

    // Flushes the log and ends the process without destructors, because threads are still inside
    // plugins. [any-thread]
    [[noreturn]] void leave(int exit_code) const;

private:
    [[nodiscard]] bool is_making_host();
    void handle(int signal);
    void stop_after_plugin_exit();

    // Used only by the main thread.
    sigset_t signals_{};  // the signals that it waits for
    StopSteps steps_;

    // By the steady clock, in nanoseconds. No other data depends on it; any memory order works.
    std::atomic<std::int64_t> deadline_ns_{forever.count()};

    // Written by the main thread, read by leave(). No other data depends on it; any memory order
    // works.
    std::atomic<bool> forced_{false};
    // As forced_; stop_with() has followed, or will.
    std::atomic<bool> is_stop_wanted_{false};

    Mutex mutex_;
    bool expects_host_ GUARDED_BY(mutex_) = false;
    Stop stop_ GUARDED_BY(mutex_);
    std::function<void()> reload_ GUARDED_BY(mutex_);
    bool has_missed_reload_ GUARDED_BY(mutex_) = false;
    Nanos grace_ GUARDED_BY(mutex_){0};
};

}  // namespace skep::host
