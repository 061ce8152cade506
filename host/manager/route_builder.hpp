// From the routes of a plan to the router's table. [manager-thread]
#pragma once

#include <functional>
#include <map>
#include <memory>

#include "host/messaging/name_pool.hpp"
#include "host/messaging/router.hpp"
#include "host/topology/plan.hpp"
#include "host/topology/plugin_info.hpp"

namespace skep::host {

// The rings of the table in force, by what they join. One whose ends and settings are the same in
// the next plan goes on; it is held by the route table alone, and goes with it. One that a table
// has not is never used again, even if its sender has not seen that table yet: having left it, the
// sender would come back to it with messages that are younger than those in another.
using Rings = std::map<std::string, std::weak_ptr<Ring>>;

struct RoutedWorker {
    std::shared_ptr<Mailbox> mailbox;
    std::size_t order = 0;   // of its entry: tells it from an earlier worker of its name
    bool is_pooled = false;  // it goes to sleep often and must do so cheaply
    const WorkerTypeInfo* type =
        nullptr;  // null while its plugin has not been opened: no outputs yet
};

// `find` knows every worker of the plan. Makes the rings and lanes that the routes need, and lets
// go of those that they no longer do.
[[nodiscard]] std::shared_ptr<const RouteTable> build_route_table(
    const Plan& plan,
    NamePool& names,
    Rings& rings,
    const std::function<RoutedWorker(const std::string& worker)>& find);

}  // namespace skep::host
