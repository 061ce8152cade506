// The pools of a host: created before the first worker that needs them, dropped after the last. A
// pool never changes: a pool with other settings is another pool, to which the workers move. Two
// pools may therefore have the same name for a while.
//
// All functions: [manager-thread].
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "host/base/clock.hpp"
#include "host/base/placement.hpp"
#include "host/base/result.hpp"
#include "host/topology/plan.hpp"
#include "host/worker/pool.hpp"

namespace skep::host {

class PoolSet {
public:
    // `clock` must outlive this object.
    explicit PoolSet(Clock& clock)
        : clock_(clock) {}

    // Starts the pools of `next` that do not run yet. If one fails, drops those that `in_force`
    // does not need, and returns why.
    [[nodiscard]] Result<Done, std::string> start(const Plan& next, const Plan& in_force);

    // Returns the pool of a worker in `plan`, whose pools have been started; null: the worker has
    // its own thread. The error: `plan` has no such pool.
    [[nodiscard]] Result<std::shared_ptr<Pool>, std::string> find(const WorkerPlan& worker,
                                                                  const Plan& plan) const;

    // Returns where the thread of a worker runs.
    [[nodiscard]] Placement placement_of(const RunPlan& run) const;

    // When look() is due; none: there is no pool.
    [[nodiscard]] std::optional<Nanos> next_look() const { return next_look_; }

    // Logs the workers that block a thread of a pool, and drops the pools that no worker uses and
    // `in_force` does not name.
    void look(const Plan& in_force);

private:
    struct StartedPool {
        PoolPlan plan;
        std::shared_ptr<Pool> pool;
    };

    void drop_unused(const Plan& in_force);

    Clock& clock_;
    std::vector<StartedPool> pools_;
    std::optional<Nanos> next_look_;
    std::vector<int> own_cpus_;  // the cpus that the process may use; read by start()
};

}  // namespace skep::host
