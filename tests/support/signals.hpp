// Signals from one process to another, or to itself.
#pragma once

#include <csignal>

#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include <skep/note.h>

namespace skep::test {

// ThreadSanitizer keeps a signal back from a thread that waits by a bare system call, as an idle
// worker does. There the signal goes to the main thread, which waits for signals.
inline void send_signal(pid_t pid, int signal) {
    if constexpr ((SKEP_THIS_SANITIZERS & SKEP_SANITIZER_THREAD) != 0) {
        ::syscall(SYS_tgkill, pid, pid, signal);
    } else {
        ::kill(pid, signal);
    }
}

}  // namespace skep::test
