#include "host/daemon/signals.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <ctime>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include <pthread.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include "host/base/crash_report.hpp"
#include "host/base/deadline.hpp"
#include "host/base/fd.hpp"
#include "host/base/process_state.hpp"
#include "host/daemon/exit_code.hpp"
#include "host/daemon/log.hpp"
#include "host/manager/manager.hpp"

namespace skep::host {
namespace {

// How long after its deadline the process leaves the host: the machine may be busy.
constexpr Nanos scheduling = std::chrono::milliseconds(400);

// Wakes the main thread. Its default action is to be ignored; a late one thus has no effect.
constexpr int wake_signal = SIGURG;

constexpr std::array<int, 4> guarded = {SIGINT, SIGTERM, SIGQUIT, SIGHUP};

// Global, because signal handlers read it. Written before the first handler is installed.
pthread_t guard_thread{};

// True if a plugin has called exit(); its thread waits for the end of the host. Global, because it
// is set while the process exits.
std::atomic<bool> has_plugin_exited{false};

// [the plugin's thread]
void end_after_plugin_exit() {
    has_plugin_exited = true;
    ::pthread_kill(guard_thread, wake_signal);
}

// Handles a signal on another thread: the guard was not waiting at that moment, or a plugin raised
// the signal.
void forward(int signal, siginfo_t* /*info*/, void* /*context*/) {
    const int before = errno;
    ::pthread_kill(guard_thread, signal);
    errno = before;
}

// Blocks until one of `signals` comes, and returns it. 0: none came before the deadline.
int wait_for_signal(const sigset_t& signals, Nanos deadline) {
    if (deadline == forever) {
        return std::max(::sigwaitinfo(&signals, nullptr), 0);
    }
    const std::chrono::milliseconds left(poll_timeout(deadline));
    timespec timeout{};
    timeout.tv_sec = static_cast<time_t>(left / std::chrono::seconds(1));
    timeout.tv_nsec = static_cast<long>(Nanos(left % std::chrono::seconds(1)).count());
    return std::max(::sigtimedwait(&signals, nullptr, &timeout), 0);
}

}  // namespace

StopStep StopSteps::next(int signal) {
    if (last_ == StopStep::stop_now || last_ == StopStep::leave) {
        last_ = StopStep::leave;
    } else if (last_ == StopStep::drain || signal == SIGQUIT) {
        last_ = StopStep::stop_now;
    } else {
        last_ = StopStep::drain;
    }
    return *last_;
}

Guard::Guard() {
    normalise_process_state();
    guard_thread = ::pthread_self();
    ::sigemptyset(&signals_);
    for (const int signal : guarded) {
        if (!is_ignored(signal)) {  // only SIGHUP can be ignored, under nohup
            ::sigaddset(&signals_, signal);
            set_own_handler(signal, forward);
        }
    }
    ::sigaddset(&signals_, wake_signal);
    ::pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
}

int Guard::watch(const std::function<int()>& work) {
    on_plugin_exit(end_after_plugin_exit);
    int exit_code = exit_internal;  // written before `has_ended`, read after the join
    std::atomic<bool> has_ended = false;
    std::thread worker;
    try {
        worker = std::thread([&] {
            unblock_all_signals();  // all other threads inherit the signal mask of this thread
            exit_code = work();
            has_ended = true;
            ::pthread_kill(guard_thread, wake_signal);
        });
    } catch (const std::system_error& error) {
        write_stderr("skep: cannot start a thread: " + error_text(error.code().value()) + "\n");
        return exit_failed;
    }
    for (;;) {
        const int signal = wait_for_signal(signals_, Nanos(deadline_ns_));
        if (has_ended) {
            break;
        }
        if (has_plugin_exited) {
            stop_after_plugin_exit();
        } else if (signal != 0 && signal != wake_signal) {
            handle(signal);
        }
        if (steady_now().count() >= deadline_ns_) {
            if (is_making_host()) {
                write_stderr("skep: stopped before the host ran, while a plugin was opened\n");
                leave(exit_ok);
            }
            write_stderr("skep: the host did not end in time; the process ends now\n");
            leave(exit_internal);
        }
    }
    worker.join();
    if (has_plugin_exited) {  // the plugin's thread is still inside exit()
        (void)flush_log();
        ::_exit(exit_failed);
    }
    return forced_ ? exit_interrupted : exit_code;
}

void Guard::expect_host() {
    const MutexLock lock(mutex_);
    expects_host_ = true;
}

void Guard::end_within(Nanos time) {
    const Nanos now = steady_now();
    const Nanos deadline = now + std::min(time, forever - now - scheduling) + scheduling;
    std::int64_t before = deadline_ns_;
    while (deadline.count() < before) {
        if (deadline_ns_.compare_exchange_weak(before, deadline.count())) {
            (void)::pthread_kill(guard_thread, wake_signal);
            return;
        }
    }
}

void Guard::stop_with(Stop stop, Nanos grace) {
    const MutexLock lock(mutex_);
    stop_ = std::move(stop);
    grace_ = grace;
}

void Guard::reload_with(const std::function<void()>& reload) {
    bool has_missed_one = false;
    {
        const MutexLock lock(mutex_);
        reload_ = reload;
        has_missed_one = reload_ && std::exchange(has_missed_reload_, false);
    }
    if (has_missed_one) {
        reload();
    }
}

Nanos Guard::time_left() const {
    const Nanos deadline(deadline_ns_);
    return deadline == forever ? forever : deadline - steady_now();
}

bool Guard::is_making_host() {
    const MutexLock lock(mutex_);
    return expects_host_ && stop_ == nullptr;
}

bool Guard::has_host() {
    const MutexLock lock(mutex_);
    return stop_ != nullptr;
}

void Guard::leave(int exit_code) const {
    (void)flush_log();
    ::_exit(forced_ ? exit_interrupted : exit_code);
}

void Guard::handle(int signal) {
    Stop stop;
    std::function<void()> reload;
    Nanos grace{0};
    bool expects_host = false;
    {
        const MutexLock lock(mutex_);
        expects_host = expects_host_;
        stop = stop_;
        has_missed_reload_ = has_missed_reload_ || (signal == SIGHUP && !reload_);
        reload = reload_;
        grace = grace_;
    }
    if (!stop && !expects_host) {
        (void)flush_log();
        ::_exit(128 + signal);
    }
    if (signal == SIGHUP) {
        if (reload) {
            reload();
        }
        return;
    }
    // Logs only after everything is decided and done.
    const StopStep step = steps_.next(signal);
    if (!stop) {
        if (is_stop_wanted_.exchange(true)) {
            leave(exit_interrupted);
        }
        end_within(stop_times(Nanos(0)).total);
        return;
    }
    if (step == StopStep::leave) {
        leave(exit_interrupted);
    }
    if (step == StopStep::stop_now) {
        forced_ = true;
        grace = Nanos(0);
    }
    end_within(stop_times(grace).total);
    stop(grace);
    if (step == StopStep::stop_now) {
        spdlog::warn("stopping now; queued messages are not processed");
    } else {
        spdlog::info("stopping: draining for up to {:g}s; press Ctrl-C again to stop now",
                     std::chrono::duration<double>(grace).count());
    }
}

// Stops the host at once. Later signals change nothing.
void Guard::stop_after_plugin_exit() {
    Stop stop;
    {
        const MutexLock lock(mutex_);
        stop = stop_;
    }
    if (!stop) {
        leave(exit_failed);
    }
    end_within(stop_times(Nanos(0)).total);
    stop(Nanos(0));
}

}  // namespace skep::host
