// The plan in force: which workers there are, how routes connect them, and the plans before it.
//
// A worker that a reload removes is leaving: it keeps its routes until it has ended, so that
// emissions of its last messages and of on_drain still reach their receivers.
//
// All functions: [manager-thread].
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "host/manager/manager.hpp"
#include "host/manager/route_builder.hpp"
#include "host/manager/worker_table.hpp"

namespace skep::host {

// A group of the plan's workers, as of flow_groups(). A null entry: the worker is gone.
struct EntryGroup {
    std::vector<WorkerEntry*> entries;
    std::vector<std::size_t> upstream;
    bool is_cycle = false;
};

class PlanInForce {
public:
    // All references must outlive this object.
    PlanInForce(WorkerTable& table, const WorkerWorld& world, Loader& loader);

    // Never null.
    [[nodiscard]] const std::shared_ptr<const Plan>& plan() const { return plan_; }

    [[nodiscard]] const Plan& operator*() const { return *plan_; }

    [[nodiscard]] const Plan* operator->() const { return plan_.get(); }

    // The groups of the plan, sinks first.
    [[nodiscard]] const std::vector<EntryGroup>& flow() const { return flow_; }

    // Makes `plan` the plan in force. Precondition: all its workers have entries. rewire() must
    // follow.
    void adopt(std::shared_ptr<const Plan> plan);
    // Makes the plan in force name the revision that the entry runs.
    void adopt_version_of(const WorkerEntry& entry);
    // Publishes the routes.
    void rewire();
    // The entry is about to be removed from the table.
    void remove(const WorkerEntry& entry);

    // Records the plan in force before `next` replaces it. A rollback forgets the plan that it
    // applies and all later ones. `is_first`: there is no plan before `next`.
    void remember_before(const std::shared_ptr<const Plan>& next, bool is_first);

    // Returns the plan that a rollback applies; null: none.
    [[nodiscard]] std::shared_ptr<const Plan> before() const {
        return before_.empty() ? nullptr : before_.back();
    }

    // Marks `workers` as leaving, just before the plan is replaced.
    void begin_leaving(const std::vector<std::string>& workers);

private:
    [[nodiscard]] std::shared_ptr<const Plan> with_leaving() const;

    WorkerTable& table_;
    const WorkerWorld& world_;
    Loader& loader_;
    std::shared_ptr<const Plan> plan_ = std::make_shared<const Plan>();
    std::deque<std::shared_ptr<const Plan>> before_;  // the previous plan is last
    std::vector<EntryGroup> flow_;
    Rings rings_;
};

}  // namespace skep::host
