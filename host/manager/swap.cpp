// Gives workers a successor, from the request of the plan until the plan is in force. This file
// makes the decisions; worker/handover.hpp has the protocol between the two instances.
#include <algorithm>

#include <pthread.h>
#include <spdlog/spdlog.h>

#include "host/manager/core.hpp"
#include "host/topology/succession.hpp"
#include "host/worker/thread_census.hpp"

namespace skep::host {

namespace {

using Phase = Handover::Phase;

Refusal in_between(const WorkerEntry& entry) {
    return {Refusal::Code::illegal_state,
            "worker '" + entry.home->name + "' is between two generations"};
}

bool has_same_ports(const WorkerTypeInfo& a, const WorkerTypeInfo& b) {
    return a.inputs.size() == b.inputs.size() && a.outputs.size() == b.outputs.size();
}

}  // namespace

// Begins the swap of a worker. A worker without a thread gets the new revision at its next start:
// now, unless an operator has stopped it or it never ran.
std::optional<Refusal> Core::begin_swap(WorkerEntry& entry,
                                        std::shared_ptr<const WorkerPlan> plan,
                                        const PlanChange& change) {
    if (std::optional<Refusal> refused = swap_refusal(entry)) {
        return refused;
    }
    Result<std::shared_ptr<Pool>, std::string> pool = pools_.find(*plan, *change.next);
    if (!pool) {
        return bad_plan(pool.error());
    }
    Answer<Revision> opened = open_revision(std::move(plan));
    if (!opened) {
        return opened.error();
    }
    opened->pool = std::move(*pool);
    bool state_is_lost = false;
    if (entry.worker != nullptr) {
        const PluginInfo& plugin = opened->library->info();
        if (auto refused = successor_refusal(entry, *opened->plan, plugin, change.loss)) {
            return refused;
        }
        state_is_lost = state_problem(*entry.info(), *opened->info()).has_value();
    }
    opened->generation = entry.generation + 1;
    return set_swap(entry, {std::move(*opened), nullptr, false, state_is_lost, change.number});
}

// Returns why the worker of `plan`, from `plugin`, cannot succeed the revision that the entry runs.
std::optional<Refusal> Core::successor_refusal(const WorkerEntry& entry,
                                               const WorkerPlan& plan,
                                               const PluginInfo& plugin,
                                               StateLoss loss) const {
    const WorkerTypeInfo& before = *entry.info();
    const WorkerTypeInfo& next = *plugin.find(plan.type);
    const bool is_other_build = plan.plugin_path != entry.plan->plugin_path ||
                                plan.plugin_content != entry.plan->plugin_content;
    std::optional<std::string> problem = succession_problem(before, next);
    if (problem) {
        *problem += "; to start it without state: skep drain " + plan.name +
                    ", skep reload, skep restart " + plan.name;
    } else if (is_other_build && plugin.static_tls) {
        problem =
            "its plugin has static TLS, and a process has room for only a few versions of that; "
            "compile it without -ftls-model=initial-exec, or restart the host";
    } else if (loss == StateLoss::refused) {
        problem = state_problem(before, next);
    }
    if (!problem) {
        return std::nullopt;
    }
    return bad_plan("worker '" + plan.name + "' cannot get a successor: " + *problem);
}

// Begins the change of an instance's parameters; the instance stays.
std::optional<Refusal> Core::begin_reconfiguration(WorkerEntry& entry,
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

std::optional<Refusal> Core::swap_refusal(const WorkerEntry& entry) const {
    if (entry.swap && !entry.swap->is_committed) {
        return in_between(entry);
    }
    if (entry.swap && entry.swap->is_hanging && is_in_that_call(entry)) {
        return Refusal{Refusal::Code::illegal_state,
                       "worker '" + entry.home->name +
                           "' has not returned from the call in which its probation ended"};
    }
    if (entry.state != WorkerState::running && entry.state != WorkerState::paused &&
        !is_at_rest(entry.state) && entry.state != WorkerState::created) {
        return cannot("swap", entry);
    }
    return std::nullopt;
}

// Sets the swap of an entry, and ends the probation of its previous swap if nothing refuses.
std::optional<Refusal> Core::set_swap(WorkerEntry& entry, Swap swap) {
    if (entry.swap) {
        end_probation(entry);
        if (entry.swap) {
            return in_between(entry);
        }
    }
    entry.swap = std::move(swap);
    entry.change_part = ChangePart::swap;
    return std::nullopt;
}

// Returns the instance to create. It runs elsewhere if the placement changed, or if the present
// thread would keep a plugin mapped.
Core::PendingInstance Core::pending_for(const WorkerEntry& entry) const {
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
        made.placement = pools_.placement_of(next.plan->run);
    }
    return made;
}

// Creates all successors on one helper thread, one after the other, while the workers run.
void Core::create_successors() {
    const auto creation = std::make_shared<Creation>();
    for (WorkerEntry* const entry : change_->swaps) {
        if (entry->worker != nullptr && entry->swap->handover == nullptr) {
            creation->pending.push_back(pending_for(*entry));
        }
    }
    if (creation->pending.empty()) {
        return;
    }
    change_->making += 1;  // counts all successors as one
    change_->creation = creation;
    const Result<Done, std::string> started = helpers_.try_run(
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
        [this, creation, number = change_->number] { on_created(number, creation->pending); });
    if (!started) {
        undo_change(bad_plan("worker '" + creation->pending.front().worker +
                             "' cannot be created: " + started.error()));
    }
}

// Destroys an unused instance. Its thread ends first, because destructors of its thread_locals may
// still need the instance.
void Core::destroy_later(PendingInstance pending) {
    const auto shared = std::make_shared<PendingInstance>(std::move(pending));
    helpers_.run([shared] { return "worker '" + shared->worker + "' in destroy"; },
                 [shared] {
                     name_this_thread(shared->worker, shared->instance->generation());
                     if (shared->place.thread != nullptr) {
                         shared->place.thread->end();
                     }
                     shared->instance->destroy();
                 },
                 [this, shared] {
                     shared->instance.reset();
                     shared->owner.reset();
                     libraries_.close_unused();
                 });
}

// [helper thread]
void Core::start_thread_of(PendingInstance& pending) {
    pthread_setname_np(pthread_self(), ended_thread_name);  // the new thread inherits the name
    const auto started = pending.owner->start_standby(*pending.place.thread, pending.placement);
    if (!started) {
        pending.error = started.error();
    }
}

void Core::on_created(std::uint64_t change, std::vector<PendingInstance>& pending) {
    const bool is_wanted = change_ && change_->number == change;
    std::optional<Refusal> failed;
    for (PendingInstance& it : pending) {
        WorkerEntry* const entry = find(it.worker);
        if (!it.error.empty()) {
            failed = bad_plan("worker '" + it.worker + "' failed: " + it.error);
        }
        if (!is_wanted || failed) {
            destroy_later(std::move(it));
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
        undo_change(*failed);
        return;
    }
    --change_->making;
    continue_change();
}

// Offers the successors. For a single swap the worker decides, and need not wait for the manager.
void Core::offer_successors() {
    PlanChange& change = *change_;
    if (change.swaps.empty()) {
        return;
    }
    WorkerEntry& first = *change.swaps.front();
    const bool stands_alone = change.swaps.size() == 1 && change.starts.empty() &&
                              change.to_remove.empty() && plan_->routes == change.next->routes &&
                              first.worker != nullptr && first.state == WorkerState::running &&
                              !first.wants_pause &&
                              has_same_ports(*first.swap->other.info(), *first.info());
    if (stands_alone) {
        first.swap->handover->set_holds(false);
    }
    Nanos longest{0};
    for (const WorkerEntry* const entry : change.swaps) {
        longest = std::max(longest, entry->swap->other.plan->quiesce.value_or(limits_.take));
    }
    change.deadline = deadline_after(clock_.now(), longest);
    change.waves = waves_of(change.swaps);
    offer_wave();
}

// Orders swaps into waves, senders before their receivers. A sender that waits for room reaches a
// boundary only while its receivers run. If the receivers were swapped first, they would hold, and
// all would wait for each other. A cycle has no such order, and needs none while it has room.
std::deque<std::vector<WorkerEntry*>> Core::waves_of(const std::vector<WorkerEntry*>& swaps) const {
    std::vector<bool> has_swap(flow_.size());
    for (const WorkerEntry* const entry : swaps) {
        has_swap[*entry->group] = true;
    }
    std::vector<std::size_t> wave(flow_.size());
    for (std::size_t i = flow_.size(); i-- > 0;) {  // senders come after their receivers
        for (const std::size_t up : flow_[i].upstream) {
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

void Core::offer_wave() {
    PlanChange& change = *change_;
    while (change.taking == 0 && !change.waves.empty()) {
        for (WorkerEntry* const entry : change.waves.front()) {
            if (entry->swap->handover != nullptr) {
                ++change.taking;
                entry->worker->offer(entry->swap->handover);
            }
        }
        change.waves.pop_front();
    }
}

void Core::on_swapped(WorkerEntry& entry) {
    const std::shared_ptr<Handover> handover = entry.swap->handover;
    if (handover->phase() == Phase::refused) {
        const std::string kept = handover->is_reconfiguration() ? "parameters" : "instance";
        const std::string why =
            "worker '" + entry.home->name + "' keeps its " + kept + ": " + handover->error;
        if (change_ && entry.change_part == ChangePart::swap) {
            undo_change(bad_plan(why));
        }
        end_swap(entry);
        return;
    }
    if (change_ && entry.change_part == ChangePart::swap) {
        --change_->taking;
        offer_wave();
        if (change_->taking == 0) {
            commit_change();
        }
    } else if (handover->phase() ==
               Phase::committed) {  // a single swap, committed before the abort
        commit_swap(entry);
        adopt_version_of(entry);
        resume_swapped(entry);
    }
}

// Makes the revision of the successor that of the entry.
void Core::commit_swap(WorkerEntry& entry) {
    Swap& swap = *entry.swap;
    entry.change_part = ChangePart::none;
    swap.is_committed = true;
    if (swap.handover == nullptr) {  // the worker has no thread and no instance
        entry.exchange_with(swap.other);
        entry.generation = swap.other.generation;  // the next start counts it
        entry.swap.reset();
        libraries_.close_unused();
        return;
    }
    entry.exchange_with(swap.other);
    (void)swap.handover->move(Phase::tentative, Phase::committed);
    if (swap.handover->is_reconfiguration()) {
        spdlog::info("worker '{}'@{}: changed its parameters", entry.home->name, entry.generation);
        end_probation(entry);
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

// Continues after a swap, when the routes fit the new revision. Starts a worker again that had
// failed or ended; a worker that an operator has stopped, or that never ran, waits for its start.
void Core::resume_swapped(WorkerEntry& entry) {
    if (entry.swap) {
        begin_probation(entry);
    }
    if (entry.worker != nullptr) {
        send_command(entry);
    } else if (entry.state != WorkerState::created && !entry.is_stopped_by_operator &&
               !is_ending()) {
        spdlog::info("worker '{}': starts again: its last instance has {}",
                     entry.home->name,
                     entry.state == WorkerState::failed ? "failed" : "ended");
        start(entry.home->name, [](const Answer<Done>&) {});
    }
}

// Makes the plan in force name the revision that the entry runs.
void Core::adopt_version_of(const WorkerEntry& entry) {
    auto patched = std::make_shared<Plan>(*plan_);
    *std::find_if(patched->workers.begin(), patched->workers.end(), [&](const auto& it) {
        return it.name == entry.home->name;
    }) = *entry.plan;
    adopt(std::move(patched));
    rewire();  // its ports and its place may differ
}

// Aborts the swap of a worker. If the handover has not begun, it never does. Otherwise the worker
// returns to its predecessor at its next command, and reports that.
void Core::withdraw_swap(WorkerEntry& entry) {
    entry.change_part = ChangePart::none;
    const std::shared_ptr<Handover> handover = entry.swap->handover;
    if (handover == nullptr || handover->move(Phase::offered, Phase::closed)) {
        end_swap(entry);
    }
    if (entry.worker != nullptr && handover != nullptr) {
        send_command(entry);
    }
}

}  // namespace skep::host
