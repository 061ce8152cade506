// Builds the router's table from the routes of a plan. [manager-thread]
#pragma once

#include <functional>
#include <map>
#include <memory>

#include "host/messaging/name_pool.hpp"
#include "host/messaging/router.hpp"
#include "host/topology/plan.hpp"
#include "host/topology/plugin_info.hpp"

namespace skep::host {

// The rings of the table in force, by their ends and settings. The next table reuses a ring whose
// ends and settings have not changed. Only route tables own rings. A ring that one table lacks is
// never used again, even if its sender has not seen that table yet: after leaving the ring, the
// sender would return to it with messages that are newer than those in another ring.
using Rings = std::map<std::string, std::weak_ptr<Ring>>;

struct RoutedWorker {
    std::shared_ptr<Mailbox> mailbox;
    std::size_t order = 0;   // of its entry: distinguishes it from an earlier worker of its name
    bool is_pooled = false;  // it sleeps often, and a sleep must be cheap
    const WorkerTypeInfo* type = nullptr;  // null until its plugin is opened: no outputs yet
};

// Creates the rings and lanes that the routes need, and releases those that they no longer need.
// `find` must know every worker of the plan.
[[nodiscard]] std::shared_ptr<const RouteTable> build_route_table(
    const Plan& plan,
    NamePool& names,
    Rings& rings,
    const std::function<RoutedWorker(const std::string& worker)>& find);

}  // namespace skep::host
