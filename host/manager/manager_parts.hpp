// The parts of a manager. Each owns its fields, and knows only parts above it in this list.
// [manager-thread]
#pragma once

#include <memory>
#include <set>

#include "host/manager/helper_threads.hpp"
#include "host/manager/instance_disposal.hpp"
#include "host/manager/library_cache.hpp"
#include "host/manager/lost_threads.hpp"
#include "host/manager/plan_in_force.hpp"
#include "host/manager/pool_set.hpp"
#include "host/manager/probation_set.hpp"
#include "host/manager/schedule.hpp"
#include "host/manager/worker_table.hpp"

namespace skep::host {

struct ManagerParts {
    // All references must outlive this object; `its_observer` may be null.
    ManagerParts(const WorkerWorld& its_world,
                 Loader& its_loader,
                 const Manager::Limits& its_limits,
                 ManagerObserver* its_observer,
                 const std::shared_ptr<EventQueue>& queue,
                 std::shared_ptr<const Worker::Report> report);
    ManagerParts(const ManagerParts&) = delete;
    ManagerParts& operator=(const ManagerParts&) = delete;

    // Returns the threads of workers and helpers, and those that are lost.
    [[nodiscard]] std::set<pid_t> known_threads() const;

    const WorkerWorld world;
    Clock& clock;
    Loader& loader;
    const Manager::Limits limits;
    ManagerObserver* const observer;
    PoolSet pools;
    HelperThreads helpers;
    LostThreads lost;
    WorkerTable table;
    LibraryCache libraries;
    Schedule schedule;
    PlanInForce plan;
    InstanceDisposal disposal;
    ProbationSet probations;
};

}  // namespace skep::host
