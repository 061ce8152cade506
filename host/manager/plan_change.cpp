// Applies a plan: checks it, starts the workers that it adds, and aborts all of it on a failure.
#include <algorithm>
#include <set>

#include "host/manager/core.hpp"
#include "host/topology/diff.hpp"

namespace skep::host {

namespace {

// Returns the workers of `next` whose names are in `names`; both have the same order.
std::vector<const WorkerPlan*> workers_named(const Plan& next,
                                             const std::vector<std::string>& names) {
    std::vector<const WorkerPlan*> found;
    for (const WorkerPlan& worker : next.workers) {
        if (found.size() < names.size() && names[found.size()] == worker.name) {
            found.push_back(&worker);
        }
    }
    return found;
}

}  // namespace

// Returns why a plan cannot be applied now, as far as the plans show it.
std::optional<Refusal> Core::refusal_of(const Plan& next, const Changes& changes) {
    if (schedule_start_ && changes.schedule_changed) {
        return bad_plan("[[schedule]] differs, which cannot change once the host has started");
    }
    if (const std::optional<std::string> vetoed = veto(*plan_, changes)) {
        return bad_plan(*vetoed);
    }
    for (const WorkerPlan* const worker : workers_named(next, changes.to_add)) {
        if (const WorkerEntry* const entry =
                find(worker->name)) {  // from an earlier plan, and not gone yet
            Refusal refusal = cannot("add", *entry);
            if (entry->is_leaving && entry->state != WorkerState::draining) {
                refusal.message += "; an earlier reload removed it, and it has not ended yet";
            }
            return refusal;
        }
    }
    return std::nullopt;
}

// Returns why a worker cannot get its successor, by the descriptions of the plugins.
std::optional<Refusal> Core::swaps_refusal(const Plan& next,
                                           const Changes& changes,
                                           const PluginInfos& plugins) {
    for (const WorkerPlan* const worker : workers_named(next, changes.to_swap)) {
        const WorkerEntry& entry = *find(worker->name);
        if (std::optional<Refusal> refused = swap_refusal(entry)) {
            return refused;
        }
        const auto plugin = plugins.find(worker->plugin_content);
        if (entry.worker == nullptr || plugin == plugins.end() ||
            plugin->second.find(worker->type) == nullptr) {
            continue;
        }
        if (auto refused = successor_refusal(entry, *worker, plugin->second, StateLoss::refused)) {
            return refused;
        }
    }
    return std::nullopt;
}

Answer<Done> Core::check(const Plan& next, const PluginInfos& plugins) {
    const Changes changes = diff(*plan_, next);
    std::optional<Refusal> refused = refusal_of(next, changes);
    if (!refused) {
        refused = swaps_refusal(next, changes, plugins);
    }
    return refused ? Answer<Done>(Unexpected<Refusal>(*refused)) : Answer<Done>(Done{});
}

void Core::apply(std::shared_ptr<const Plan> next,
                 bool starts,
                 const Completion& reply,
                 StateLoss loss) {
    if (is_work_done_) {
        reply(Unexpected<Refusal>(*end_refusal()));
        return;
    }
    if (change_ || is_ending()) {
        reply(
            Unexpected<Refusal>({Refusal::Code::illegal_state,
                                 is_ending() ? "the host is ending" : "a plan is being applied"}));
        return;
    }
    const Changes changes = diff(*plan_, *next);
    if (const std::optional<Refusal> refused = refusal_of(*next, changes)) {
        reply(Unexpected<Refusal>(*refused));
        return;
    }
    if (const auto pooled = pools_.start(*next, *plan_); !pooled) {
        reply(Unexpected<Refusal>(bad_plan(pooled.error())));
        return;
    }
    PlanChange change;
    change.step_begin = clock_.now();
    change.number = ++changes_begun_;
    change.next = std::move(next);
    change.to_remove = changes.to_remove;
    change.loss = loss;
    change.reply = reply;
    if (const std::optional<Refusal> refused = prepare(change, changes, starts)) {
        for (WorkerEntry* const entry : change.starts) {
            retire(*entry);
            retired_.pop_back();
        }
        for (WorkerEntry* const entry : change.swaps) {
            withdraw_swap(*entry);
        }
        libraries_.close_unused();  // also that of the refused worker
        reply(Unexpected<Refusal>(*refused));
        return;
    }
    if (!starts) {
        adopt(std::move(change.next));
        rewire();
        needs_advance_ = true;
        reply(Done{});
        return;
    }
    change.making = change.starts.size();
    change.steps.open = end_step(change);
    const Nanos longest =
        schedule_start_ ? std::min(limits_.make, limits_.make_beside) : limits_.make;
    change.deadline = deadline_after(clock_.now(), longest);
    change_ = std::move(change);
    for (WorkerEntry* const entry : change_->starts) {
        entry->change_part = ChangePart::making;
    }
    create_successors();
    const std::vector<WorkerEntry*> entries = change_->starts;
    for (WorkerEntry* const entry : entries) {
        if (change_) {  // gone if a start has failed at once
            this->start_worker(*entry);
        }
    }
    if (change_) {
        continue_change();
    }
}

// Does everything that can fail without a thread, on entries that no other thread has seen yet.
std::optional<Refusal> Core::prepare(PlanChange& change, const Changes& changes, bool opens) {
    for (const WorkerPlan* const worker : workers_named(*change.next, changes.to_add)) {
        Result<std::shared_ptr<Pool>, std::string> pool = pools_.find(*worker, *change.next);
        if (!pool) {
            return bad_plan(pool.error());
        }
        change.starts.push_back(&add_entry({change.next, worker}, std::move(*pool)));
        if (opens) {
            if (const Answer<Done> opened = open_library(*change.starts.back()); !opened) {
                return opened.error();
            }
        }
    }
    for (const WorkerPlan* const worker : workers_named(*change.next, changes.to_swap)) {
        WorkerEntry& entry = *find(worker->name);
        if (auto refused = begin_swap(entry, {change.next, worker}, change)) {
            return refused;
        }
        change.swaps.push_back(&entry);
    }
    for (const WorkerPlan* const worker : workers_named(*change.next, changes.to_reconfigure)) {
        WorkerEntry& entry = *find(worker->name);
        if (auto refused = begin_reconfiguration(entry, {change.next, worker})) {
            return refused;
        }
        change.swaps.push_back(&entry);
    }
    return std::nullopt;
}

Nanos Core::end_step(PlanChange& change) const {
    const Nanos begin = std::exchange(change.step_begin, clock_.now());
    return change.step_begin - begin;
}

// Goes to the next step when all instances are created, and when all successors are active.
void Core::continue_change() {
    if (change_->making > 0) {
        return;
    }
    change_->steps.make = end_step(*change_);
    offer_successors();
    if (change_->taking == 0) {
        commit_change();
    }
}

// Makes `plan` the plan in force. Precondition: all its workers have entries.
void Core::adopt(std::shared_ptr<const Plan> plan) {
    plan_ = std::move(plan);
    for (const auto& [name, entry] : entries_) {
        entry->group.reset();
    }
    for (const WorkerPlan& worker : plan_->workers) {
        WorkerEntry& entry = *find(worker.name);
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
            made.entries.push_back(find(worker));
            made.entries.back()->place = made.entries.size() - 1;
            made.entries.back()->group = flow_.size() - 1;
        }
    }
}

