// Why a plan cannot be applied, or takes too long. Nothing here changes anything. [manager-thread]
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "host/manager/plan_in_force.hpp"
#include "host/manager/schedule.hpp"
#include "host/manager/worker_table.hpp"
#include "host/topology/diff.hpp"

namespace skep::host {

// Returns the workers of `next` whose names are in `names`; both have the same order.
[[nodiscard]] std::vector<const WorkerPlan*> workers_named(const Plan& next,
                                                           const std::vector<std::string>& names);

// Returns why a plan cannot be applied now, as far as the plans show it.
[[nodiscard]] std::optional<Refusal> refusal_of(const Plan& next,
                                                const Changes& changes,
                                                const PlanInForce& plan,
                                                const WorkerTable& table,
                                                const Schedule& schedule);

// Describes the changes from the plan in force to `next`.
[[nodiscard]] ChangeSummary summary_of(Changes changes, const Plan& next, const WorkerTable& table);

// Returns what applying the plan would change, or why it would be refused now, as far as that is
// known without any action. Does not check plugins that `plugins` lacks.
[[nodiscard]] Answer<ChangeSummary> check_plan(const Plan& next,
                                               const PluginInfos& plugins,
                                               StateLoss loss,
                                               const PlanInForce& plan,
                                               const WorkerTable& table,
                                               const Schedule& schedule);

// Returns why the worker cannot be swapped now.
[[nodiscard]] std::optional<Refusal> swap_refusal(const WorkerEntry& entry);
[[nodiscard]] Refusal in_between(const WorkerEntry& entry);

// Returns why the worker of `plan`, from `plugin`, cannot succeed the revision that the entry runs.
[[nodiscard]] std::optional<Refusal> successor_refusal(const WorkerEntry& entry,
                                                       const WorkerPlan& plan,
                                                       const PluginInfo& plugin,
                                                       StateLoss loss);

// Returns why a swap is late. Names the worker that delays it: `late` itself, or the worker at the
// end of the full routes behind which `late` waits.
[[nodiscard]] std::string why_late(const WorkerEntry& late,
                                   const Plan& plan,
                                   const WorkerTable& table,
                                   Nanos now);

}  // namespace skep::host
