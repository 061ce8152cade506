#include "host/cli/signals.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <system_error>
#include <thread>
#include <utility>

#include <pthread.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include "host/base/crash_report.hpp"
#include "host/base/deadline.hpp"
#include "host/base/process_state.hpp"
#include "host/cli/options.hpp"
#include "host/manager/manager.hpp"

namespace skep::host {
namespace {

// How much longer than its grace a host may take: what the manager allows itself, and two seconds
// to say what became of it.
constexpr Nanos overdue = Manager::stop_margin + std::chrono::seconds(2);

constexpr std::array<int, 4> guarded = {SIGINT, SIGTERM, SIGQUIT, SIGHUP};

// Global, because a handler reads it. Written before the first of them is installed.
pthread_t guard_thread{};

// A plugin has called exit(), and its thread waits for the end of the host. Global, because it is
// set while the process exits.
std::atomic<bool> has_plugin_exited{false};

// [the plugin's thread]
void end_after_plugin_exit() {
    has_plugin_exited = true;
    ::pthread_kill(guard_thread, SIGTERM);  // any of those that it waits for
}

// A signal that came to another thread, because the guard was not waiting just then, or because a
// plugin raised it.
void forward(int signal, siginfo_t* /*info*/, void* /*context*/) {
    const int before = errno;
    ::pthread_kill(guard_thread, signal);
    errno = before;
}

// The next of `signals`; 0: there was none until the deadline.
int wait_for_signal(const sigset_t& signals, const std::optional<Nanos>& deadline) {
    if (!deadline) {
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
        if (!is_ignored(signal)) {  // only SIGHUP can be, under nohup
            ::sigaddset(&signals_, signal);
            set_own_handler(signal, forward);
        }
    }
    ::pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
}

int Guard::watch(const std::function<int()>& work) {
    on_plugin_exit(end_after_plugin_exit);
    int exit_code = exit_internal;  // written before `has_ended`, read after the join
    std::atomic<bool> has_ended = false;
    std::thread worker;
    try {
        worker = std::thread([&] {
            unblock_all_signals();  // all other threads inherit the mask of this one
            exit_code = work();
            has_ended = true;
            ::pthread_kill(guard_thread, SIGTERM);
        });
    } catch (const std::system_error&) {
        std::fputs("skep: cannot start: out of threads\n", stderr);
        return exit_internal;
    }
    for (;;) {
        const int signal = wait_for_signal(signals_, deadline_);
        if (has_ended) {
            break;
        }
        if (has_plugin_exited) {
            stop_after_plugin_exit();
        } else if (signal != 0) {
            handle(signal);
        }
        if (deadline_ && steady_now() >= *deadline_) {
            std::fputs("skep: the host did not end in time; leaving it\n", stderr);
            ::_exit(exit_internal);
        }
    }
    worker.join();
    if (has_plugin_exited) {  // the exit of that thread is still on its way
        std::fflush(stdout);
        ::_exit(exit_failed);
    }
    return forced_ ? exit_interrupted : exit_code;
}

void Guard::expect_host() {
    const MutexLock lock(mutex_);
    expects_host_ = true;
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

void Guard::leave(int exit_code) const {
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
        ::_exit(128 + signal);
    }
    if (signal == SIGHUP) {
        if (reload) {
            reload();
        }
        return;
    }
    if (!stop) {
        if (is_stop_wanted_.exchange(true)) {
            ::_exit(exit_interrupted);
        }
        (void)steps_.next(signal);
        set_deadline(Nanos(0));
        return;
    }
    switch (steps_.next(signal)) {
        case StopStep::drain:
            spdlog::info("stopping: draining for up to {:g}s; press Ctrl-C again to stop now",
                         std::chrono::duration<double>(grace).count());
            break;
        case StopStep::stop_now:
            spdlog::warn("stopping now; what is queued is left undone");
            forced_ = true;
            grace = Nanos(0);
            break;
        case StopStep::leave:
            ::_exit(exit_interrupted);
    }
    set_deadline(grace);
    stop(grace);
}

// The signals that come from now on change nothing: what can be done is being done.
void Guard::stop_after_plugin_exit() {
    Stop stop;
    {
        const MutexLock lock(mutex_);
        stop = stop_;
    }
    if (!stop) {
        ::_exit(exit_failed);
    }
    if (!deadline_) {
        set_deadline(Nanos(0));
    }
    stop(Nanos(0));
}

void Guard::set_deadline(Nanos grace) {
    const Nanos longest = forever - overdue - steady_now();
    deadline_ = steady_now() + std::min(grace, longest) + overdue;
}

}  // namespace skep::host