// Records the previous plan. A rollback forgets the plan that it applies and all later ones.
void Core::remember_plan_before(const std::shared_ptr<const Plan>& next) {
    const auto found = std::find(plans_before_.begin(), plans_before_.end(), next);
    if (found != plans_before_.end()) {
        plans_before_.erase(found, plans_before_.end());
    } else if (schedule_start_) {
        plans_before_.push_back(plan_);
    }
    if (plans_before_.size() > Manager::plans_kept) {
        plans_before_.pop_front();
    }
    std::set<std::string> contents;
    const std::string* last = nullptr;  // most workers have the same plugin as the one before
    for (const auto& plan : plans_before_) {
        for (const WorkerPlan& worker : plan->workers) {
            if (last == nullptr || *last != worker.plugin_content) {
                last = &*contents.insert(worker.plugin_content).first;
            }
        }
    }
    loader_.keep(std::move(contents));
}

void Core::rollback(const Completion& reply, StateLoss loss) {
    if (plans_before_.empty()) {
        reply(Unexpected<Refusal>(
            {Refusal::Code::illegal_state, "cannot roll back: there is no previous plan"}));
        return;
    }
    apply(plans_before_.back(), true, reply, loss);
}

// Puts the plan in force.
void Core::commit_change() {
    PlanChange launched = *std::exchange(change_, std::nullopt);
    remember_plan_before(launched.next);
    if (!schedule_start_ && !launched.starts.empty()) {
        schedule_.assign(launched.next->schedule.begin(), launched.next->schedule.end());
        schedule_start_ = clock_.now();
    }
    begin_leaving(launched.to_remove);
    for (WorkerEntry* const entry : launched.swaps) {
        commit_swap(*entry);
    }
    adopt(launched.next);
    for (WorkerEntry* const entry : launched.starts) {
        entry->home->mailbox->open();  // before the routes to it exist
    }
    rewire();
    launched.steps.take = end_step(launched);
    steps_ = launched.steps;
    needs_advance_ = true;
    for (WorkerEntry* const entry : launched.starts) {
        entry->change_part = ChangePart::none;
        if (entry->state == WorkerState::starting) {  // not stopped meanwhile
            release(*entry);
        }
    }
    for (WorkerEntry* const entry : launched.swaps) {
        resume_swapped(*entry);
    }
    launched.reply(Done{});
}

