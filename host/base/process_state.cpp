#include "host/base/process_state.hpp"

#include <array>
#include <atomic>

#include <execinfo.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "host/base/contains.hpp"

namespace skep::host {
namespace {

constexpr std::size_t signal_end = 65;  // Linux counts signals from 1 to 64

// Global, because a forked child reads it, and may neither allocate nor lock then.
// set_own_handler() writes it; in a forked child no other thread exists.
constinit std::array<std::atomic<SignalHandler>, signal_end> own_handlers{};

// Global for the same reason. Written in a forked child, which has no other thread at that time.
constinit std::atomic<bool> is_forked{false};

void do_nothing(int /*signal*/, siginfo_t* /*info*/, void* /*context*/) {}

// [the one thread of a forked child] Calls only async-signal-safe functions.
void give_back_defaults() {
    is_forked.store(true, std::memory_order_relaxed);
    for (std::size_t signal = 1; signal < signal_end; ++signal) {
        const SignalHandler own = own_handlers.at(signal).load(std::memory_order_relaxed);

        struct sigaction now {};

        if (own != nullptr && ::sigaction(static_cast<int>(signal), nullptr, &now) == 0 &&
            (now.sa_flags & SA_SIGINFO) != 0 && now.sa_sigaction == own) {
            std::signal(static_cast<int>(signal), SIG_DFL);
        }
    }
}

// A file that is opened later must not get the number of a standard stream: output would be written
// into it.
void open_standard_streams() {
    int fd = 0;
    do {
        fd = open_nothing();
    } while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd > STDERR_FILENO) {
        ::close(fd);
    }
}

// The C library loads its unwinder when it first needs it, as for an exception that crosses dlopen,
// and aborts if there is no memory for that.
void load_unwinder() {
    void* frame = nullptr;
    (void)::backtrace(&frame, 1);
}

// The C library takes the size of a thread's stack from the limit of the process (ulimit -s), which
// may be too small for a plugin, and for the host.
void give_threads_enough_stack() {
    constexpr std::size_t enough = std::size_t{1} << 20;
    pthread_attr_t defaults{};
    if (::pthread_getattr_default_np(&defaults) != 0) {
        return;
    }
    std::size_t size = 0;
    if (::pthread_attr_getstacksize(&defaults, &size) == 0 && size < enough &&
        ::pthread_attr_setstacksize(&defaults, enough) == 0) {
        (void)::pthread_setattr_default_np(&defaults);
    }
    ::pthread_attr_destroy(&defaults);
}

void reset_ignored_signals() {
    constexpr std::array<int, 4> kept = {SIGHUP, SIGTSTP, SIGTTIN, SIGTTOU};
    for (int signal = 1; signal < static_cast<int>(signal_end); ++signal) {
        if (!contains(kept, signal) && is_ignored(signal)) {
            std::signal(signal, SIG_DFL);
        }
    }
}

}  // namespace

int open_nothing() {
    const int fd = ::open("/dev/null", O_RDWR);
    return fd >= 0 ? fd : ::open("/", O_RDONLY | O_DIRECTORY);
}

void normalise_process_state() {
    open_standard_streams();
    load_unwinder();
    give_threads_enough_stack();
    reset_ignored_signals();
    unblock_all_signals();
    ::prctl(PR_SET_CHILD_SUBREAPER, 0);  // orphans go to the next subreaper or init above
    set_own_handler(SIGPIPE, do_nothing);
    set_own_handler(SIGXFSZ, do_nothing);
    static const int registered = ::pthread_atfork(nullptr, nullptr, give_back_defaults);
    static_cast<void>(registered);  // out of memory: forked children keep handlers that do little
}

void set_own_handler(int signal, SignalHandler handler, int flags) {
    own_handlers.at(static_cast<std::size_t>(signal)).store(handler, std::memory_order_relaxed);

    struct sigaction action {};

    action.sa_sigaction = handler;
    action.sa_flags = SA_SIGINFO | SA_RESTART | flags;
    ::sigemptyset(&action.sa_mask);
    ::sigaction(signal, &action, nullptr);
}

bool is_ignored(int signal) {
    struct sigaction now {};

    return ::sigaction(signal, nullptr, &now) == 0 && (now.sa_flags & SA_SIGINFO) == 0 &&
           now.sa_handler == SIG_IGN;
}

bool is_forked_child() {
    return is_forked.load(std::memory_order_relaxed);
}

void unblock_all_signals() {
    sigset_t none;
    ::sigemptyset(&none);
    ::pthread_sigmask(SIG_SETMASK, &none, nullptr);
}

}  // namespace skep::host
