// The probe: plugins are opened in a child process first, and at a reload their workers are created
// there too. A plugin that crashes, hangs or ends the process does that to the child.
//
// Success is what the child says, never how it ended: after its last step for a plugin it writes a
// line that begins with a random number of this run. The parent reads the child's pipe, and looks
// at the child every few milliseconds; it needs neither a pidfd nor SIGCHLD, and a process that the
// plugin has left behind with the pipe open holds nothing up. The child is the leader of a process
// group, which is killed at the end in any case.
#pragma once

#include <atomic>
#include <chrono>
#include <span>
#include <string>
#include <vector>

#include "host/base/result.hpp"
#include "host/loader/probe_request.hpp"

namespace skep::host {

// How long one step may take: to start the child, to load or unload a plugin, to create a worker.
inline constexpr std::chrono::seconds probe_limit{10};

// How a child that was to try plugins went wrong.
struct ProbeFailure {
    enum class Cause {
        said,         // the child itself says what is wrong: `words`
        not_started,  // there was no child: `number` is errno, `words` what could not be had
        timed_out,    // after `number` milliseconds
        killed,       // by signal `number`
        stopped,      // by signal `number`; it would have stopped the host
        exited,       // with exit code `number`
        vanished,     // it has ended, and someone else has taken its status
        silent,       // it has closed its pipe and lives on
        cancelled,    // by `is_cancelled` of probe()
    };
    Cause cause = Cause::said;
    int number = 0;
    std::string words;          // of the child, or what it wrote to stderr
    std::string worker;         // that was being created; "": the plugin was being loaded
    bool has_begun = true;      // false: the child had not come to the plugin yet
    bool is_unloading = false;  // the plugin was being unloaded

    bool operator==(const ProbeFailure&) const = default;
};

// "it crashed while it was loaded in a child process: SIGSEGV". Pure.
[[nodiscard]] std::string text_of(const ProbeFailure& it);

// Runs `subjects` with that executable, which is skep, in one child after the other: a child goes
// on until one of them fails, and the next begins behind that one. One answer for each subject.
// Any thread; waits for each step at most `limit`, and ends early once `is_cancelled`, if it is not
// null, is true.
[[nodiscard]] std::vector<Result<Done, std::string>> probe(
    const std::string& executable,
    std::span<const ProbeSubject> subjects,
    std::chrono::milliseconds limit = probe_limit,
    const std::atomic<bool>* is_cancelled = nullptr);

}  // namespace skep::host
