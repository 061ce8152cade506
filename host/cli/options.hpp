// Parses the command line of skep, and the environment variables that replace its flags. The only
// user of CLI11.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "host/base/clock.hpp"
#include "host/base/result.hpp"
#include "host/daemon/exit_code.hpp"

namespace skep::host {

enum class Verb {
    run,
    dev,  // run, for developers of plugins
    check,
    inspect,
    graph,
    // For a running host.
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
    std::string summary;  // run, dev: the file for the summary as JSON; "": none
    std::string audit;    // run, dev: the file to which the audit log is appended; "": none
    std::string log_level = "info";  // run, dev: trace, debug, info, warn or error
    bool log_json = false;           // run, dev
    bool deny_warnings = false;      // check
    bool json = false;               // check, inspect, answers of a running host: JSON, not text
    bool mermaid = false;            // graph: Mermaid rather than DOT
    // The path of the control socket. "": the usual places; "none": no socket.
    std::string control;
    // For the verbs of a running host.
    std::string host;              // its name; "": the only one that runs
    std::string worker;            // "": the host
    std::string text;              // send, broadcast
    std::string from;              // tap: WORKER or WORKER.OUTPUT; "": all
    std::string to;                // tap: a worker; "": all
    std::uint64_t limit = 0;       // tap: number of messages; 0: no limit
    std::uint64_t bytes = 0;       // tap: bytes of each message; 0: the default of the host
    std::string state;             // wait
    std::optional<Nanos> timeout;  // wait, stop
    std::optional<Nanos> grace;    // stop
    bool wait = false;             // pause: return when the worker is paused
    bool now = false;              // stop
    bool dry_run = false;          // reload
    bool discard_state = false;    // reload, rollback: if the new version cannot read the state
    bool in_force = false;         // reload, rollback: do not wait for the end of the probation

    bool operator==(const Options&) const = default;
};

// The process prints `text` and exits with `code`: on stdout for exit_ok (help, version), on stderr
// for exit_usage (an error).
struct EarlyExit {
    ExitCode code;
    std::string text;
};

// Parses the arguments. Flags override $SKEP_LOG (the level), $SKEP_LOG_FORMAT and $SKEP_CONTROL.
[[nodiscard]] Result<Options, EarlyExit> parse_options(int argc, const char* const* argv);

}  // namespace skep::host
