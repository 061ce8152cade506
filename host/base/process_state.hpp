// The process state that skep inherits from its parent and that its children inherit from it.
//
//   inherited              at the start                       a child of a plugin
//   descriptor 0, 1 or 2   /dev/null if it is closed          the host's
//   signal mask            emptied; only the main thread      empty
//                          blocks the signals it waits for
//   ignored signals        back to default                    default
//     SIGHUP (nohup)       stay ignored                       ignored
//     SIGTSTP/TTIN/TTOU    stay ignored                       ignored
//   SIGPIPE, SIGXFSZ       a handler that does nothing: the   default
//                          write fails (EPIPE, EFBIG)
//   subreaper              switched off                       no
//   limit of the stack     as inherited; threads get 1 MiB    the host's
//                          or more
//   umask, working folder, limits, priority: as inherited     the host's
//
// The host uses a handler instead of SIG_IGN because exec() resets handlers and keeps SIG_IGN. No
// thread that runs plugins blocks a signal, because posix_spawn(), popen() and system() pass the
// mask of the calling thread to the child, and no hook of the C library runs between. A child that
// a plugin forks gets the default action back for every signal of set_own_handler().
#pragma once

#include <csignal>

namespace skep::host {

// Brings the process into the state of the table. [main, before any thread, file or socket]
void normalise_process_state();

using SignalHandler = void (*)(int signal, siginfo_t* info, void* context);

// Opens /dev/null; without a /dev, a folder, which can be neither read nor written. -1: see errno.
[[nodiscard]] int open_nothing();

// Installs a handler of the host, with SA_SIGINFO | SA_RESTART and `flags`. [any-thread]
void set_own_handler(int signal, SignalHandler handler, int flags = 0);

// Returns true if the parent made the process ignore the signal and the host keeps this.
[[nodiscard]] bool is_ignored(int signal);

// Returns true in a child that a plugin has forked, false in the host.
[[nodiscard]] bool is_forked_child();

// Unblocks all signals in the calling thread.
void unblock_all_signals();

}  // namespace skep::host
