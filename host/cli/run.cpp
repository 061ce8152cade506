#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <system_error>
#include <utility>

#include <spdlog/fmt/ranges.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include "host/base/crash_report.hpp"
#include "host/base/deadline.hpp"
#include "host/base/unix_socket.hpp"
#include "host/base/working_folder.hpp"
#include "host/cli/output.hpp"
#include "host/cli/verbs.hpp"
#include "host/control/api.hpp"
#include "host/control/places.hpp"
#include "host/control/server.hpp"
#include "host/daemon/audit.hpp"
#include "host/daemon/file_watch.hpp"
#include "host/daemon/log.hpp"
#include "host/daemon/prepare.hpp"
#include "host/daemon/reload.hpp"
#include "host/daemon/service.hpp"
#include "host/daemon/summary.hpp"
#include "host/loader/shared_object.hpp"
#include "host/manager/manager.hpp"

namespace skep::host {
namespace {

// Forwards the manager's events to the audit log and the probations.
class HostWitness final : public ManagerObserver {
public:
    HostWitness(Audit& audit, Probations& probations)
        : audit_(audit),
          probations_(probations) {}

    void swapped(const std::string& worker, std::uint64_t generation) override {
        probations_.swapped(worker, generation);
    }

    void settled(const std::string& worker, std::uint64_t generation) override {
        probations_.settled(worker, generation);
    }

    void hangs(const std::string& worker, std::uint64_t generation, Nanos lasts) override {
        probations_.hangs({worker, generation, lasts});
    }

    void reverted(const Reverted& it) override {
        audit_.reverted(it);
        probations_.reverted(it);
    }

    void closed(const LibraryFacts& facts) override { audit_.closed(facts); }

private:
    Audit& audit_;
    Probations& probations_;
};

// How long the end of the host waits, at most, for a running reload, which may hang in a plugin or
// a file.
constexpr Nanos reload_patience = std::chrono::seconds(10);

// A manager and the objects that must outlive it.
struct Host {
    Host(std::unique_ptr<FileLoader> its_loader,
         std::unique_ptr<Audit> its_audit,
         Manager::When ends)
        : loader(std::move(its_loader)),
          audit(std::move(its_audit)),
          observer(*audit, *probations),
          manager(clock, *loader, ends, Manager::Limits(), &observer) {}

    void stop(Nanos grace) {
        manager.request_stop(grace);
        report_stopping();
    }

    SteadyClock clock;
    std::unique_ptr<FileLoader> loader;
    std::unique_ptr<Audit> audit;
    const std::shared_ptr<Probations> probations = std::make_shared<Probations>();
    HostWitness observer;
    Manager manager;
};

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

// Opens the control socket of a host that is about to run. Clients may connect; the host answers
// when it runs. Null: not wanted, or no usual place can be used; the host then runs without one. An
// error: the given path cannot be used.
Result<std::unique_ptr<Listener>, std::string> listen(const Options& options, const Plan& plan) {
    if (options.control == "none") {
        return std::unique_ptr<Listener>();
    }
    Listener::Opened opened =
        options.control.empty()
            ? Listener::open_in(control_folders(std::getenv("XDG_RUNTIME_DIR")), plan.name)
            : Listener::open(options.control, plan.name);
    if (opened) {
        return std::move(*opened);
    }
    if (!options.control.empty()) {
        return Unexpected<std::string>(opened.error().why);
    }
    spdlog::warn("cannot open a control socket: {}", opened.error().why);
    return std::unique_ptr<Listener>();
}

// Everything that steers a running host: the control socket, reloads and the file watch. It must be
// destroyed before the manager.
class Steering {
public:
    Steering(const std::shared_ptr<Host>& host,
             Guard& guard,
             std::unique_ptr<Listener> listener,
             std::shared_ptr<Reloader> reloader,
             std::shared_ptr<FileWatch> watch,
             HostIdentity facts)
        : reloader_(std::move(reloader)),
          watch_(std::move(watch)),
          reloads_(std::make_shared<Reloads>(
              [host, it = reloader_, watch = watch_](const ReloadRequest& request) {
                  report_reloading();
                  ReloadOutcome outcome = it->run(request);
                  watch->watch(it->files_to_watch());
                  report_ready(status_of(outcome));
                  return outcome;
              },
              [host](const Verdict& verdict, const std::string& who) {
                  host->audit->verdict(verdict, who);
                  if (verdict.outcome.result == ReloadResult::rolled_back ||
                      verdict.outcome.result == ReloadResult::hangs) {
                      report_ready(status_of(verdict.outcome));
                  }
              },
              host->probations)),
          world_{host->manager,
                 std::move(facts),
                 [host, &guard](Nanos grace) {
                     guard.end_within(stop_times(grace).total);
                     host->stop(grace);
                 },
                 *reloads_,
                 *host->audit,
                 [it = reloader_] { return preview(*it); }} {
        watch_->on_change([reloads = std::weak_ptr(reloads_)] {
            if (const auto it = reloads.lock()) {
                (void)it->trigger("watch");
            }
        });
        watch_->watch(reloader_->files_to_watch());
        if (listener == nullptr) {
            return;
        }
        socket_ = listener->path();
        ControlServer::Started started = ControlServer::start(
            std::move(listener),
            [this](const Request& request) { return handle_request(world_, request); });
        if (!started) {
            spdlog::warn("cannot serve the control socket: {}", started.error());
            return;
        }
        spdlog::debug("control socket: {}", socket_);
        server_ = std::move(*started);
    }

