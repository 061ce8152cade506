#include "host/daemon/reload.hpp"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <map>
#include <set>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "host/base/deadline.hpp"

namespace skep::host {
namespace {

using Json = nlohmann::ordered_json;

std::string listed(const char* verb, const std::vector<std::string>& workers) {
    constexpr std::size_t shown = 20;
    std::string text;
    for (std::size_t i = 0; i < workers.size() && i < shown; ++i) {
        text += (i == 0 ? std::string(verb) + " " : ", ") + workers[i];
    }
    return text + (workers.size() > shown
                       ? " and " + std::to_string(workers.size() - shown) + " more"
                       : "");
}

std::string text_of(const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json changes_object(const ReloadChanges& it) {
    const Changes& changes = it.changes;
    return {{"swap", changes.to_swap},
            {"reconfigure", changes.to_reconfigure},
            {"start", changes.to_add},
            {"stop", changes.to_remove},
            {"state_ends", it.state_ends},
            {"rewire", changes.routes_changed},
            {"settings", changes.settings_changed},
            {"stay", it.stay}};
}

Json swap_object(const WorkerPlan& before, const WorkerPlan& now, const WorkerMetrics& metrics) {
    Json json = {{"worker", now.name},
                 {"generation", metrics.generation},
                 {"plugin", metrics.plugin},
                 {"path", now.plugin_path},
                 {"hash_before", before.plugin_content},
                 {"hash", now.plugin_content}};
    if (metrics.last_swap) {
        json["blackout_ns"] = metrics.last_swap->blackout.count();
        json["state_bytes"] = metrics.last_swap->state_bytes;
        json["queued"] = metrics.last_swap->queued;
    }
    return json;
}

std::map<std::string_view, const WorkerPlan*> by_name(const Plan& plan) {
    std::map<std::string_view, const WorkerPlan*> found;
    for (const WorkerPlan& worker : plan.workers) {
        found.emplace(worker.name, &worker);
    }
    return found;
}

// Returns all parameters of a worker that are set.
std::map<std::string, ParamValue> values_of(const WorkerPlan& worker, const WorkerTypeInfo& type) {
    std::map<std::string, ParamValue> values;
    for (const ParamInfo& param : type.params) {
        const ParamValue* const fixed = worker.config.find(param.name);
        const ParamValue* const value = fixed != nullptr ? fixed : worker.live.find(param.name);
        if (value != nullptr) {
            values.emplace(param.name, *value);
        }
    }
    return values;
}

// Returns the number of workers of `next` that do not change.
std::size_t staying(const Plan& next, const Changes& changes) {
    return next.workers.size() - changes.to_add.size() - changes.to_swap.size() -
           changes.to_reconfigure.size();
}

}  // namespace

std::string changes_text(const ReloadChanges& it) {
    const Changes& changes = it.changes;
    const std::string ends = listed("the state of", it.state_ends);
    std::string text;
    for (const std::string& part : {listed("swap", changes.to_swap),
                                    listed("reconfigure", changes.to_reconfigure),
                                    listed("start", changes.to_add),
                                    listed("stop", changes.to_remove),
                                    std::string(changes.routes_changed ? "rewire" : ""),
                                    std::string(changes.settings_changed ? "settings" : "")}) {
        text += (text.empty() || part.empty() ? "" : "; ") + part;
    }
    return (text.empty() ? "nothing changes" : text) + "; " + std::to_string(it.stay) + " stay" +
           (ends.empty() ? "" : "; " + ends + " ends");
}

std::string changes_json(const ReloadChanges& it) {
    return text_of(changes_object(it));
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

Reloader::Read Reloader::read(FileLoader& loader) const {
    Read read;
    working_folder_.enter_if_removed();
    Prepared prepared = prepare(file_, loader, PipeUse::refused);
    if (!prepared.plan) {
        read.preview.problem = rendered(prepared);
        while (!read.preview.problem.empty() && read.preview.problem.back() == '\n') {
            read.preview.problem.pop_back();
        }
        return read;
    }
    read.next = std::move(*prepared.plan);
    const auto current = manager_.plan();
    if (!current) {
        read.preview.problem = current.error().message;
    } else if ((*current)->name != read.next.name) {
        read.preview.problem = file_ + ": the name of a running host cannot change from '" +
                               (*current)->name + "' to '" + read.next.name + "'";
    } else {
        read.preview.changes = changes_between(**current, read.next);
    }
    return read;
}

// Returns why the manager would refuse the plan, or "".
std::string Reloader::problem_of(const Plan& next, FileLoader& loader) const {
    PluginInfos plugins;
    std::set<std::string> asked;  // contents
    for (const WorkerPlan& worker : next.workers) {
        if (asked.insert(worker.plugin_content).second) {
            if (auto info = loader.inspect(worker.plugin_path)) {  // cached since read()
                plugins.emplace(info->content, std::move(*info));
            }
        }
    }
    const Answer<Done> checked = manager_.check(next, std::move(plugins));
    return checked ? "" : checked.error().message;
}

// Creates, in a child process, the workers that the plan would create. Returns why this fails, or
// "". Creates one of several workers with the same plugin, type and parameters.
std::string Reloader::create_problem_of(const Plan& next,
                                        const Changes& changes,
                                        FileLoader& loader) const {
    std::set<std::string_view> names(changes.to_add.begin(), changes.to_add.end());
    names.insert(changes.to_swap.begin(), changes.to_swap.end());
    std::map<std::string, Result<PluginInfo>> infos;  // by path
    std::map<std::pair<std::string, std::string>, std::vector<ProbeWorker>> plugins;
    std::set<std::tuple<std::string, std::string, std::map<std::string, ParamValue>>> seen;
    for (const WorkerPlan& worker : next.workers) {
        if (!names.contains(worker.name)) {
            continue;
        }
        auto info = infos.find(worker.plugin_path);
        if (info == infos.end()) {  // inspect() is cached since read()
            info = infos.emplace(worker.plugin_path, loader.inspect(worker.plugin_path)).first;
        }
        const WorkerTypeInfo* const type = info->second ? info->second->find(worker.type) : nullptr;
        if (type == nullptr || !type->is_create_probed) {
            continue;
        }
        ProbeWorker tried{worker.name, worker.type, values_of(worker, *type)};
        if (seen.emplace(worker.plugin_path, tried.type, tried.config).second) {
            plugins[{worker.plugin_path, worker.plugin_content}].push_back(std::move(tried));
        }
    }
    for (auto& [plugin, workers] : plugins) {
        const Result<Done> lived =
            loader.probe_create(plugin.first, plugin.second, std::move(workers));
        if (!lived) {
            const Diagnostic& why = lived.error().front();
            return (why.file.empty() ? "" : why.file + ": ") + why.message;
        }
    }
    return "";
}

ReloadOutcome Reloader::reload(StateLoss loss) {
    const Nanos begin = steady_now();
    if (loader_ == nullptr) {
        Result<std::unique_ptr<FileLoader>> loader = make_loader(is_cancelled_);
        if (!loader) {
            return {ReloadResult::refused, loader.error().front().message};
        }
        loader_ = std::move(*loader);
    }
    Read read = this->read(*loader_);
    const Preview& preview = read.preview;
    if (!preview.problem.empty()) {
        return {ReloadResult::refused, preview.problem};
    }
    if (const std::string problem = create_problem_of(read.next, preview.changes.changes, *loader_);
        !problem.empty()) {
        return {ReloadResult::refused, problem};
    }
    const Nanos read_in = steady_now() - begin;
    const auto before = manager_.plan();
    if (!before) {
        return {ReloadResult::refused, before.error().message};
    }
    if (!preview.changes.changes.empty()) {
        const Answer<Done> applied = manager_.apply(std::move(read.next), loss);
        if (!applied) {
            return {ReloadResult::refused, applied.error().message};
        }
    }
    return outcome(**before, preview.changes, read_in);
}

// Precondition: the plan after `before` is in force, or was, because the host may have ended.
ReloadOutcome Reloader::outcome(const Plan& before,
                                const ReloadChanges& changes,
                                Nanos read_in) const {
    return {changes.changes.empty() ? ReloadResult::no_change : ReloadResult::applied,
            changes_text(changes),
            modes_.is_audited ? details(before, changes, read_in) : ""};
}

std::string Reloader::details(const Plan& before,
                              const ReloadChanges& changes,
                              Nanos read_in) const {
    Json details = {{"changes", changes_object(changes)}};
    const auto add_step = [&details](const char* step, Nanos took) {
        details["steps_ms"][step] = std::chrono::duration<double, std::milli>(took).count();
    };
    if (read_in > Nanos(0)) {
        add_step("read", read_in);
    }
    if (const auto steps = manager_.steps(); steps && !changes.changes.empty()) {
        add_step("open", steps->open);
        add_step("make", steps->make);
        add_step("take", steps->take);
    }
    details["swapped"] = Json::array();
    if (const auto now = manager_.plan()) {
        const auto old_plans = by_name(before);
        const auto new_plans = by_name(**now);
        for (const std::string& worker : changes.changes.to_swap) {
            const auto plan = new_plans.find(worker);
            const Answer<WorkerMetrics> metrics = manager_.metrics(worker);
            if (plan != new_plans.end() && metrics) {  // a later plan may have removed the worker
                details["swapped"].push_back(
                    swap_object(*old_plans.at(worker), *plan->second, *metrics));
            }
        }
    }
    return text_of(details);
}

ReloadOutcome Reloader::rollback(StateLoss loss) {
    const auto before = manager_.plan();
    const Answer<Done> applied = manager_.rollback(loss);
    if (!before || !applied) {
        return {ReloadResult::refused, before ? applied.error().message : before.error().message};
    }
    const auto now = manager_.plan();
    if (!now) {
        return {ReloadResult::applied, "the host has ended with this plan"};
    }
    return outcome(**before, changes_between(**before, **now), Nanos(0));
}

Reloader::Preview Reloader::preview() const {
    const Result<std::unique_ptr<FileLoader>> loader = make_loader(is_cancelled_);
    if (!loader) {
        return {loader.error().front().message, {}};
    }
    Read read = this->read(**loader);
    if (read.preview.problem.empty()) {
        read.preview.problem = problem_of(read.next, **loader);
    }
    if (read.preview.problem.empty()) {
        read.preview.problem = create_problem_of(read.next, read.preview.changes.changes, **loader);
    }
    return std::move(read.preview);
}

std::vector<std::string> Reloader::files_to_watch() const {
    const auto plan = manager_.plan();
    if (!plan || !(modes_.always_watches || (*plan)->watch)) {
        return {};
    }
    std::set<std::string> files = {file_};
    for (const WorkerPlan& worker : (*plan)->workers) {
        files.insert(worker.plugin_path);
        files.insert(worker.plugin_libraries.begin(), worker.plugin_libraries.end());
    }
    return {files.begin(), files.end()};
}

}  // namespace skep::host
