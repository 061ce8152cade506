// Workers that a reload removes. Each keeps its routes until it has ended: emissions of its last
// messages and of on_drain still reach their receivers. No worker, leaving or of the plan, drains
// before the leaving workers that feed it.
#include <algorithm>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "host/manager/core.hpp"

namespace skep::host {

namespace {

// How often the manager checks if a cycle is quiet.
constexpr Nanos look_at_leaving_again = std::chrono::milliseconds(10);

}  // namespace

// Marks `workers` as leaving, just before the plan in force is replaced.
void Core::begin_leaving(const std::vector<std::string>& workers) {
    if (workers.empty()) {
        return;
    }
    for (const std::string& name : workers) {
        WorkerEntry& entry = *find(name);
        entry.is_removed = true;
        entry.is_leaving = !is_at_rest(entry.state) && entry.state != WorkerState::lost;
    }
    for (const RoutePlan& route : plan_->routes) {
        WorkerEntry* const from = find(route.from);
        WorkerEntry* const to = find(route.to);
        if (from != nullptr && to != nullptr && from->is_leaving) {
            from->last_routes.push_back({route, to->order});
            to->leaving_feeders += from == to ? 0 : 1;
        }
    }
}

// Returns the plan in force, with the leaving workers and their routes to workers that still exist.
std::shared_ptr<const Plan> Core::plan_with_leaving() {
    std::shared_ptr<Plan> plan;
    for (const auto& [name, entry] : entries_) {
        if (!entry->is_leaving) {
            continue;
        }
        if (plan == nullptr) {
            plan = std::make_shared<Plan>(*plan_);
        }
        plan->workers.push_back(*entry->plan);
        for (const LastRoute& last : entry->last_routes) {
            const WorkerEntry* const to = find(last.route.to);
            const bool is_there = to != nullptr && to->order == last.receiver_order &&
                                  (!to->is_removed || to->is_leaving);
            // A receiver that ended and was started again may have other inputs than before.
            const WorkerTypeInfo* const type = is_there ? to->info() : nullptr;
            if (is_there && (type == nullptr || last.route.input < type->inputs.size())) {
                plan->routes.push_back(last.route);
            }
        }
    }
    return plan == nullptr ? plan_ : plan;
}

bool Core::is_fed_by_leaving(const EntryGroup& group) {
    return std::any_of(group.entries.begin(), group.entries.end(), [](const WorkerEntry* entry) {
        return entry != nullptr && entry->leaving_feeders > 0;
    });
}

// Drains leaving workers whose feeders have ended. Includes the workers that an aborted plan had
// begun to start, which have no feeders.
void Core::drain_leaving() {
    bool is_one_ending = false;
    std::vector<WorkerEntry*> waiting;
    for (const auto& [name, entry] : entries_) {
        if (!entry->is_leaving && (!entry->is_removed || is_ending())) {
            continue;
        }
        if (!can(*entry, WorkerEvent::drain) || entry->leaving_feeders == 0) {
            is_one_ending = true;
        } else {
            waiting.push_back(entry.get());
        }
        if (can(*entry, WorkerEvent::drain) && entry->leaving_feeders == 0) {
            drain_alone(*entry);
        }
    }
    if (!waiting.empty() && !is_one_ending) {
        drain_leaving_cycles(waiting);
    }
}

// Drains leaving workers that feed each other in a cycle. They drain when no message is left in the
// cycle, but after the time of a drain at the latest.
void Core::drain_leaving_cycles(const std::vector<WorkerEntry*>& waiting) {
    Plan left;
    std::set<std::string_view> names;
    for (const WorkerEntry* const entry : waiting) {
        left.workers.push_back(*entry->plan);
        names.insert(entry->home->name);
    }
    for (const WorkerEntry* const entry : waiting) {
        for (const LastRoute& last : entry->last_routes) {
            if (names.contains(last.route.to)) {
                left.routes.push_back(last.route);
            }
        }
    }
    for (const FlowGroup& group : flow_groups(left)) {
        if (!group.upstream.empty()) {
            continue;
        }
        std::vector<WorkerEntry*> entries;
        for (const std::string& worker : group.workers) {
            entries.push_back(find(worker));
        }
        const bool is_quiet = are_quiet(entries);
        for (WorkerEntry* const entry : entries) {
            if (is_quiet) {
                drain_alone(*entry);
            } else if (!entry->deadline) {
                set_deadline(*entry,
                             clock_.now() + entry->plan->stop_grace.value_or(plan_->stop_grace));
            }
        }
        if (!is_quiet) {
            next_look_ = clock_.now() + look_at_leaving_again;
        }
    }
}

// Records that a leaving worker has ended and feeds no other worker.
void Core::end_leaving(const WorkerEntry& entry) {
    needs_advance_ = needs_advance_ || entry.is_leaving;
    for (const LastRoute& last : entry.last_routes) {
        WorkerEntry* const to = find(last.route.to);
        if (to != nullptr && to != &entry && to->order == last.receiver_order) {
            --to->leaving_feeders;
        }
    }
}

}  // namespace skep::host
