#include "host/manager/plan_in_force.hpp"

#include <algorithm>
#include <set>

#include "host/manager/flow.hpp"

namespace skep::host {

PlanInForce::PlanInForce(WorkerTable& table, const WorkerWorld& world, Loader& loader)
    : table_(table),
      world_(world),
      loader_(loader) {}

void PlanInForce::adopt(std::shared_ptr<const Plan> plan) {
    plan_ = std::move(plan);
    for (const auto& [name, entry] : table_.entries()) {
        entry->group.reset();
    }
    for (const WorkerPlan& worker : plan_->workers) {
        WorkerEntry& entry = *table_.find(worker.name);
        if (entry.plan->mailbox != worker.mailbox) {
            entry.home->mailbox->set_direct_bound(worker.mailbox);
        }
        if (entry.plan->queue_bytes != worker.queue_bytes) {
            entry.home->mailbox->set_byte_bound(worker.queue_bytes);
        }
        entry.plan = {plan_, &worker};  // other differences are handled already, or read from here
    }
    flow_.clear();
    for (FlowGroup& group : flow_groups(*plan_)) {
        EntryGroup& made = flow_.emplace_back();
        made.upstream = std::move(group.upstream);
        made.is_cycle = group.is_cycle;
        for (const std::string& worker : group.workers) {
            made.entries.push_back(table_.find(worker));
            made.entries.back()->place = made.entries.size() - 1;
            made.entries.back()->group = flow_.size() - 1;
        }
    }
}

void PlanInForce::adopt_version_of(const WorkerEntry& entry) {
    auto patched = std::make_shared<Plan>(*plan_);
    *std::find_if(patched->workers.begin(), patched->workers.end(), [&](const auto& it) {
        return it.name == entry.home->name;
    }) = *entry.plan;
    adopt(std::move(patched));
    rewire();  // its ports and its place may differ
}

void PlanInForce::rewire() {
    const std::shared_ptr<const Plan> plan = with_leaving();
    world_.router->publish(
        build_route_table(*plan, *world_.names, rings_, [this](const std::string& worker) {
            const WorkerEntry& entry = *table_.find(worker);
            return RoutedWorker{
                entry.home->mailbox, entry.order, entry.pool != nullptr, entry.info()};
        }));
}

void PlanInForce::remove(const WorkerEntry& entry) {
    if (entry.is_leaving) {
        table_.note_change();
    }
    for (const LastRoute& last : entry.last_routes) {
        WorkerEntry* const to = table_.find(last.route.to);
        if (to != nullptr && to != &entry && to->order == last.receiver_order) {
            --to->leaving_feeders;
        }
    }
    if (entry.group) {
        flow_[*entry.group].entries[entry.place] = nullptr;
    }
}

void PlanInForce::remember_before(const std::shared_ptr<const Plan>& next, bool is_first) {
    const auto found = std::find(before_.begin(), before_.end(), next);
    if (found != before_.end()) {
        before_.erase(found, before_.end());
    } else if (!is_first) {
        before_.push_back(plan_);
    }
    if (before_.size() > Manager::plans_kept) {
        before_.pop_front();
    }
    std::set<std::string> contents;
    const std::string* last = nullptr;  // most workers have the same plugin as the one before
    for (const auto& plan : before_) {
        for (const WorkerPlan& worker : plan->workers) {
            if (last == nullptr || *last != worker.plugin_content) {
                last = &*contents.insert(worker.plugin_content).first;
            }
        }
    }
    loader_.keep(std::move(contents));
}

void PlanInForce::begin_leaving(const std::vector<std::string>& workers) {
    if (workers.empty()) {
        return;
    }
    for (const std::string& name : workers) {
        WorkerEntry& entry = *table_.find(name);
        entry.is_removed = true;
        entry.is_leaving = !is_over(entry);
    }
    for (const RoutePlan& route : plan_->routes) {
        WorkerEntry* const from = table_.find(route.from);
        WorkerEntry* const to = table_.find(route.to);
        if (from != nullptr && to != nullptr && from->is_leaving) {
            from->last_routes.push_back({route, to->order});
            to->leaving_feeders += from == to ? 0 : 1;
        }
    }
}

// Returns the plan in force, with the leaving workers and their routes to workers that still exist.
std::shared_ptr<const Plan> PlanInForce::with_leaving() const {
    std::shared_ptr<Plan> plan;
    for (const auto& [name, entry] : table_.entries()) {
        if (!entry->is_leaving) {
            continue;
        }
        if (plan == nullptr) {
            plan = std::make_shared<Plan>(*plan_);
        }
        plan->workers.push_back(*entry->plan);
        for (const LastRoute& last : entry->last_routes) {
            const WorkerEntry* const to = table_.find(last.route.to);
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

}  // namespace skep::host
