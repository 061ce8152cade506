// The command line of skep, and the environment variables that stand in for its flags. The only
// user of CLI11.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "host/base/clock.hpp"
#include "host/base/result.hpp"

namespace skep::host {

// The exit codes that a caller may rely on (after sysexits.h).
enum ExitCode {
    exit_ok = 0,
    exit_failed = 1,        // the host was ended by a worker, or could not start one; a running
                            // host refused what was asked; what was waited for did not come
    exit_at_rest = 3,       // status: the worker has ended
    exit_unknown = 4,       // the host has no such worker
    exit_usage = 64,        // wrong use of the command line
    exit_no_host = 69,      // nobody to ask, or no answer
    exit_internal = 70,     // a bug of skep, or a host that did not end in time
    exit_permission = 77,   // the host belongs to another user
    exit_config = 78,       // a topology or a plugin that is refused
    exit_interrupted = 130  // a second signal forced the end
};

enum class Verb {
    run,
    dev,  // run, for who builds plugins
    check,
    inspect,
    graph,
    // Of a host that runs.
    ps,
    status,
    pause,
    resume,
    send,
    broadcast,
    drain,
    reload,
    plan,
    rollback,
    generations,
    tap,
    restart,
    explain,
    wait,
    stop
};

struct Options {
    Verb verb = Verb::run;
    std::string target;   // the topology, or for inspect the plugin, as the user wrote it
    std::string summary;  // run, dev: where to write the summary as JSON; "" nowhere
    std::string audit;    // run, dev: where the audit log is appended to; "" nowhere
    std::string log_level = "info";  // run, dev: trace, debug, info, warn or error
    bool log_json = false;           // run, dev
    bool deny_warnings = false;      // check
    bool json = false;               // check, inspect, and what a running host says: JSON, not text
    bool mermaid = false;            // graph: Mermaid rather than DOT
    // run, dev: where to put the control socket; the verbs of a running host: where it is. "": the
    // usual places; "none": nowhere.
    std::string control;
    // Of a running host.
    std::string host;              // its name; "": the one that runs
    std::string worker;            // "": the host
    std::string text;              // send, broadcast
    std::string from;              // tap: WORKER or WORKER.OUTPUT; "": all
    std::string to;                // tap: a worker; "": all
    std::uint64_t limit = 0;       // tap: so many messages; 0: no end
    std::uint64_t bytes = 0;       // tap: so much of each message; 0: as the host likes
    std::string state;             // wait
    std::optional<Nanos> timeout;  // wait, stop
    std::optional<Nanos> grace;    // stop
    bool wait = false;             // pause: until it stands still
    bool now = false;              // stop
    bool dry_run = false;          // reload
    bool discard_state = false;    // reload, rollback: where it cannot be taken over
    bool in_force = false;         // reload, rollback: do not wait for the end of the probation

    bool operator==(const Options&) const = default;
};

// Nothing is to be done but to print this: on stdout what was asked for (exit_ok), on stderr what
// was wrong (exit_usage).
struct EarlyExit {
    ExitCode code;
    std::string text;
};

// Flags win over $SKEP_LOG (the level), $SKEP_LOG_FORMAT and $SKEP_CONTROL.
[[nodiscard]] Result<Options, EarlyExit> parse_options(int argc, const char* const* argv);

}  // namespace skep::host
