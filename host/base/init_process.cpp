#include "host/base/init_process.hpp"

#include <csignal>

#include <sys/wait.h>
#include <unistd.h>

namespace skep::host {
namespace {

// Reaps ended processes. Ends this process when `host` is among them.
void reap(pid_t host) {
    int status = 0;
    for (pid_t ended = 0; (ended = ::waitpid(-1, &status, WNOHANG)) > 0;) {
        if (ended == host && WIFEXITED(status)) {
            ::_exit(WEXITSTATUS(status));
        }
        if (ended == host && WIFSIGNALED(status)) {
            ::_exit(128 + WTERMSIG(status));
        }
    }
}

// A terminal sends a signal to the whole process group, which includes the host.
bool is_from_terminal(const siginfo_t& info) {
    return info.si_code == SI_KERNEL;
}

[[noreturn]] void serve_as_init(pid_t host, const sigset_t& all) {
    for (;;) {
        siginfo_t info{};
        const int signal = ::sigwaitinfo(&all, &info);
        if (signal == SIGCHLD) {
            reap(host);
        } else if (signal > 0 && !is_from_terminal(info)) {
            ::kill(host, signal);
        }
    }
}

}  // namespace

void become_child_of_init() {
    if (::getpid() != 1) {
        return;
    }
    std::signal(SIGCHLD, SIG_DFL);
    sigset_t all;
    sigset_t before;
    ::sigfillset(&all);
    ::sigprocmask(SIG_SETMASK, &all, &before);  // no signal is lost before sigwaitinfo()
    const pid_t host = ::fork();
    if (host > 0) {
        serve_as_init(host, all);
    }
    ::sigprocmask(SIG_SETMASK, &before, nullptr);
}

}  // namespace skep::host
