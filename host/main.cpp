// The entry point of skep: parses the command line, starts the guard and the log, and runs the
// verb.
#include <algorithm>
#include <chrono>

#include "host/base/crash_report.hpp"
#include "host/base/init_process.hpp"
#include "host/cli/options.hpp"
#include "host/cli/output.hpp"
#include "host/cli/verbs.hpp"
#include "host/daemon/log.hpp"
#include "host/daemon/probe_child.hpp"
#include "host/daemon/signals.hpp"

using namespace skep::host;  // NOLINT(google-build-using-namespace): a program, not a library

namespace {

int carry_out(const Options& options, Guard& guard) {
    switch (options.verb) {
        case Verb::run:
        case Verb::dev:
            return run(options, guard);
        case Verb::check:
            return check(options);
        case Verb::inspect:
            return inspect(options);
        case Verb::graph:
            return graph(options);
        case Verb::ps:
            return ps(options);
        default:
            return steer(options);
    }
}

// Returns how long the end of the process waits for the reader of stderr: without a limit, as any
// program, or for at most 1 s after a host has run.
Nanos log_patience_of(Guard& guard) {
    return guard.has_host() ? std::min<Nanos>(std::chrono::seconds(1), guard.time_left() / 2)
                            : forever;
}

}  // namespace

int main(int argc, char** argv) {
    if (is_probe_child(argc, argv)) {
        run_probe_child();
    }
    const Result<Options, EarlyExit> options = parse_options(argc, argv);
    if (!options) {
        const EarlyExit& early = options.error();
        if (early.code == exit_ok) {
            return answer(early.text, early.code);
        }
        write_stderr(early.text);
        return early.code;
    }
    if (options->verb == Verb::run || options->verb == Verb::dev) {
        become_child_of_init();
    }
    Guard guard;
    start_log(options->log_level, options->log_json);
    install_crash_reports(exit_failed);
    bool is_log_written = true;
    const int exit_code = guard.watch([&] {
        const int code = contained([&] { return carry_out(*options, guard); });
        is_log_written = flush_log(log_patience_of(guard));
        return code;
    });
    if (!is_log_written) {
        guard.leave(exit_code);  // stderr is blocked, and a normal exit would wait for it
    }
    expect_exit();
    return exit_code;
}
