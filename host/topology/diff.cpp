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

// Returns the names of the pools of `current` that differ in `next`.
std::unordered_set<std::string_view> changed_pools(const Plan& current, const Plan& next) {
    std::unordered_map<std::string_view, const PoolPlan*> before;
    for (const PoolPlan& pool : current.pools) {
        before.emplace(pool.name, &pool);
    }
    std::unordered_set<std::string_view> changed;
    for (const PoolPlan& pool : next.pools) {
        const auto found = before.find(pool.name);
        if (found != before.end() && *found->second != pool) {
            changed.insert(pool.name);
        }
    }
    return changed;
}

// Does not compare the pools themselves.
bool swaps(const WorkerPlan& before, const WorkerPlan& after) {
    return before.plugin_path != after.plugin_path ||
           before.plugin_content != after.plugin_content || before.type != after.type ||
           before.config != after.config || before.run != after.run;
}

bool settings_differ(const WorkerPlan& before, const WorkerPlan& after) {
    return before.on_failure != after.on_failure || before.mailbox != after.mailbox ||
           before.queue_bytes != after.queue_bytes || before.reload != after.reload ||
           before.quiesce != after.quiesce || before.probation != after.probation ||
           before.stop_grace != after.stop_grace;
}

}  // namespace

Changes diff(const Plan& current, const Plan& next) {
    Changes changes;
    const Workers before = workers_of(current);
    const Workers after = workers_of(next);
    const std::unordered_set<std::string_view> other_pools = changed_pools(current, next);
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
        if (swaps(old, worker) || other_pools.contains(worker.run.pool)) {
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
            return "cannot change worker '" + worker.name +
                   "': it has reload = \"never\"; set reload = \"swap\" in a separate reload first";
        }
    }
    return std::nullopt;
}

}  // namespace skep::host
