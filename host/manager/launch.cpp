// Applying a plan: what is checked first, the launch of what it adds, and how that is undone.
#include <algorithm>
#include <iterator>

#include "host/manager/core.hpp"
#include "host/topology/diff.hpp"

namespace skep::host {

namespace {

std::vector<const WorkerPlan*> added_by(const Plan& next, const Changes& changes) {
    std::vector<const WorkerPlan*> added;
    for (const WorkerPlan& worker : next.workers) {  // both in the same order
        if (added.size() < changes.to_add.size() && changes.to_add[added.size()] == worker.name) {
            added.push_back(&worker);
        }
    }
    return added;
}

}  // namespace

// Why a plan cannot be applied as things are; what is told without starting anything.
std::optional<Refusal> Core::refusal_of(const Plan& next, const Changes& changes) {
    if (launch_ || is_ending()) {
        return Refusal{Refusal::Code::illegal_state,
                       is_ending() ? "the host is ending" : "a plan is being applied"};
    }
    if (!changes.to_change.empty()) {
        return Refusal{Refusal::Code::bad_plan,
                       "worker '" + changes.to_change.front() +
                           "' differs, and a running worker cannot be exchanged yet"};
    }
    for (const WorkerPlan* const worker : added_by(next, changes)) {
        if (const Slot* const slot = find(worker->name)) {  // of the plan before, and not gone yet
            return cannot("add", *slot);
        }
        const std::string& pool = worker->run.pool;
        if (!pool.empty() && next.find_pool(pool) == nullptr) {
            return Refusal{Refusal::Code::bad_plan, "no pool '" + pool + "'"};
        }
    }
    return std::nullopt;
}

void Core::apply(std::shared_ptr<const Plan> next, bool starts, const Reply& reply) {
    const Changes changes = diff(*plan_, *next);
    if (const std::optional<Refusal> refused = refusal_of(*next, changes)) {
        reply(Unexpected<Refusal>(*refused));
        return;
    }
    if (const Answer<Done> pooled = start_pools(*next); !pooled) {
        reply(pooled);
        return;
    }
    // Everything that can fail without a thread comes first, on slots that nobody else has seen
    // yet.
    std::vector<Slot*> added;
    for (const WorkerPlan* const worker : added_by(*next, changes)) {
        added.push_back(&add_slot({next, worker}));
        const Answer<Done> opened = starts ? open_library(*added.back()) : Answer<Done>(Done{});
        if (!opened) {
            for (Slot* const slot : added) {
                retire(*slot);
                retired_.pop_back();
            }
            reply(opened);
            return;
        }
    }
    std::shared_ptr<const Plan> before = plan_;
    adopt(std::move(next));
    for (const std::string& name : changes.to_remove) {
        find(name)->is_removed = true;
    }
    for (Slot* const slot : added) {
        if (starts) {
            slot->home->mailbox->open();  // before the routes to it are made
        }
    }
    rewire();
    needs_advance_ = true;
    if (!starts || added.empty()) {
        reply(Done{});
        return;
    }
    launch_ = Launch{{}, added.size(), std::move(before), reply};
    for (Slot* const slot : added) {
        slot->launch_part = LaunchPart::making;
    }
    for (const SlotGroup& group : flow_) {  // receivers before their senders
        std::copy_if(group.slots.begin(),
                     group.slots.end(),
                     std::back_inserter(launch_->slots),
                     [](const Slot* it) { return it->launch_part == LaunchPart::making; });
    }
    const std::vector<Slot*> slots = launch_->slots;
    for (Slot* const slot : slots) {
        if (launch_) {  // until one fails at once
            launch(*slot);
        }
    }
}

// All workers of `plan` are there.
void Core::adopt(std::shared_ptr<const Plan> plan) {
    plan_ = std::move(plan);
    for (const auto& [name, slot] : slots_) {
        slot->group.reset();
    }
    for (const WorkerPlan& worker : plan_->workers) {
        find(worker.name)->plan = {plan_, &worker};  // of the plan before it is equal
    }
    flow_.clear();
    for (FlowGroup& group : flow_groups(*plan_)) {
        SlotGroup& made = flow_.emplace_back();
        made.upstream = std::move(group.upstream);
        made.is_cycle = group.is_cycle;
        for (const std::string& worker : group.workers) {
            made.slots.push_back(find(worker));
            made.slots.back()->place = made.slots.size() - 1;
            made.slots.back()->group = flow_.size() - 1;
        }
    }
}

Core::Launch Core::end_launch() {
    Launch ended = *std::exchange(launch_, std::nullopt);
    for (Slot* const slot : ended.slots) {
        slot->launch_part = LaunchPart::none;
    }
    return ended;
}

void Core::finish_launch() {
    const Launch launched = end_launch();
    if (!schedule_start_) {
        schedule_.assign(plan_->schedule.begin(), plan_->schedule.end());
        schedule_start_ = clock_.now();
    }
    for (Slot* const slot : launched.slots) {
        if (slot->state == WorkerState::starting) {  // and not told to stop meanwhile
            release(*slot);
        }
    }
    launched.reply(Done{});
}

// None of the new workers has run: they hold, or are still being made. The plan before is in force
// again.
void Core::undo_launch(const Refusal& why) {
    Launch undone = end_launch();
    for (Slot* const slot : undone.slots) {
        slot->is_removed = true;
        if (can(*slot, WorkerEvent::drain)) {
            drain(*slot);
        }
    }
    adopt(std::move(undone.before));
    for (const WorkerPlan& worker : plan_->workers) {
        find(worker.name)->is_removed = false;
    }
    rewire();
    needs_advance_ = true;
    undone.reply(Unexpected<Refusal>(why));
}

}  // namespace skep::host
