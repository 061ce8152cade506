#include "host/manager/wiring.hpp"

#include <map>

#include "host/base/assert.hpp"

namespace skep::host {

namespace {

FullPolicy policy_of(WhenFull when_full) {
    switch (when_full) {
        case WhenFull::drop_newest:
            return FullPolicy::drop_newest;
        case WhenFull::drop_oldest:
            return FullPolicy::drop_oldest;
        default:
            return FullPolicy::block;
    }
}

Target target_of(const RoutePlan& route, const WiredWorker& receiver) {
    const std::string key =
        route.from + "." + std::to_string(route.output) + ">" + std::to_string(route.input);
    return {receiver.mailbox,
            receiver.mailbox->lane(key, route.queue, policy_of(route.when_full)),
            route.input};
}

}  // namespace

std::shared_ptr<const RouteTable> wire(
    const Plan& plan,
    NamePool& names,
    const std::function<WiredWorker(const std::string& worker)>& find) {
    auto table = std::make_shared<RouteTable>();
    for (const WorkerPlan& worker : plan.workers) {
        const WiredWorker wired = find(worker.name);
        table->members[worker.name] = wired.mailbox;
        if (wired.type != nullptr) {
            std::vector<Output>& outputs = table->outputs[worker.name];
            for (const PortInfo& port : wired.type->outputs) {
                outputs.push_back({names.intern(port.content_type), {}, {}});
            }
        }
    }
    // Where in its output's spreads the group of (sender, output, spread number) is.
    std::map<std::tuple<std::string, std::uint32_t, std::uint32_t>, std::size_t> spread_index;
    for (const RoutePlan& route : plan.routes) {
        std::vector<Output>& outputs = table->outputs[route.from];
        if (route.output >= outputs.size()) {
            continue;  // its plugin has not been opened yet
        }
        Output& output = outputs[route.output];
        const Target target = target_of(route, find(route.to));
        if (route.spread == 0) {
            output.targets.push_back(target);
            continue;
        }
        const auto [at, is_new] = spread_index.try_emplace({route.from, route.output, route.spread},
                                                           output.spreads.size());
        if (is_new) {
            output.spreads.emplace_back();
        }
        output.spreads[at->second].push_back(target);
    }
    return table;
}

}  // namespace skep::host
