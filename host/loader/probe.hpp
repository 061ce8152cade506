// The probe opens plugins in a child process first, and at a reload also creates their workers
// there. A plugin that crashes, hangs or ends the process then does that to the child.
//
// Success depends only on the child's messages, never on how the child ended. After its last step
// for a plugin, the child writes a line that begins with a random number of this run. The parent
// reads the child's pipe, and checks the child every few milliseconds. It needs neither a pidfd nor
// SIGCHLD, and a process that the plugin left behind with the pipe open does not delay it. The
// child leads a process group, which is killed at the end in any case.
#pragma once

#include <atomic>
#include <chrono>
#include <span>
#include <string>
#include <vector>

#include "host/base/result.hpp"
#include "host/loader/probe_request.hpp"

namespace skep::host {

// The time limit of one step: starting the child, loading or unloading a plugin, creating a worker.
inline constexpr std::chrono::seconds probe_limit{10};

// How a child that had to try plugins failed.
struct ProbeFailure {
    enum class Cause {
        said,         // the child itself reported the failure: `words`
        not_started,  // no child: `number` is errno, `words` what could not be created
        timed_out,    // after `number` milliseconds
        killed,       // by signal `number`
        stopped,      // by signal `number`; it would have stopped the host
        exited,       // with exit code `number`
        vanished,     // it has ended, and other code has taken its status
        silent,       // it has closed its pipe and is still alive
        cancelled,    // by `is_cancelled` of probe()
    };
    Cause cause = Cause::said;
    int number = 0;
    std::string words;      // of the child, or its output on stderr
    std::string worker;     // the worker that was being created; "": the plugin was being loaded
    bool has_begun = true;  // false: the child had not reached the plugin yet
    bool is_unloading = false;  // the plugin was being unloaded

    bool operator==(const ProbeFailure&) const = default;
};

// Returns the text of a failure: "it crashed while it was loaded in a child process: SIGSEGV".
// Pure.
[[nodiscard]] std::string text_of(const ProbeFailure& it);

// Tries `subjects` with that executable, which is skep, in one child after the other. A child
// continues until a subject fails, and the next child starts behind that subject. Returns one
// result for each subject. Any thread. Waits at most `limit` for each step, and ends early once
// `is_cancelled`, if not null, is true.
[[nodiscard]] std::vector<Result<Done, std::string>> probe(
    const std::string& executable,
    std::span<const ProbeSubject> subjects,
    std::chrono::milliseconds limit = probe_limit,
    const std::atomic<bool>* is_cancelled = nullptr);

}  // namespace skep::host
