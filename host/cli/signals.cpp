#include "host/cli/signals.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <system_error>
#include <thread>
#include <utility>

#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "host/base/deadline.hpp"
#include "host/base/fd.hpp"
#include "host/cli/options.hpp"
#include "host/manager/manager.hpp"

namespace skep::host {
namespace {

// How much longer than its grace a host may take: what the manager allows itself, and two seconds
// to say what became of it.
constexpr Nanos overdue = Manager::stop_margin + std::chrono::seconds(2);

sigset_t guarded_signals() {
    sigset_t set;
    ::sigemptyset(&set);
    for (const int signal : {SIGINT, SIGTERM, SIGQUIT, SIGHUP}) {
        ::sigaddset(&set, signal);
    }
    return set;
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
    const sigset_t set = guarded_signals();
    ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
    std::signal(SIGPIPE, SIG_IGN);  // a reader that went away is an error of the write
}

int Guard::watch(const std::function<int()>& work) {
    const sigset_t set = guarded_signals();
    const Fd signals(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
    const Fd ended(::eventfd(0, EFD_CLOEXEC));
    int exit_code = exit_internal;  // written before `ended`, read after the join
    std::thread worker;
    if (signals.get() >= 0 && ended.get() >= 0) {
        try {
            worker = std::thread([&] {
                exit_code = work();
                (void)::eventfd_write(ended.get(), 1);  // cannot overflow: it is written once
            });
        } catch (const std::system_error&) {  // told below
        }
    }
    if (!worker.joinable()) {
        std::fputs("skep: cannot start: out of file descriptors or threads\n", stderr);
        return exit_internal;
    }
    std::array<pollfd, 2> fds = {{{signals.get(), POLLIN, 0}, {ended.get(), POLLIN, 0}}};
    while ((fds[1].revents & POLLIN) == 0) {
        (void)::poll(fds.data(), fds.size(), poll_timeout(deadline_));
        signalfd_siginfo info{};
        while (::read(signals.get(), &info, sizeof(info)) == sizeof(info)) {
            handle(static_cast<int>(info.ssi_signo));
        }
        if (deadline_ && steady_now() >= *deadline_ && (fds[1].revents & POLLIN) == 0) {
            std::fputs("skep: the host did not end in time; leaving it\n", stderr);
            ::_exit(exit_internal);
        }
    }
    worker.join();
    return forced_ ? exit_interrupted : exit_code;
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
    {
        const MutexLock lock(mutex_);
        stop = stop_;
        has_missed_reload_ = has_missed_reload_ || (signal == SIGHUP && !reload_);
        reload = reload_;
        grace = grace_;
    }
    if (!stop) {
        ::_exit(128 + signal);
    }
    if (signal == SIGHUP) {
        if (reload) {
            reload();
        }
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

void Guard::set_deadline(Nanos grace) {
    const Nanos longest = forever - overdue - steady_now();
    deadline_ = steady_now() + std::min(grace, longest) + overdue;
}

}  // namespace skep::host
