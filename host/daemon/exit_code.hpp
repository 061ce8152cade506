// The exit codes that callers may rely on (after sysexits.h).
#pragma once

namespace skep::host {

enum ExitCode {
    exit_ok = 0,
    exit_failed = 1,        // a worker ended the host or could not start; a running host refused
                            // the request; an awaited state was not reached in time
    exit_at_rest = 3,       // status: the worker has ended
    exit_unknown = 4,       // the host has no such worker
    exit_usage = 64,        // wrong command line
    exit_no_host = 69,      // no host to ask, or no response
    exit_internal = 70,     // a bug in skep, or a host that did not end in time
    exit_permission = 77,   // the host belongs to another user
    exit_config = 78,       // skep refuses the topology or a plugin
    exit_interrupted = 130  // a second signal forced the end
};

}  // namespace skep::host
