// The guard: the main thread, which reads the signals while all work is done by another thread.
//
//   first SIGINT or SIGTERM    the host is asked to stop within its grace
//   second, or SIGQUIT         it is asked to stop now; the exit code becomes 130
//   one more                   the process ends at once, with 130
//   SIGHUP                     the topology is read again
//
// All other threads block nothing, so that the children of plugins do not either. The kernel gives
// a signal of the process to the main thread while that waits for it, whatever the other threads
// have blocked or a plugin has installed as its handler. A signal that comes to another thread
// nevertheless is forwarded by a handler.
//
// While there is no host yet, any of them ends the process at once. For a host that is about to be,
// from expect_host() on, a signal to stop is remembered, and one more ends the process at once;
// SIGHUP is made up for when the host runs. A host that has not ended when its time is over ends
// the process with exit code 70: no thread of a plugin, and no stuck manager, can keep it alive.
// The guard itself waits for nothing but signals: it needs no descriptor, which a plugin could
// close, and what it logs is written by another thread.
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

// What a signal asks for.
enum class StopStep { drain, stop_now, leave };

// Pure: the steps that follow each other as signals come.
class StopSteps {
public:
    StopStep next(int signal);

private:
    std::optional<StopStep> last_;
};

class Guard {
public:
    // Normalises the state of the process, and blocks SIGINT, SIGTERM, SIGQUIT and SIGHUP on this
    // thread, but SIGHUP if the parent ignores it (nohup). To be made first thing in main, before
    // any other thread.
    Guard();

    // Runs `work` on a thread of its own and reads signals until it has returned. The exit code of
    // the process: what `work` returned, or 130 when the end was forced. [main-thread]
    int watch(const std::function<int()>& work);

    // From now on a host is being made, and asks is_stop_wanted() now and then. [any-thread]
    void expect_host();

    // Whether a signal to stop came before stop_with(), or the host has ended. Never becomes false
    // again. [any-thread]
    [[nodiscard]] const std::atomic<bool>& is_stop_wanted() const { return is_stop_wanted_; }

    using Stop = std::function<void(Nanos grace)>;
    // From now on signals call `stop`, with `grace` at first and then with 0. It is called by the
    // main thread, must not wait, and lives as long as the guard needs it. [any-thread]
    void stop_with(Stop stop, Nanos grace);

    // From now on SIGHUP calls `reload`, as a stop is called; null: nothing. One that came since
    // expect_host() is made up for here. [any-thread]
    void reload_with(const std::function<void()>& reload);

    // The host is to end within `time`, which it has all to itself: a moment later the process ends
    // with exit code 70. Only shortens a time that was given before. [any-thread]
    void end_within(Nanos time);

    // How long the host may still take. forever: nobody has asked it to end. [any-thread]
    [[nodiscard]] Nanos time_left() const;

    // The host has ended: trials of plugins that still run end too. [any-thread]
    void cancel_trials() { is_stop_wanted_ = true; }

    // Whether stop_with() was called. [any-thread]
    [[nodiscard]] bool has_host();

    // Ends the process without running a destructor, since threads are still inside of plugins.
    // Flushes the log. [any-thread]
    [[noreturn]] void leave(int exit_code) const;

private:
    [[nodiscard]] bool is_making_host();
    void handle(int signal);
    void stop_after_plugin_exit();

    // Of the main thread.
    sigset_t signals_{};  // those that it waits for
    StopSteps steps_;

    // By the steady clock, in nanoseconds. Nothing else depends on it, so any order will do.
    std::atomic<std::int64_t> deadline_ns_{forever.count()};

    // Written by the main thread, read by leave(); nothing else depends on it, so any order will
    // do.
    std::atomic<bool> forced_{false};
    // The same; stop_with() has followed, or will.
    std::atomic<bool> is_stop_wanted_{false};

    Mutex mutex_;
    bool expects_host_ GUARDED_BY(mutex_) = false;
    Stop stop_ GUARDED_BY(mutex_);
    std::function<void()> reload_ GUARDED_BY(mutex_);
    bool has_missed_reload_ GUARDED_BY(mutex_) = false;
    Nanos grace_ GUARDED_BY(mutex_){0};
};

}  // namespace skep::host
