#include "host/topology/diff.hpp"

namespace skep::host {

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
        } else if (*before != worker) {
            changes.to_change.push_back(worker.name);
        }
    }
    changes.routes_changed = current.routes != next.routes;
    return changes;
}

}  // namespace skep::host
