// Successors on probation: from the swap until the probation is over, or the predecessor is active
// again. A successor that fails is rolled back by its worker; one that hangs is rolled back here.
//
// All functions: [manager-thread].
#pragma once

#include <optional>
#include <set>
#include <string>
#include <utility>

#include "host/manager/instance_disposal.hpp"
#include "host/manager/plan_in_force.hpp"
#include "host/manager/worker_table.hpp"

namespace skep::host {

class ProbationSet {
public:
    // All references must outlive this object; `observer` may be null.
    ProbationSet(WorkerTable& table,
                 PlanInForce& plan,
                 const PoolSet& pools,
                 LostThreads& lost,
                 InstanceDisposal& disposal,
                 LibraryCache& libraries,
                 Clock& clock,
                 ManagerObserver* observer);

    // Begins the probation of the successor that the entry has just got.
    void begin(WorkerEntry& entry);
    // Ends it early, if the successor has not just failed.
    void end(WorkerEntry& entry);
    // Ends those whose time is over.
    void end_due(Nanos now);

    [[nodiscard]] Nanos next_deadline() const {
        return deadlines_.empty() ? forever : deadlines_.begin()->first;
    }

    // Ends the swap of the entry, and destroys the other instance of its handover, which now
    // belongs to the manager.
    void end_swap(WorkerEntry& entry);

    // The predecessor is active again: the change was aborted, or the successor was rolled back.
    void on_reverted(WorkerEntry& entry);
    // A call that hung has returned.
    void on_left();

    // True if the successor is still in the call in which its probation ended.
    [[nodiscard]] static bool is_in_that_call(const WorkerEntry& entry);

private:
    void recall_those_with(const WorkerEntry& failed);
    [[nodiscard]] std::optional<Nanos> look_at_call(WorkerEntry& entry, Nanos now);
    [[nodiscard]] bool roll_back_hung(WorkerEntry& entry, const std::string& error);

    WorkerTable& table_;
    PlanInForce& plan_;
    const PoolSet& pools_;
    LostThreads& lost_;
    InstanceDisposal& disposal_;
    LibraryCache& libraries_;
    Clock& clock_;
    ManagerObserver* const observer_;
    std::set<std::pair<Nanos, std::string>> deadlines_;  // Swap::probation_end, and the worker
};

}  // namespace skep::host
