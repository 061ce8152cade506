#include "host/topology/diff.hpp"

#include <string_view>
#include <unordered_map>
#include <unordered_set>

namespace skep::host {
namespace {

using Workers = std::unordered_map<std::string_view, const WorkerPlan*>;

Workers workers_of(const Plan& plan) {
    Workers workers(plan.workers.size());
    for (const WorkerPlan& worker : plan.workers) {
        workers.emplace(worker.name, &worker);
    }
    return workers;
}

// The pool that it is in has the same name, and becomes another.
bool pool_differs(const WorkerPlan& before,
                  const Plan& current,
                  const WorkerPlan& after,
                  const Plan& next) {
    const PoolPlan* const old_pool = current.find_pool(before.run.pool);
    const PoolPlan* const new_pool = next.find_pool(after.run.pool);
    return old_pool != nullptr && new_pool != nullptr && *old_pool != *new_pool;
}

bool swaps(const WorkerPlan& before, const WorkerPlan& after) {
    return before.plugin_path != after.plugin_path ||
           before.plugin_content != after.plugin_content || before.type != after.type ||
           before.config != after.config || before.run != after.run;
}

bool settings_differ(const WorkerPlan& before, const WorkerPlan& after) {
    return before.on_failure != after.on_failure || before.mailbox != after.mailbox ||
           before.reload != after.reload || before.quiesce != after.quiesce ||
           before.probation != after.probation || before.stop_grace != after.stop_grace;
}

}  // namespace

Changes diff(const Plan& current, const Plan& next) {
    Changes changes;
    const Workers before = workers_of(current);
    const Workers after = workers_of(next);
    for (const WorkerPlan& worker : current.workers) {
        if (!after.contains(worker.name)) {
            changes.to_remove.push_back(worker.name);
        }
    }
    for (const WorkerPlan& worker : next.workers) {
        const auto found = before.find(worker.name);
        if (found == before.end()) {
            changes.to_add.push_back(worker.name);
            continue;
        }
        const WorkerPlan& old = *found->second;
        if (swaps(old, worker) || pool_differs(old, current, worker, next)) {
            changes.to_swap.push_back(worker.name);
        } else if (old.live != worker.live) {
            changes.to_reconfigure.push_back(worker.name);
        }
        changes.settings_changed = changes.settings_changed || settings_differ(old, worker);
    }
    changes.schedule_changed = current.schedule != next.schedule;
    changes.routes_changed = current.routes != next.routes;
    changes.settings_changed = changes.settings_changed || current.stop_grace != next.stop_grace ||
                               current.probation != next.probation || current.watch != next.watch;
    return changes;
}

std::optional<std::string> veto(const Plan& current, const Changes& changes) {
    std::unordered_set<std::string_view> differing(changes.to_swap.begin(), changes.to_swap.end());
    differing.insert(changes.to_reconfigure.begin(), changes.to_reconfigure.end());
    for (const WorkerPlan& worker : current.workers) {
        if (worker.reload == OnReload::never && differing.contains(worker.name)) {
            return "worker '" + worker.name +
                   "' differs, and has reload = \"never\"; to change it, take that back in a "
                   "reload before";
        }
    }
    return std::nullopt;
}

}  // namespace skep::host