    // Ends the watch first. Its callback must not hold the last reference to the reloads, because
    // the reloads hold the watch.
    ~Steering() { watch_->end(); }

    Steering(const Steering&) = delete;
    Steering& operator=(const Steering&) = delete;

    [[nodiscard]] const std::shared_ptr<Reloads>& reloads() const { return reloads_; }

    // True if this object can be destroyed without a long wait. False: a reload hangs; this call
    // has then removed the socket, because nothing else will.
    [[nodiscard]] bool can_end(Nanos patience) {
        if (reloads_->end(patience)) {
            return true;
        }
        if (server_ != nullptr) {
            ::unlink(socket_.c_str());
        }
        return false;
    }

private:
    static std::string status_of(const ReloadOutcome& outcome) {
        return std::string(name_of(outcome.result)) + ": " + outcome.text;
    }

    static Result<std::string, std::string> preview(const Reloader& reloader) {
        const Reloader::Preview it = reloader.preview();
        if (!it.problem.empty()) {
            return Unexpected<std::string>(it.problem);
        }
        return changes_json(it.changes);
    }

    std::shared_ptr<Reloader> reloader_;
    std::shared_ptr<FileWatch> watch_;
    std::shared_ptr<Reloads> reloads_;
    ControlWorld world_;
    std::string socket_;
    std::unique_ptr<ControlServer> server_;
};

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

// Returns true, and logs why, if the process must leave while code of plugins still runs.
bool is_anything_stuck(const Ending& ending) {
    if (!ending.lost.empty()) {
        spdlog::error("leaving while {} inside plugins: {}",
                      ending.lost.size() == 1 ? "a thread is" : "threads are",
                      fmt::join(ending.lost, ", "));
    }
    if (is_loader_stuck()) {
        spdlog::error("leaving while the static constructors of a plugin hang");
    }
    return !ending.lost.empty() || is_loader_stuck();
}

Reloader::Modes modes_of(const Options& options) {
    return {options.verb == Verb::dev, !options.audit.empty()};
}

// Runs the host from its first worker to its end. Returns the exit code.
int serve(const Options& options,
          Guard& guard,
          const std::shared_ptr<Host>& host,
          const Plan& plan,
          std::unique_ptr<Listener> listener,
          const std::shared_ptr<FileWatch>& watch) {
    const Answer<Done> started = host->manager.apply(plan);
    std::unique_ptr<Steering> steering;
    const bool refused = !started && started.error().code != Refusal::Code::host_ended;
    if (refused) {
        spdlog::error("{}", started.error().message);
        host->manager.request_stop(Nanos(0));
    } else if (started) {
        const std::string running = fmt::format("running '{}': {}, {}",
                                                plan.name,
                                                counted(plan.workers.size(), "worker"),
                                                counted(plan.routes.size(), "route"));
        spdlog::info("{}", running);
        steering = std::make_unique<Steering>(
            host,
            guard,
            std::move(listener),
            std::make_shared<Reloader>(
                options.target, host->manager, modes_of(options), &guard.is_stop_wanted()),
            watch,
            HostIdentity{plan.name, options.target, steady_now()});
        guard.reload_with([reloads = steering->reloads()] { (void)reloads->trigger("SIGHUP"); });
        report_ready(running);
    }
    const Ending ending = host->manager.wait();
    guard.reload_with(nullptr);
    guard.cancel_trials();
    const bool is_steering_stuck =
        steering != nullptr && !steering->can_end(std::min(reload_patience, guard.time_left() / 2));
    if (is_steering_stuck) {
        spdlog::error("leaving while a reload is inside a plugin or a file");
        (void)steering.release();  // a thread still uses it
    }
    const int exit_code =
        refused ? exit_failed : conclude(options, host->manager.metrics(), ending);
    // Removes the socket only after the summary is written: `skep stop` may wait for the socket.
    steering.reset();
    listener.reset();
    if (is_anything_stuck(ending) || is_steering_stuck) {
        host->loader->remove_copies();
        guard.leave(exit_failed);
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
    const auto watch = std::make_shared<FileWatch>(std::chrono::system_clock::now());
    const Prepared prepared = prepare(options.target, **loader);
    if (guard.is_stop_wanted()) {
        return stopped_early();
    }
    print_diagnostics(prepared, options.log_json);
    if (!prepared.plan) {
        return exit_config;
    }
    const Plan& plan = *prepared.plan;
    Result<std::unique_ptr<Listener>, std::string> listener = listen(options, plan);
    if (!listener) {
        spdlog::error("cannot open the control socket: {}", listener.error());
        return exit_failed;
    }
    Result<std::unique_ptr<Audit>, std::string> audit = Audit::open(options.audit, plan.name);
    if (!audit) {
        spdlog::error("cannot open audit log '{}': {}", options.audit, audit.error());
        return exit_usage;
    }
    const auto host = std::make_shared<Host>(
        std::move(*loader),
        std::move(*audit),
        modes_of(options).always_watches ? Manager::When::asked : Manager::When::all_done);
    guard.stop_with([host](Nanos grace) { host->stop(grace); }, plan.stop_grace);
    watch_exit_again();
    if (guard.is_stop_wanted()) {
        return stopped_early();
    }
    return serve(options, guard, host, plan, std::move(*listener), watch);
}

}  // namespace

int run(const Options& options, Guard& guard) {
    return run_host(with_absolute_paths(options), guard);
}

}  // namespace skep::host