// Aborts the change. None of the new workers has run: they wait, or are still being created. The
// previous plan has stayed in force.
void Core::undo_change(const Refusal& why) {
    const PlanChange undone = *std::exchange(change_, std::nullopt);
    for (WorkerEntry* const entry : undone.starts) {
        entry->change_part = ChangePart::none;
        entry->is_removed = true;
        if (can(*entry, WorkerEvent::drain)) {
            drain(*entry);
        }
    }
    for (WorkerEntry* const entry : undone.swaps) {
        withdraw_swap(*entry);
    }
    needs_advance_ = true;
    undone.reply(Unexpected<Refusal>(why));
}

// Returns the receiver that a worker waits for: that of its first blocking route that is full.
const WorkerEntry* Core::full_receiver_of(const WorkerEntry& sender) const {
    for (const RoutePlan& route : plan_->routes) {
        const auto to = entries_.find(route.to);
        if (route.from == sender.home->name && route.when_full == WhenFull::block &&
            to != entries_.end() && to->second->home->mailbox->counts().queued >= route.queue) {
            return to->second.get();
        }
    }
    return nullptr;
}

// Returns why a swap is late. Names the worker that delays it: `late` itself, or the worker at the
// end of the full routes behind which `late` waits.
std::string Core::why_late(const WorkerEntry& late) const {
    const WorkerEntry* slow = &late;
    std::set<const WorkerEntry*> seen;
    while (seen.insert(slow).second) {
        const WorkerEntry* const next = full_receiver_of(*slow);
        slow = next == nullptr ? slow : next;
    }
    const WorkerMetrics metrics = slow->metrics(clock_.now());
    std::string why = "worker '" + slow->home->name + "' ";
    if (!metrics.call.empty() || metrics.in.in_flight > 0 || slow == &late) {
        why += "did not come to a boundary between two messages in time";
    } else {
        why += "takes no messages";
    }
    if (!metrics.call.empty()) {
        why += ": it is inside '" + metrics.call + "' of its plugin";
    }
    if (slow != &late) {
        why += ", and worker '" + late.home->name + "' waits for room at it";
    }
    return why + "; its 'quiesce' says how long it may take";
}

// Aborts the change if it takes too long.
void Core::check_change(Nanos now) {
    if (!change_ || now < change_->deadline) {
        return;
    }
    for (const WorkerEntry* const entry : change_->starts) {
        if (entry->change_part == ChangePart::making) {
            undo_change(bad_plan("worker '" + entry->home->name +
                                 "' was not created in time: it is inside 'create' of its plugin"));
            return;
        }
    }
    if (change_->making > 0) {
        const Creation& creation = *change_->creation;
        undo_change(bad_plan("the successor of worker '" + creation.pending[creation.at].worker +
                             "' was not created in time: it is inside 'create' of its plugin"));
        return;
    }
    std::set<const WorkerEntry*> waiting;  // their waves are not offered yet
    for (const std::vector<WorkerEntry*>& wave : change_->waves) {
        waiting.insert(wave.begin(), wave.end());
    }
    for (const WorkerEntry* const entry : change_->swaps) {
        Handover* const handover = entry->swap->handover.get();
        if (handover != nullptr && !waiting.contains(entry) && !handover->is_taken() &&
            handover->withdraw()) {
            undo_change({Refusal::Code::illegal_state, why_late(*entry)});
            return;
        }
    }
    change_->deadline = forever;  // a worker has just committed its swap, and its report follows
}

}  // namespace skep::host
