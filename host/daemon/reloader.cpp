#include "host/daemon/reloader.hpp"

#include <new>
#include <set>
#include <system_error>
#include <utility>
#include <vector>

#include <pthread.h>
#include <spdlog/spdlog.h>

#include "host/base/deadline.hpp"
#include "host/daemon/service.hpp"

namespace skep::host {
namespace {

std::string status_of(const Verdict& verdict) {
    return std::string(name_of(verdict.result)) + ": " + verdict.text;
}

}  // namespace

Reloader::Reloader(Settings settings, Manager& manager, Audit& audit, Probations& probations)
    : settings_(std::move(settings)),
      manager_(manager),
      audit_(audit),
      probations_(probations),
      files_(settings_.file, settings_.is_cancelled),
      watch_(settings_.read_at) {
    watch_.on_change([this] { (void)trigger("watch"); });
    watch_files();
    thread_ = std::thread([this] {
        pthread_setname_np(pthread_self(), "reload");
        serve();
    });
}

Reloader::~Reloader() {
    watch_.end();
    queue_.close();
    probations_.cut_short();
    thread_.join();
}

bool Reloader::end(Nanos patience) {
    queue_.close();
    probations_.cut_short();
    if (!queue_.wait_for_end(patience)) {
        return false;
    }
    watch_.end();
    return true;
}

std::uint64_t Reloader::trigger(std::string who, const ReloadRequest& request) {
    const std::uint64_t number = queue_.push(std::move(who), request);
    probations_.cut_short();
    return number;
}

void Reloader::serve() {
    while (std::optional<Verdict> next = queue_.next()) {
        run(std::move(*next));
    }
}

// The procedure, from a trigger to its final verdict.
void Reloader::run(Verdict verdict) {
    if (queue_.is_closed()) {
        verdict.text = host_is_ending;
        conclude(std::move(verdict));
        return;
    }
    probations_.begin();
    put_in_force(verdict);
    if (verdict.result == ReloadResult::applied && !probations_.is_empty()) {
        spdlog::info("{} #{} ({}): in force, on probation: {}",
                     name_of(verdict.request.kind),
                     verdict.run,
                     verdict.who,
                     verdict.text);
        queue_.publish(verdict);
        verdict.add(probations_.wait(queue_.has_next()));
        if (verdict.is_bad()) {
            report_ready(status_of(verdict));
        }
    }
    conclude(std::move(verdict));
}

// Carries out the request. A lack of memory or threads refuses only this request.
void Reloader::put_in_force(Verdict& verdict) {
    try {
        report_reloading();
        if (verdict.request.kind == ReloadKind::rollback) {
            rollback(verdict);
        } else {
            reload(verdict);
        }
        watch_files();
        report_ready(status_of(verdict));
    } catch (const std::bad_alloc&) {
        verdict.result = ReloadResult::refused;
        verdict.text = "out of memory";
    } catch (const std::system_error& error) {  // of std::thread
        verdict.result = ReloadResult::refused;
        verdict.text = "cannot start a thread: " + error.code().message();
    }
}

void Reloader::reload(Verdict& verdict) {
    const Nanos begin = steady_now();
    Result<Candidate, std::string> next = read(files_, verdict.request.loss);
    if (!next) {
        verdict.text = next.error();
        return;
    }
    ReloadDetails details;
    details.read = steady_now() - begin;
    if (next->summary.changes.empty()) {
        details.applied.summary = std::move(next->summary);
    } else if (Answer<Applied> applied =
                   manager_.apply(std::move(next->plan), verdict.request.loss)) {
        details.applied = std::move(*applied);
    } else {
        verdict.text = applied.error().message;
        return;
    }
    describe(verdict, std::move(details));
}

void Reloader::rollback(Verdict& verdict) {
    Answer<Applied> applied = manager_.rollback(verdict.request.loss);
    if (applied) {
        describe(verdict, {std::move(*applied), std::nullopt});
    } else {
        verdict.text = applied.error().message;
    }
}

// Precondition: the plan is in force, or was, because the host may have ended.
void Reloader::describe(Verdict& verdict, ReloadDetails details) const {
    const ChangeSummary& summary = details.applied.summary;
    verdict.result = summary.changes.empty() ? ReloadResult::no_change : ReloadResult::applied;
    verdict.text = changes_text(summary);
    if (audit_.is_on()) {
        verdict.details = std::make_shared<const ReloadDetails>(std::move(details));
    }
}

// Logs the final verdict of a run, and writes it to the audit log before wait() and look() return
// it.
void Reloader::conclude(Verdict verdict) {
    verdict.is_final = true;
    spdlog::log(verdict.is_bad() ? spdlog::level::err : spdlog::level::info,
                "{} #{} ({}): {}: {}",
                name_of(verdict.request.kind),
                verdict.run,
                verdict.who,
                name_of(verdict.result),
                verdict.text);
    for (const Verdict& it : queue_.of_each_trigger(verdict)) {
        audit_.verdict(it);
    }
    queue_.publish(verdict);
}

// Reads the files, and finds out what the plan would change and whether it can be put in force.
Result<Reloader::Candidate, std::string> Reloader::read(CandidateReader& files,
                                                        StateLoss loss) const {
    working_folder_.enter_if_removed();
    Result<Plan, std::string> next = files.read();
    if (!next) {
        return Unexpected<std::string>(next.error());
    }
    const auto before = manager_.plan();
    if (!before) {
        return Unexpected<std::string>(before.error().message);
    }
    if ((*before)->name != next->name) {
        return Unexpected<std::string>(settings_.file +
                                       ": the name of a running host cannot change from '" +
                                       (*before)->name + "' to '" + next->name + "'");
    }
    Answer<ChangeSummary> summary = manager_.check(*next, files.plugins_of(*next), loss);
    if (!summary) {
        return Unexpected<std::string>(summary.error().message);
    }
    const auto created = files.try_create(*next, summary->changes);
    if (!created) {
        return Unexpected<std::string>(created.error());
    }
    return Candidate{std::move(*next), std::move(*summary)};
}

Result<ChangeSummary, std::string> Reloader::preview() const {
    CandidateReader files(settings_.file, settings_.is_cancelled);
    Result<Candidate, std::string> next = read(files, StateLoss::refused);
    if (!next) {
        return Unexpected<std::string>(next.error());
    }
    return std::move(next->summary);
}

// Watches the topology and its plugins if the mode or the plan in force asks for it.
void Reloader::watch_files() {
    std::set<std::string> files;
    const auto plan = manager_.plan();
    if (plan && (settings_.always_watches || (*plan)->watch)) {
        files.insert(settings_.file);
        for (const WorkerPlan& worker : (*plan)->workers) {
            files.insert(worker.plugin_path);
            files.insert(worker.plugin_libraries.begin(), worker.plugin_libraries.end());
        }
    }
    watch_.watch({files.begin(), files.end()});
}

}  // namespace skep::host
