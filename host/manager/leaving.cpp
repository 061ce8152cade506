// Workers that a reload removes. Each keeps its routes until it has ended: what it has in hand, and
// what on_drain emits, goes where it would have gone. A worker, be it leaving or of the plan, does
// not drain before those that are leaving and feed it.
#include <algorithm>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "host/manager/core.hpp"

namespace skep::host {

namespace {

// How often a cycle is asked whether it is quiet.
constexpr Nanos look_at_leaving_again = std::chrono::milliseconds(10);

}  // namespace

// The plan in force is about to go, and `workers` with it.
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

// The plan in force with those that it no longer has and that have not ended: them, and their
// routes to what is still there.
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
            // One that was started again after it had ended may have other inputs than it had.
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

// Also what a plan that failed had begun to start, which nothing feeds.
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

// All that are left are fed by others of them: there is a cycle. It ends when no message is left in
// it, but gets no more time for that than for a drain.
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

// It has ended, and feeds nobody any more.
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
