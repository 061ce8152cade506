#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>

#include <spdlog/spdlog.h>

#include "host/base/crash_report.hpp"
#include "host/base/deadline.hpp"
#include "host/base/unix_socket.hpp"
#include "host/base/working_folder.hpp"
#include "host/cli/output.hpp"
#include "host/cli/verbs.hpp"
#include "host/control/host_socket.hpp"
#include "host/daemon/host.hpp"
#include "host/daemon/log.hpp"
#include "host/daemon/prepare.hpp"
#include "host/daemon/service.hpp"
#include "host/daemon/summary.hpp"

namespace skep::host {
namespace {

// Makes paths absolute: the host opens them again after its start, when the working folder may have
// been replaced.
Options with_absolute_paths(Options options) {
    options.target = absolute_path(options.target);
    options.summary = absolute_path(options.summary);
    const std::string control = absolute_path(options.control);
    if (options.control != "none" && socket_address(control)) {  // it may be too long absolute
        options.control = control;
    }
    return options;
}

// Prints all diagnostics on stderr. With `json` they are log lines, which keeps stderr free of
// anything but JSON lines.
void print_diagnostics(const Prepared& prepared, bool json) {
    if (!json) {
        write_stderr(rendered(prepared));
        return;
    }
    for (const Diagnostic& diagnostic : prepared.diagnostics) {
        std::string line = render(diagnostic);
        line.pop_back();
        spdlog::log(
            diagnostic.severity == Severity::error ? spdlog::level::err : spdlog::level::warn,
            "{}",
            line);
    }
}

// Writes the summary of the run. Returns the exit code.
int conclude(const Options& options, const HostMetrics& metrics, const Ending& ending) {
    int exit_code = exit_ok;
    if (options.log_json) {
        spdlog::info("{}", accounting_text(metrics.accounting));
    } else {
        write_stderr(summary_text(metrics));
    }
    if (!options.summary.empty()) {
        const Result<Done> written = write_whole(options.summary, summary_json(metrics));
        if (!written) {
            spdlog::error("{}: {}", options.summary, written.error().front().message);
            exit_code = exit_failed;
        }
    }
    if (ending.cause == Ending::Cause::failed) {
        spdlog::error("the host has ended: {}", ending.reason);
        exit_code = exit_failed;
    }
    if (ending.lost.empty() && !metrics.accounting.is_balanced()) {
        spdlog::critical("messages are unaccounted for; this is a bug in skep");
        exit_code = exit_internal;
    }
    return exit_code;
}

// Handles a signal to stop that came while the plugins were probed and loaded.
int stopped_early() {
    spdlog::info("stopped before the host ran");
    return exit_ok;
}

// Runs the host from its first worker to its end. Returns the exit code.
int serve(const Options& options,
          const std::shared_ptr<Host>& host,
          const Plan& plan,
          std::unique_ptr<HostSocket> socket) {
    const Host::Start start = host->start(plan);
    if (start == Host::Start::running) {
        const std::string running = fmt::format("running '{}': {}, {}",
                                                plan.name,
                                                counted(plan.workers.size(), "worker"),
                                                counted(plan.routes.size(), "route"));
        spdlog::info("{}", running);
        socket->serve(*host, {plan.name, options.target, steady_now()});
        report_ready(running);
    }
    const Host::End end = host->wait();
    if (end.is_reload_stuck) {
        socket->abandon();
    }
    const int exit_code = start == Host::Start::refused
                              ? exit_failed
                              : conclude(options, host->manager().metrics(), end.ending);
    // Removes the socket only after the summary is written: `skep stop` may wait for the socket.
    socket.reset();
    if (Host::is_stuck(end)) {
        host->leave(exit_failed);
    }
    // Flushed here, where the guard limits the wait for a reader of stdout.
    (void)std::fflush(stdout);
    return exit_code;
}

int run_host(const Options& options, Guard& guard) {
    if (!options.summary.empty()) {
        if (const Result<Done> writable = check_writable(options.summary); !writable) {
            return refuse(writable.error(), exit_usage);
        }
    }
    guard.expect_host();
    Result<std::unique_ptr<FileLoader>> loader = make_loader(&guard.is_stop_wanted());
    if (!loader) {
        return refuse(loader.error(), exit_failed);
    }
    const auto read_at = std::chrono::system_clock::now();
    const Prepared prepared = prepare(options.target, **loader);
    if (guard.is_stop_wanted()) {
        return stopped_early();
    }
    print_diagnostics(prepared, options.log_json);
    if (!prepared.plan) {
        return exit_config;
    }
    const Plan& plan = *prepared.plan;
    Result<std::unique_ptr<HostSocket>, std::string> socket =
        HostSocket::open(options.control, plan.name);
    if (!socket) {
        spdlog::error("cannot open the control socket: {}", socket.error());
        return exit_failed;
    }
    Result<std::unique_ptr<Audit>, std::string> audit = Audit::open(options.audit, plan.name);
    if (!audit) {
        spdlog::error("cannot open audit log '{}': {}", options.audit, audit.error());
        return exit_usage;
    }
    const auto host = Host::make(guard,
                                 {options.target, options.verb == Verb::dev, read_at},
                                 plan,
                                 std::move(*loader),
                                 std::move(*audit));
    watch_exit_again();
    if (guard.is_stop_wanted()) {
        return stopped_early();
    }
    return serve(options, host, plan, std::move(*socket));
}

}  // namespace

int run(const Options& options, Guard& guard) {
    return run_host(with_absolute_paths(options), guard);
}

}  // namespace skep::host
