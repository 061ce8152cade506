// The command line of skep, and the environment variables that stand in for its flags. The only
// user of CLI11.
#pragma once

#include <string>

#include "host/base/result.hpp"

namespace skep::host {

// The exit codes that a caller may rely on (after sysexits.h).
enum ExitCode {
    exit_ok = 0,
    exit_failed = 1,        // the host was ended by a worker, or could not start one
    exit_usage = 64,        // wrong use of the command line
    exit_internal = 70,     // a bug of skep, or a host that did not end in time
    exit_config = 78,       // a topology or a plugin that is refused
    exit_interrupted = 130  // a second signal forced the end
};

enum class Verb { run, check, inspect, graph };

struct Options {
    Verb verb = Verb::run;
    std::string target;   // the topology, or for inspect the plugin, as the user wrote it
    std::string summary;  // run: where to write the summary as JSON; "" nowhere
    std::string log_level = "info";  // run: trace, debug, info, warn or error
    bool log_json = false;           // run
    bool deny_warnings = false;      // check
    bool json = false;               // check, inspect: JSON rather than text
    bool mermaid = false;            // graph: Mermaid rather than DOT

    bool operator==(const Options&) const = default;
};

// Nothing is to be done but to print this: on stdout what was asked for (exit_ok), on stderr what
// was wrong (exit_usage).
struct EarlyExit {
    ExitCode code;
    std::string text;
};

// Flags win over $SKEP_LOG (the level) and $SKEP_LOG_FORMAT.
[[nodiscard]] Result<Options, EarlyExit> parse_options(int argc, const char* const* argv);

}  // namespace skep::host
