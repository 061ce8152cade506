#include "host/daemon/candidate.hpp"

#include <map>
#include <set>
#include <string_view>
#include <tuple>
#include <vector>

#include "host/daemon/prepare.hpp"

namespace skep::host {
namespace {

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

}  // namespace

Result<Plan, std::string> CandidateReader::read() {
    if (loader_ == nullptr) {
        Result<std::unique_ptr<FileLoader>> loader = make_loader(is_cancelled_);
        if (!loader) {
            return Unexpected<std::string>(loader.error().front().message);
        }
        loader_ = std::move(*loader);
    }
    Prepared prepared = prepare(file_, *loader_, PipeUse::refused);
    if (prepared.plan) {
        return std::move(*prepared.plan);
    }
    std::string problem = rendered(prepared);
    while (!problem.empty() && problem.back() == '\n') {
        problem.pop_back();
    }
    return Unexpected<std::string>(std::move(problem));
}

Result<Done, std::string> CandidateReader::try_create(const Plan& next, const Changes& changes) {
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
            info = infos.emplace(worker.plugin_path, loader_->inspect(worker.plugin_path)).first;
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
            loader_->probe_create(plugin.first, plugin.second, std::move(workers));
        if (!lived) {
            const Diagnostic& why = lived.error().front();
            return Unexpected<std::string>((why.file.empty() ? "" : why.file + ": ") + why.message);
        }
    }
    return Done{};
}

PluginInfos CandidateReader::plugins_of(const Plan& next) {
    PluginInfos plugins;
    std::set<std::string> asked;  // contents
    for (const WorkerPlan& worker : next.workers) {
        if (asked.insert(worker.plugin_content).second) {
            if (auto info = loader_->inspect(worker.plugin_path)) {  // cached since read()
                plugins.emplace(info->content, std::move(*info));
            }
        }
    }
    return plugins;
}

}  // namespace skep::host
