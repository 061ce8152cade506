// From the routes of a plan to the router's table. [manager-thread]
#pragma once

#include <functional>
#include <memory>

#include "host/messaging/name_pool.hpp"
#include "host/messaging/router.hpp"
#include "host/topology/plan.hpp"
#include "host/topology/plugin_info.hpp"

namespace skep::host {

struct WiredWorker {
    std::shared_ptr<Mailbox> mailbox;
    const WorkerTypeInfo* type =
        nullptr;  // null while its plugin has not been opened: no outputs yet
};

// `find` knows every worker of the plan. Makes or changes the lanes that the routes need.
[[nodiscard]] std::shared_ptr<const RouteTable> wire(
    const Plan& plan,
    NamePool& names,
    const std::function<WiredWorker(const std::string& worker)>& find);

}  // namespace skep::host
