#include "host/manager/plan_change.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include <pthread.h>
#include <spdlog/spdlog.h>

#include "host/manager/plan_checks.hpp"
#include "host/manager/revisions.hpp"
#include "host/topology/succession.hpp"
#include "host/worker/thread_census.hpp"

namespace skep::host {

using Phase = Handover::Phase;

namespace {

bool has_same_ports(const WorkerTypeInfo& a, const WorkerTypeInfo& b) {
    return a.inputs.size() == b.inputs.size() && a.outputs.size() == b.outputs.size();
}

// [helper thread]
void start_thread_of(PendingInstance& pending) {
    pthread_setname_np(pthread_self(), ended_thread_name);  // the new thread inherits the name
    const auto started = pending.owner->start_standby(*pending.place.thread, pending.placement);
    if (!started) {
        pending.error = started.error();
    }
}

// Makes the revision of the successor that of the entry.
void commit_swap(ManagerParts& parts, WorkerEntry& entry) {
    Swap& swap = *entry.swap;
    entry.change_part = ChangePart::none;
    swap.is_committed = true;
    if (swap.handover == nullptr) {  // the worker has no thread and no instance
        entry.exchange_with(swap.other);
        entry.generation = swap.other.generation;  // the next start counts it
        entry.swap.reset();
        parts.libraries.close_unused();
        return;
    }
    entry.exchange_with(swap.other);
    (void)swap.handover->move(Phase::tentative, Phase::committed);
    if (swap.handover->is_reconfiguration()) {
        spdlog::info("worker '{}'@{}: changed its parameters", entry.home->name, entry.generation);
        parts.probations.end(entry);
        return;
    }
    ++entry.swaps;
    entry.last_swap = {
        swap.handover->blackout, swap.handover->state.size(), entry.home->mailbox->counts().queued};
    spdlog::info("worker '{}'@{}: replaced generation {} in {:.1f} us, with {} bytes of state",
                 entry.home->name,
                 entry.generation,
                 swap.other.generation,
                 std::chrono::duration<double, std::micro>(entry.last_swap->blackout).count(),
                 entry.last_swap->state_bytes);
    if (swap.drops_state) {
        spdlog::warn("worker '{}'@{}: started without state: cannot load that of generation {}",
                     entry.home->name,
                     entry.generation,
                     swap.other.generation);
    }
}

// Continues after a swap, when the routes fit the new revision. Returns true for a worker that had
// failed or ended, which starts again. A worker that an operator has stopped, or that never ran,
// waits for its start.
bool resume_swapped(ManagerParts& parts, WorkerEntry& entry) {
    if (entry.swap) {
        parts.probations.begin(entry);
    }
    if (entry.worker != nullptr) {
        parts.table.send_command(entry);
        return false;
    }
    if (entry.state == WorkerState::created || entry.is_stopped_by_operator) {
        return false;
    }
    spdlog::info("worker '{}': starts again: its last instance has {}",
                 entry.home->name,
                 entry.state == WorkerState::failed ? "failed" : "ended");
    return true;
}

// Returns the instance to create. It runs elsewhere if the placement changed, or if the present
// thread would keep a plugin mapped.
PendingInstance pending_for(const ManagerParts& parts, const WorkerEntry& entry) {
    const Revision& next = entry.swap->other;
    PendingInstance made;
    made.worker = entry.home->name;
    made.owner = entry.worker;
    made.instance = entry.worker->make_successor(
        {next.generation, next.library, next.type, next.plan->config, next.plan->live});
    const auto pins_on = [](const Library& library) {
        return library.info().thread_exits || !library.info().thread_keys.empty();
    };
    const bool pins = pins_on(*entry.library) || pins_on(*next.library);
    if (next.pool != nullptr && next.pool != entry.pool) {
        made.place.seat = entry.home->parker->seat_in(*next.pool);
    } else if (next.pool == nullptr && (pins || entry.plan->run != next.plan->run ||
                                        entry.info()->is_loop != next.info()->is_loop)) {
        made.place.thread = entry.worker->make_thread();
        made.placement = parts.pools.placement_of(next.plan->run);
    }
    return made;
}

// Orders swaps into waves, senders before their receivers. A sender that waits for room reaches a
// boundary only while its receivers run. If the receivers were swapped first, they would hold, and
// all would wait for each other. A cycle has no such order, and needs none while it has room.
std::deque<std::vector<WorkerEntry*>> waves_of(const std::vector<WorkerEntry*>& swaps,
                                               const std::vector<EntryGroup>& flow) {
    std::vector<bool> has_swap(flow.size());
    for (const WorkerEntry* const entry : swaps) {
        has_swap[*entry->group] = true;
    }
    std::vector<std::size_t> wave(flow.size());
    for (std::size_t i = flow.size(); i-- > 0;) {  // senders come after their receivers
        for (const std::size_t up : flow[i].upstream) {
            wave[i] = std::max(wave[i], wave[up] + (has_swap[up] ? 1 : 0));
        }
    }
    std::map<std::size_t, std::vector<WorkerEntry*>> ordered;
    for (WorkerEntry* const entry : swaps) {
        ordered[wave[*entry->group]].push_back(entry);
    }
    std::deque<std::vector<WorkerEntry*>> waves;
    for (auto& [number, entries] : ordered) {
        waves.push_back(std::move(entries));
    }
    return waves;
}

}  // namespace

PlanChange::PlanChange(ManagerParts& parts, Order order)
    : parts_(parts),
      order_(std::move(order)),
      step_begin_(parts.clock.now()) {}

// -- prepare --

std::optional<Refusal> PlanChange::prepare() {
    applied_.summary = summary_of(diff(*parts_.plan, *order_.next), *order_.next, parts_.table);
    std::optional<Refusal> refused = refusal_of(
        *order_.next, applied_.summary.changes, parts_.plan, parts_.table, parts_.schedule);
    if (refused) {
        return refused;
    }
    if (const auto pooled = parts_.pools.start(*order_.next, *parts_.plan); !pooled) {
        return bad_plan(pooled.error());
    }
    refused = prepare_entries();
    if (refused) {
        for (const WorkerEntry* const entry : starts_) {
            parts_.table.forget(*entry);
        }
        for (WorkerEntry* const entry : swaps_) {
            withdraw_swap(*entry);
        }
        parts_.libraries.close_unused();  // also that of the refused worker
    }
    return refused;
}

// On entries that no other thread has seen yet.
std::optional<Refusal> PlanChange::prepare_entries() {
    const Changes& changes = applied_.summary.changes;
    for (const WorkerPlan* const worker : workers_named(*order_.next, changes.to_add)) {
        Result<std::shared_ptr<Pool>, std::string> pool = parts_.pools.find(*worker, *order_.next);
        if (!pool) {
            return bad_plan(pool.error());
        }
        starts_.push_back(&parts_.table.add({order_.next, worker}, std::move(*pool)));
        if (order_.starts) {
            if (const Answer<Done> opened = open_library(parts_.libraries, *starts_.back());
                !opened) {
                return opened.error();
            }
        }
    }
    for (const WorkerPlan* const worker : workers_named(*order_.next, changes.to_swap)) {
        WorkerEntry& entry = *parts_.table.find(worker->name);
        if (auto refused = begin_swap(entry, {order_.next, worker})) {
            return refused;
        }
        swaps_.push_back(&entry);
    }
    for (const WorkerPlan* const worker : workers_named(*order_.next, changes.to_reconfigure)) {
        WorkerEntry& entry = *parts_.table.find(worker->name);
        if (auto refused = begin_reconfiguration(entry, {order_.next, worker})) {
            return refused;
        }
        swaps_.push_back(&entry);
    }
    return std::nullopt;
}

// Begins the swap of a worker. A worker without a thread gets the new revision at its next start:
// now, unless an operator has stopped it or it never ran.
std::optional<Refusal> PlanChange::begin_swap(WorkerEntry& entry,
                                              std::shared_ptr<const WorkerPlan> plan) {
    if (std::optional<Refusal> refused = swap_refusal(entry)) {
        return refused;
    }
    Result<std::shared_ptr<Pool>, std::string> pool = parts_.pools.find(*plan, *order_.next);
    if (!pool) {
        return bad_plan(pool.error());
    }
    Answer<Revision> opened = open_revision(parts_.libraries, std::move(plan));
    if (!opened) {
        return opened.error();
    }
    opened->pool = std::move(*pool);
    bool state_is_lost = false;
    if (entry.worker != nullptr) {
        const PluginInfo& plugin = opened->library->info();
        if (auto refused = successor_refusal(entry, *opened->plan, plugin, order_.loss)) {
            return refused;
        }
        state_is_lost = state_problem(*entry.info(), *opened->info()).has_value();
    }
    opened->generation = entry.generation + 1;
    return set_swap(entry, {std::move(*opened), nullptr, false, state_is_lost, order_.number});
}

// Begins the change of an instance's parameters; the instance stays.
std::optional<Refusal> PlanChange::begin_reconfiguration(WorkerEntry& entry,
                                                         std::shared_ptr<const WorkerPlan> plan) {
    if (std::optional<Refusal> refused = swap_refusal(entry)) {
        return refused;
    }
    Swap swap{static_cast<const Revision&>(entry), nullptr, false, false};
    swap.other.plan = std::move(plan);
    if (entry.worker != nullptr) {
        swap.handover = std::make_shared<Handover>(entry.plan->live, swap.other.plan->live);
    }
    return set_swap(entry, std::move(swap));
}

// Sets the swap of an entry, and ends the probation of its previous swap if nothing refuses.
std::optional<Refusal> PlanChange::set_swap(WorkerEntry& entry, Swap swap) {
    if (entry.swap) {
        parts_.probations.end(entry);
        if (entry.swap) {
            return in_between(entry);
        }
    }
    entry.swap = std::move(swap);
    entry.change_part = ChangePart::swap;
    return std::nullopt;
}

// -- begin: create the instances --

void PlanChange::begin() {
    if (!order_.starts) {
        parts_.plan.adopt(order_.next);
        parts_.plan.rewire();
        parts_.table.note_change();
        outcome_ = std::move(applied_);
        return;
    }
    making_ = starts_.size();
    applied_.steps.open = end_step();
    const Manager::Limits& limits = parts_.limits;
    deadline_ = deadline_after(
        parts_.clock.now(),
        parts_.schedule.has_begun() ? std::min(limits.make, limits.make_beside) : limits.make);
    for (WorkerEntry* const entry : starts_) {
        entry->change_part = ChangePart::making;
    }
    create_successors();
    for (WorkerEntry* const entry : starts_) {
        if (is_over()) {  // a start has failed at once
            return;
        }
        if (const auto started = parts_.table.start(*entry); !started) {
            parts_.table.end(*entry, true, started.error());
            abort(bad_plan("worker '" + entry->home->name + "' failed: " + started.error()));
        }
    }
    if (!is_over()) {
        go_on();
    }
}

// Creates all successors on one helper thread, one after the other, while the workers run.
void PlanChange::create_successors() {
    const auto creation = std::make_shared<Creation>();
    for (WorkerEntry* const entry : swaps_) {
        if (entry->worker != nullptr && entry->swap->handover == nullptr) {
            creation->pending.push_back(pending_for(parts_, *entry));
        }
    }
    if (creation->pending.empty()) {
        return;
    }
    making_ += 1;  // counts all successors as one
    creation_ = creation;
    const Result<Done, std::string> started = parts_.helpers.try_run(
        [creation] { return "worker '" + creation->pending[creation->at].worker + "' in create"; },
        [creation] {
            for (std::size_t i = 0; i < creation->pending.size(); ++i) {
                PendingInstance& it = creation->pending[i];
                creation->at = i;
                name_this_thread(it.worker, it.instance->generation());
                if (!it.instance->create()) {
                    it.error = it.instance->error();
                } else if (it.place.thread != nullptr) {
                    start_thread_of(it);
                }
                if (!it.error.empty()) {
                    return;
                }
            }
        },
        [self = shared_from_this(), creation] { self->on_created(creation->pending); });
    if (!started) {
        abort(bad_plan("worker '" + creation->pending.front().worker +
                       "' cannot be created: " + started.error()));
    }
}

void PlanChange::on_created(std::vector<PendingInstance>& pending) {
    const bool is_wanted = !is_over();
    std::optional<Refusal> failed;
    for (PendingInstance& it : pending) {
        WorkerEntry* const entry = parts_.table.find(it.worker);
        if (!it.error.empty()) {
            failed = bad_plan("worker '" + it.worker + "' failed: " + it.error);
        }
        if (!is_wanted || failed) {
            parts_.disposal.destroy_later(std::move(it));
        } else {
            entry->swap->handover = std::make_shared<Handover>(std::move(it.instance));
            entry->swap->handover->place = std::move(it.place);
            if (entry->swap->drops_state) {
                entry->swap->handover->drop_state();
            }
        }
    }
    pending.clear();
    if (!is_wanted) {
        return;
    }
    if (failed) {
        abort(*failed);
        return;
    }
    --making_;
    go_on();
}

void PlanChange::on_ready(WorkerEntry& entry) {
    entry.change_part = ChangePart::made;
    --making_;
    go_on();
}

// Goes to the next step when all instances are created.
void PlanChange::go_on() {
    if (making_ > 0) {
        return;
    }
    applied_.steps.make = end_step();
    offer_successors();
    if (taking_ == 0) {
        commit();
    }
}

// -- offer --

// Offers the successors. For a single swap the worker decides, and need not wait for the manager.
void PlanChange::offer_successors() {
    if (swaps_.empty()) {
        return;
    }
    WorkerEntry& first = *swaps_.front();
    const bool stands_alone =
        swaps_.size() == 1 && starts_.empty() && applied_.summary.changes.to_remove.empty() &&
        parts_.plan->routes == order_.next->routes && first.worker != nullptr &&
        first.state == WorkerState::running && !first.wants_pause &&
        has_same_ports(*first.swap->other.info(), *first.info());
    if (stands_alone) {
        first.swap->handover->set_holds(false);
    }
    Nanos longest{0};
    for (const WorkerEntry* const entry : swaps_) {
        longest = std::max(longest, entry->swap->other.plan->quiesce.value_or(parts_.limits.take));
    }
    deadline_ = deadline_after(parts_.clock.now(), longest);
    waves_ = waves_of(swaps_, parts_.plan.flow());
    offer_wave();
}

void PlanChange::offer_wave() {
    while (taking_ == 0 && !waves_.empty()) {
        for (WorkerEntry* const entry : waves_.front()) {
            if (entry->swap->handover != nullptr) {
                ++taking_;
                entry->worker->offer(entry->swap->handover);
            }
        }
        waves_.pop_front();
    }
}

void PlanChange::on_swapped(WorkerEntry& entry) {
    const std::shared_ptr<Handover> handover = entry.swap->handover;
    if (handover->phase() == Phase::refused) {
        const std::string kept = handover->is_reconfiguration() ? "parameters" : "instance";
        abort(bad_plan("worker '" + entry.home->name + "' keeps its " + kept + ": " +
                       handover->error));
        return;
    }
    --taking_;
    offer_wave();
    if (taking_ == 0) {
        commit();
    }
}

// -- commit --

void PlanChange::commit() {
    parts_.plan.remember_before(order_.next, !parts_.schedule.has_begun());
    if (!parts_.schedule.has_begun() && !starts_.empty()) {
        parts_.schedule.begin(order_.next->schedule, parts_.clock.now());
    }
    parts_.plan.begin_leaving(applied_.summary.changes.to_remove);
    for (WorkerEntry* const entry : swaps_) {
        const bool is_new_instance =
            applied_.swaps.size() < applied_.summary.changes.to_swap.size();
        AppliedSwap done{entry->plan, nullptr, 0, "", std::nullopt};
        const bool runs = entry->worker != nullptr;
        commit_swap(parts_, *entry);
        if (is_new_instance) {  // swaps_ has these first
            done.now = entry->plan;
            done.generation = entry->generation;
            done.plugin = entry->library->info().id + " " + entry->library->info().version;
            done.figures = runs ? entry->last_swap : std::nullopt;
            applied_.swaps.push_back(std::move(done));
        }
    }
    parts_.plan.adopt(order_.next);
    for (const WorkerEntry* const entry : starts_) {
        entry->home->mailbox->open();  // before the routes to it exist
    }
    parts_.plan.rewire();
    applied_.steps.take = end_step();
    deadline_ = forever;
    parts_.table.note_change();
    for (WorkerEntry* const entry : starts_) {
        entry->change_part = ChangePart::none;
        if (entry->state == WorkerState::starting) {  // not stopped meanwhile
            parts_.table.release(*entry);
        }
    }
    for (WorkerEntry* const entry : swaps_) {
        if (resume_swapped(parts_, *entry)) {
            restarts_.push_back(entry->home->name);
        }
    }
    outcome_ = std::move(applied_);
}

void PlanChange::commit_late(ManagerParts& parts, WorkerEntry& entry) {
    commit_swap(parts, entry);
    parts.plan.adopt_version_of(entry);
    (void)resume_swapped(parts, entry);  // it runs
}

// -- abort --

void PlanChange::abort(Refusal why) {
    outcome_ = Unexpected<Refusal>(std::move(why));
    deadline_ = forever;
    for (WorkerEntry* const entry : starts_) {
        entry->change_part = ChangePart::none;
        entry->is_removed = true;
        if (can(*entry, WorkerEvent::drain)) {
            parts_.table.drain(*entry);
        }
    }
    for (WorkerEntry* const entry : swaps_) {
        withdraw_swap(*entry);
    }
    parts_.table.note_change();
}

// Aborts the swap of a worker. If the handover has not begun, it never does. Otherwise the worker
// returns to its predecessor at its next command, and reports that.
void PlanChange::withdraw_swap(WorkerEntry& entry) {
    entry.change_part = ChangePart::none;
    const std::shared_ptr<Handover> handover = entry.swap->handover;
    if (handover == nullptr || handover->move(Phase::offered, Phase::closed)) {
        parts_.probations.end_swap(entry);
    }
    if (entry.worker != nullptr && handover != nullptr) {
        parts_.table.send_command(entry);
    }
}

void PlanChange::check(Nanos now) {
    if (now < deadline_) {
        return;
    }
    for (const WorkerEntry* const entry : starts_) {
        if (entry->change_part == ChangePart::making) {
            abort(bad_plan("worker '" + entry->home->name +
                           "' was not created in time: it is inside 'create' of its plugin"));
            return;
        }
    }
    if (making_ > 0) {
        const Creation& creation = *creation_;
        abort(bad_plan("the successor of worker '" + creation.pending[creation.at].worker +
                       "' was not created in time: it is inside 'create' of its plugin"));
        return;
    }
    std::set<const WorkerEntry*> waiting;  // their waves are not offered yet
    for (const std::vector<WorkerEntry*>& wave : waves_) {
        waiting.insert(wave.begin(), wave.end());
    }
    for (const WorkerEntry* const entry : swaps_) {
        Handover* const handover = entry->swap->handover.get();
        if (handover != nullptr && !waiting.contains(entry) && !handover->is_taken() &&
            handover->withdraw()) {
            abort(
                {Refusal::Code::illegal_state, why_late(*entry, *parts_.plan, parts_.table, now)});
            return;
        }
    }
    deadline_ = forever;  // a worker has just committed its swap, and its report follows
}

Nanos PlanChange::end_step() {
    const Nanos begin = std::exchange(step_begin_, parts_.clock.now());
    return step_begin_ - begin;
}

}  // namespace skep::host
