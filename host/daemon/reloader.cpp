#include "host/daemon/reloader.hpp"

#include <algorithm>
#include <iterator>
#include <map>
#include <new>
#include <set>
#include <string_view>
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

// Returns the number of workers of `next` that do not change.
std::size_t staying(const Plan& next, const Changes& changes) {
    return next.workers.size() - changes.to_add.size() - changes.to_swap.size() -
           changes.to_reconfigure.size();
}

std::map<std::string_view, const WorkerPlan*> by_name(const Plan& plan) {
    std::map<std::string_view, const WorkerPlan*> found;
    for (const WorkerPlan& worker : plan.workers) {
        found.emplace(worker.name, &worker);
    }
    return found;
}

// Returns the files of the swaps between two plans.
std::vector<ReloadDetails::Swap> swaps_between(const Plan& before,
                                               const Plan& next,
                                               const Changes& changes) {
    std::vector<ReloadDetails::Swap> swaps;
    if (changes.to_swap.empty()) {
        return swaps;
    }
    const auto old_plans = by_name(before);
    const auto new_plans = by_name(next);
    for (const std::string& worker : changes.to_swap) {
        const WorkerPlan& plan = *new_plans.at(worker);
        swaps.push_back({worker,
                         plan.plugin_path,
                         old_plans.at(worker)->plugin_content,
                         plan.plugin_content,
                         0,
                         "",
                         std::nullopt});
    }
    return swaps;
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
    Result<Candidate, std::string> next = read(files_);
    if (!next) {
        verdict.text = next.error();
        return;
    }
    const Changes& changes = next->changes.changes;
    if (const auto created = files_.try_create(next->plan, changes); !created) {
        verdict.text = created.error();
        return;
    }
    ReloadDetails details;
    details.read = steady_now() - begin;
    details.swaps = swaps_between(*next->before, next->plan, changes);
    if (!changes.empty()) {
        const Answer<Done> applied = manager_.apply(std::move(next->plan), verdict.request.loss);
        if (!applied) {
            verdict.text = applied.error().message;
            return;
        }
    }
    details.changes = std::move(next->changes);
    describe(verdict, std::move(details));
}

void Reloader::rollback(Verdict& verdict) {
    const auto before = manager_.plan();
    const Answer<Done> applied = manager_.rollback(verdict.request.loss);
    if (!before || !applied) {
        verdict.text = before ? applied.error().message : before.error().message;
        return;
    }
    const auto now = manager_.plan();
    if (!now) {
        verdict.result = ReloadResult::applied;
        verdict.text = "the host has ended with this plan";
        return;
    }
    ReloadDetails details;
    details.changes = changes_between(**before, **now);
    details.swaps = swaps_between(**before, **now, details.changes.changes);
    describe(verdict, std::move(details));
}

// Precondition: the plan is in force, or was, because the host may have ended.
void Reloader::describe(Verdict& verdict, ReloadDetails details) const {
    const bool is_empty = details.changes.changes.empty();
    verdict.result = is_empty ? ReloadResult::no_change : ReloadResult::applied;
    verdict.text = changes_text(details.changes);
    if (!audit_.is_on()) {
        return;
    }
    if (const auto steps = manager_.steps(); steps && !is_empty) {
        details.steps = *steps;
    }
    std::vector<ReloadDetails::Swap> swaps;
    for (ReloadDetails::Swap& swap : details.swaps) {
        if (Answer<WorkerMetrics> metrics = manager_.metrics(swap.worker)) {
            swap.generation = metrics->generation;
            swap.plugin = std::move(metrics->plugin);
            swap.metrics = metrics->last_swap;
            swaps.push_back(std::move(swap));
        }
    }
    details.swaps = std::move(swaps);
    verdict.details = std::make_shared<const ReloadDetails>(std::move(details));
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

Result<Reloader::Candidate, std::string> Reloader::read(CandidateReader& files) const {
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
    ReloadChanges changes = changes_between(**before, *next);
    return Candidate{*before, std::move(*next), std::move(changes)};
}

// `before` is the plan in force, or the one that was in force a moment ago.
ReloadChanges Reloader::changes_between(const Plan& before, const Plan& next) const {
    ReloadChanges it{diff(before, next), 0, {}};
    it.stay = staying(next, it.changes);
    if (it.changes.to_remove.empty()) {
        return it;
    }
    std::map<std::string, bool> has_state;  // by worker; the last worker of a name is current
    for (const WorkerMetrics& worker : manager_.metrics().workers) {
        has_state[worker.name] = worker.has_state;
    }
    std::copy_if(it.changes.to_remove.begin(),
                 it.changes.to_remove.end(),
                 std::back_inserter(it.state_ends),
                 [&](const std::string& worker) { return has_state[worker]; });
    return it;
}

Result<ReloadChanges, std::string> Reloader::preview() const {
    CandidateReader files(settings_.file, settings_.is_cancelled);
    Result<Candidate, std::string> next = read(files);
    if (!next) {
        return Unexpected<std::string>(next.error());
    }
    const Answer<Done> checked = manager_.check(next->plan, files.plugins_of(next->plan));
    if (!checked) {
        return Unexpected<std::string>(checked.error().message);
    }
    const auto created = files.try_create(next->plan, next->changes.changes);
    if (!created) {
        return Unexpected<std::string>(created.error());
    }
    return std::move(next->changes);
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
