#include <cstdio>
#include <filesystem>
#include <memory>
#include <system_error>
#include <utility>

#include <spdlog/fmt/ranges.h>
#include <spdlog/spdlog.h>

#include "host/base/clock.hpp"
#include "host/cli/prepare.hpp"
#include "host/cli/summary.hpp"
#include "host/cli/verbs.hpp"
#include "host/manager/manager.hpp"

namespace skep::host {
namespace {

// A manager with all that must outlive it.
struct Host {
    explicit Host(std::unique_ptr<FileLoader> its_loader)
        : loader(std::move(its_loader)),
          manager(clock, *loader) {}

    SteadyClock clock;
    std::unique_ptr<FileLoader> loader;
    Manager manager;
};

// In the form of the log, so that a reader of JSON lines finds nothing else on stderr.
void tell(const Prepared& prepared, bool json) {
    if (!json) {
        std::fputs(rendered(prepared).c_str(), stderr);
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

// Shows what the run came to, and says what that means for the exit code.
int conclude(const Options& options, const HostMetrics& metrics, const Ending& ending) {
    int exit_code = exit_ok;
    if (options.log_json) {
        spdlog::info("{}", law_text(metrics.law));
    } else {
        std::fputs(summary_text(metrics).c_str(), stderr);
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
    if (ending.lost.empty() && !metrics.law.holds()) {
        spdlog::critical("messages are unaccounted for; this is a bug of skep");
        exit_code = exit_internal;
    }
    return exit_code;
}

}  // namespace

int run(const Options& options, Guard& guard) {
    if (!options.summary.empty()) {
        if (const Result<Done> writable = check_writable(options.summary); !writable) {
            return refuse(writable.error(), exit_usage);
        }
    }
    Result<std::unique_ptr<FileLoader>> loader = FileLoader::create();
    if (!loader) {
        return refuse(loader.error(), exit_failed);
    }
    const Prepared prepared = prepare(options.target, **loader);
    tell(prepared, options.log_json);
    if (!prepared.plan) {
        return exit_config;
    }
    const Plan& plan = *prepared.plan;
    const auto host = std::make_shared<Host>(std::move(*loader));
    guard.stop_with([host](Nanos grace) { host->manager.request_stop(grace); }, plan.stop_grace);
    const Answer<Done> started = host->manager.apply(plan);
    const bool refused = !started && started.error().code != Refusal::Code::host_ended;
    if (refused) {
        spdlog::error("{}", started.error().message);
        host->manager.request_stop(Nanos(0));
    } else if (started) {
        spdlog::info("running '{}': {}, {}",
                     plan.name,
                     counted(plan.workers.size(), "worker"),
                     counted(plan.routes.size(), "route"));
    }
    const Ending ending = host->manager.wait();
    const int exit_code =
        refused ? exit_failed : conclude(options, host->manager.metrics(), ending);
    if (!ending.lost.empty()) {
        spdlog::error("leaving while {} inside of plugins: {}",
                      ending.lost.size() == 1 ? "a thread is" : "threads are",
                      fmt::join(ending.lost, ", "));
        std::error_code ignored;  // nothing more can be done about it
        std::filesystem::remove_all(host->loader->stage_folder(), ignored);
        guard.leave(exit_failed);
    }
    return exit_code;
}

}  // namespace skep::host
