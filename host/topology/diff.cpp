#include "host/topology/diff.hpp"

namespace skep::host {
namespace {

// A worker is no longer the same either when the pool that it runs on is another.
bool differs(const WorkerPlan& before,
             const Plan& current,
             const WorkerPlan& after,
             const Plan& next) {
    if (before != after) {
        return true;
    }
    const PoolPlan* const old_pool = current.find_pool(before.run.pool);
    const PoolPlan* const new_pool = next.find_pool(after.run.pool);
    return old_pool != nullptr && new_pool != nullptr && *old_pool != *new_pool;
}

}  // namespace

Changes diff(const Plan& current, const Plan& next) {
    Changes changes;
    for (const WorkerPlan& worker : current.workers) {
        if (next.find(worker.name) == nullptr) {
            changes.to_remove.push_back(worker.name);
        }
    }
    for (const WorkerPlan& worker : next.workers) {
        const WorkerPlan* const before = current.find(worker.name);
        if (before == nullptr) {
            changes.to_add.push_back(worker.name);
        } else if (differs(*before, current, worker, next)) {
            changes.to_change.push_back(worker.name);
        }
    }
    changes.routes_changed = current.routes != next.routes;
    return changes;
}

}  // namespace skep::host
