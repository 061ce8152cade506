// Groups the workers of a plan by its routes, for the order in which they start and drain.
//
// A group is one worker, or several that feed each other in a cycle and can only end together.
// (Strongly connected components, Tarjan 1972.) Pure.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "host/topology/plan.hpp"

namespace skep::host {

struct FlowGroup {
    std::vector<std::string> workers;
    std::vector<std::size_t> upstream;  // indexes of the groups that feed this one directly
    bool is_cycle = false;
};

// Returns the groups; every worker of the plan is in exactly one. Sinks come first: a group
// precedes all groups that feed it, thus starting in this order has every receiver ready before its
// senders.
[[nodiscard]] std::vector<FlowGroup> flow_groups(const Plan& plan);

// Returns those of `workers` that routes in either direction join to `worker`, directly or through
// others of `workers`. Without `worker` itself.
[[nodiscard]] std::set<std::string> joined_to(const std::string& worker,
                                              const std::set<std::string>& workers,
                                              const std::vector<RoutePlan>& routes);

}  // namespace skep::host
