#include "host/manager/route_builder.hpp"

#include <algorithm>
#include <string_view>
#include <tuple>
#include <unordered_set>

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

class Wiring {
public:
    Wiring(const Plan& plan,
           NamePool& names,
           Rings& rings,
           const std::function<RoutedWorker(const std::string& worker)>& find)
        : plan_(plan),
          names_(names),
          rings_(rings) {
        std::unordered_set<std::string_view> joined;
        for (const RoutePlan& route : plan.routes) {
            joined.insert(route.from);
            joined.insert(route.to);
        }
        table_->members.reserve(plan.workers.size());
        for (const WorkerPlan& worker : plan.workers) {
            RoutedWorker wired = find(worker.name);
            table_->members.push_back({names.intern(worker.name), wired.mailbox});
            if (wired.type != nullptr && !wired.type->outputs.empty()) {
                std::vector<Output>& outputs = table_->outputs[worker.name];
                for (const PortInfo& port : wired.type->outputs) {
                    Output& output = outputs.emplace_back();
                    output.name = names.intern(port.name);
                    output.content_type = names.intern(port.content_type);
                }
            }
            if (joined.contains(worker.name)) {
                workers_.emplace(worker.name, std::move(wired));
            }
        }
        std::sort(table_->members.begin(), table_->members.end(), [](const auto& a, const auto& b) {
            return *a.name < *b.name;
        });
        for (const RoutePlan& route : plan.routes) {
            ++between_[{route.from, route.to}];
        }
    }

    std::shared_ptr<const RouteTable> run() {
        for (const RoutePlan& route : plan_.routes) {
            std::vector<Output>& outputs = table_->outputs[route.from];
            if (route.output >= outputs.size()) {
                continue;  // its plugin has not been opened yet
            }
            Output& output = outputs[route.output];
            if (route.spread == 0) {
                place(route, output);
                continue;
            }
            const auto [at, is_new] = spread_index_.try_emplace(
                {route.from, route.output, route.spread}, output.replica_groups.size());
            if (is_new) {
                output.replica_groups.emplace_back();
            }
            output.replica_groups[at->second].push_back(can_be_ring(route) ? ring_path({&route})
                                                                           : queue_path(route));
        }
        for (const auto& [key, routes] : shared_) {
            table_->outputs[routes.front()->from][routes.front()->output].paths.push_back(
                ring_path(routes));
        }
        for (auto& [name, outputs] : table_->outputs) {
            for (Output& it : outputs) {
                it.only_ring = it.paths.size() == 1 && it.replica_groups.empty()
                                   ? it.paths.front().ring.get()
                                   : nullptr;
            }
        }
        rings_ = std::move(next_rings_);
        return table_;
    }

private:
    // A ring keeps the order between two workers only if it carries everything that one sends to
    // the other by routes. Its sender cannot remove messages that the receiver may already read. A
    // closed mailbox has no reader.
    bool can_be_ring(const RoutePlan& route) {
        return route.when_full != WhenFull::drop_oldest && between_[{route.from, route.to}] == 1 &&
               workers_[route.to].mailbox->opening() != 0;
    }

    void place(const RoutePlan& route, Output& output) {
        if (!can_be_ring(route)) {
            output.paths.push_back(queue_path(route));
        } else if (route.when_full == WhenFull::drop_newest) {
            output.paths.push_back(ring_path({&route}));  // one may drop what others accept
        } else {
            shared_[{route.from, route.output, route.queue}].push_back(&route);
        }
    }

    Destination queue_path(const RoutePlan& route) {
        const std::string key =
            route.from + "." + std::to_string(route.output) + ">" + std::to_string(route.input);
        Destination path;
        path.mailbox = workers_[route.to].mailbox;
        path.lane = path.mailbox->lane(key, route.queue, policy_of(route.when_full));
        path.port = route.input;
        return path;
    }

    Destination ring_path(const std::vector<const RoutePlan*>& routes) {
        const RoutePlan& first = *routes.front();
        const RoutedWorker& sender = workers_[first.from];
        const Output& output = table_->outputs[first.from][first.output];
        const std::string& declared = *output.content_type;
        const bool drops = first.when_full == WhenFull::drop_newest;
        std::string key = std::to_string(sender.order) + "." + std::to_string(first.output) +
                          (drops ? "d" : "b") + std::to_string(first.queue);
        Destination path;
        std::vector<Ring::ReaderSpec> readers;
        bool is_pooled = sender.is_pooled;
        for (const RoutePlan* const route : routes) {
            const RoutedWorker& reader = workers_[route->to];
            key += ">" + std::to_string(reader.order) + "." + std::to_string(route->input) + "@" +
                   std::to_string(reader.mailbox->opening());
            path.readers.push_back(reader.mailbox);
            is_pooled = is_pooled || reader.is_pooled;
            readers.push_back({reader.mailbox.get(), route->input, reader.mailbox->budget()});
        }
        key += is_pooled ? "s" : "a";  // a ring keeps its fence
        if (const auto known = rings_.find(key); known != rings_.end()) {
            path.ring = known->second.lock();
        }
        if (path.ring == nullptr || path.ring->is_sealed()) {
            const auto ring = std::make_shared<Ring>(
                Ring::Spec{names_.intern(first.from),
                           output.name,
                           names_.intern(declared == "*" ? "application/octet-stream" : declared),
                           first.queue,
                           drops,
                           Fence(is_pooled ? Fence::Cost::symmetric : Fence::Cost::asymmetric),
                           sender.mailbox->parker()},
                readers);
            // Seals the ring when the last table that has it goes: then it has no sender. It may
            // never have had one, if the sender skipped this table.
            path.ring = {ring.get(), [ring](Ring* it) { it->seal(); }};
            for (std::uint32_t i = 0; i < path.readers.size(); ++i) {
                path.readers[i]->add_ring(ring, i);
            }
        }
        next_rings_.emplace(std::move(key), path.ring);
        return path;
    }

    const Plan& plan_;
    NamePool& names_;
    Rings& rings_;  // of the table before
    Rings next_rings_;
    std::shared_ptr<RouteTable> table_ = std::make_shared<RouteTable>();
    std::map<std::string, RoutedWorker, std::less<>> workers_;  // those with routes
    std::map<std::pair<std::string_view, std::string_view>, std::size_t> between_;  // routes
    // Routes of one output that can share a ring: all have the same bound, and the sender waits.
    std::map<std::tuple<std::string, std::uint32_t, std::size_t>, std::vector<const RoutePlan*>>
        shared_;
    // Where in its output's replica_groups the group of (sender, output, spread number) is.
    std::map<std::tuple<std::string, std::uint32_t, std::uint32_t>, std::size_t> spread_index_;
};

}  // namespace

std::shared_ptr<const RouteTable> build_route_table(
    const Plan& plan,
    NamePool& names,
    Rings& rings,
    const std::function<RoutedWorker(const std::string& worker)>& find) {
    return Wiring(plan, names, rings, find).run();
}

}  // namespace skep::host
