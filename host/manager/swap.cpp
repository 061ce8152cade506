// Workers that get a successor: from the plan that asks for it until it is in force. What the two
// instances do with each other is in worker/handover.hpp; here is who decides.
#include <algorithm>

#include <pthread.h>
#include <spdlog/spdlog.h>

#include "host/manager/core.hpp"
#include "host/topology/succession.hpp"
#include "host/worker/thread_census.hpp"

namespace skep::host {

namespace {

using Stage = Handover::Stage;

Refusal in_between(const Slot& slot) {
    return {Refusal::Code::illegal_state,
            "worker '" + slot.home->name + "' is between two generations"};
}

bool has_same_ports(const WorkerTypeInfo& a, const WorkerTypeInfo& b) {
    return a.inputs.size() == b.inputs.size() && a.outputs.size() == b.outputs.size();
}

}  // namespace

// A worker without a thread takes what the plan says at its next start, which is now, unless an
// operator has stopped it, or it never ran.
std::optional<Refusal> Core::begin_swap(Slot& slot,
                                        std::shared_ptr<const WorkerPlan> plan,
                                        const Launch& launch) {
    if (std::optional<Refusal> refused = swap_refusal(slot)) {
        return refused;
    }
    Answer<std::shared_ptr<Pool>> pool = pool_of(*plan, *launch.next);
    if (!pool) {
        return pool.error();
    }
    Answer<Version> opened = open_version(std::move(plan));
    if (!opened) {
        return opened.error();
    }
    opened->pool = std::move(*pool);
    bool state_is_lost = false;
    if (slot.worker != nullptr) {
        const PluginInfo& plugin = opened->library->info();
        if (auto refused = successor_refusal(slot, *opened->plan, plugin, launch.loss)) {
            return refused;
        }
        state_is_lost = state_problem(*slot.info(), *opened->info()).has_value();
    }
    opened->generation = slot.generation + 1;
    return set_swap(slot, {std::move(*opened), nullptr, false, state_is_lost, launch.number});
}

// Why what `plan` wants, of `plugin`, cannot take over from what the slot runs.
std::optional<Refusal> Core::successor_refusal(const Slot& slot,
                                               const WorkerPlan& plan,
                                               const PluginInfo& plugin,
                                               StateLoss loss) const {
    const WorkerTypeInfo& before = *slot.info();
    const WorkerTypeInfo& next = *plugin.find(plan.type);
    const bool is_other_build = plan.plugin_path != slot.plan->plugin_path ||
                                plan.plugin_content != slot.plan->plugin_content;
    std::optional<std::string> problem = succession_problem(before, next);
    if (problem) {
        *problem += "; to let it begin anew: skep drain " + plan.name +
                    ", skep reload, skep restart " + plan.name;
    } else if (is_other_build && plugin.static_tls) {
        problem =
            "its plugin has static TLS, of which a process has room for a few versions "
            "alone; compile it without -ftls-model=initial-exec, or restart the host";
    } else if (loss == StateLoss::refused) {
        problem = state_problem(before, next);
    }
    if (!problem) {
        return std::nullopt;
    }
    return bad_plan("worker '" + plan.name + "' cannot get a successor: " + *problem);
}

// The same instance with other parameters.
std::optional<Refusal> Core::begin_reconfiguration(Slot& slot,
                                                   std::shared_ptr<const WorkerPlan> plan) {
    if (std::optional<Refusal> refused = swap_refusal(slot)) {
        return refused;
    }
    Swap swap{static_cast<const Version&>(slot), nullptr, false, false};
    swap.other.plan = std::move(plan);
    if (slot.worker != nullptr) {
        swap.handover = std::make_shared<Handover>(slot.plan->live, swap.other.plan->live);
    }
    return set_swap(slot, std::move(swap));
}

std::optional<Refusal> Core::swap_refusal(const Slot& slot) const {
    if (slot.swap && !slot.swap->is_committed) {
        return in_between(slot);
    }
    if (slot.swap && slot.swap->is_hanging && is_in_that_call(slot)) {
        return Refusal{Refusal::Code::illegal_state,
                       "worker '" + slot.home->name +
                           "' has not come back from the call in which its probation ended"};
    }
    if (slot.state != WorkerState::running && slot.state != WorkerState::paused &&
        !is_at_rest(slot.state) && slot.state != WorkerState::created) {
        return cannot("exchange", slot);
    }
    return std::nullopt;
}

// The probation of the swap before ends here, when all else is in order.
std::optional<Refusal> Core::set_swap(Slot& slot, Swap swap) {
    if (slot.swap) {
        end_probation(slot);
        if (slot.swap) {
            return in_between(slot);
        }
    }
    slot.swap = std::move(swap);
    slot.launch_part = LaunchPart::swap;
    return std::nullopt;
}

// It gets a place of its own where the plan says another one than there is, or where the thread
// there is would keep a plugin mapped.
Core::Spare Core::spare_for(const Slot& slot) const {
    const Version& next = slot.swap->other;
    Spare made;
    made.worker = slot.home->name;
    made.owner = slot.worker;
    made.instance = slot.worker->make_successor(
        {next.generation, next.library, next.type, next.plan->config, next.plan->live});
    const auto pins_on = [](const Library& library) {
        return library.info().thread_exits || !library.info().thread_keys.empty();
    };
    const bool pins = pins_on(*slot.library) || pins_on(*next.library);
    if (next.pool != nullptr && next.pool != slot.pool) {
        made.place.seat = slot.home->parker->seat_in(*next.pool);
    } else if (next.pool == nullptr && (pins || slot.plan->run != next.plan->run ||
                                        slot.info()->is_loop != next.info()->is_loop)) {
        made.place.thread = slot.worker->make_thread();
        made.placement = placement_of(next.plan->run);
    }
    return made;
}

// All on one thread, one after the other; the workers go on meanwhile.
void Core::create_successors() {
    const auto creation = std::make_shared<Creation>();
    for (Slot* const slot : launch_->swaps) {
        if (slot->worker != nullptr && slot->swap->handover == nullptr) {
            creation->spares.push_back(spare_for(*slot));
        }
    }
    if (creation->spares.empty()) {
        return;
    }
    launch_->making += 1;  // all of them at once
    launch_->creation = creation;
    const Result<Done, std::string> started = try_aside(
        [creation] { return "worker '" + creation->spares[creation->at].worker + "' in create"; },
        [creation] {
            for (std::size_t i = 0; i < creation->spares.size(); ++i) {
                Spare& it = creation->spares[i];
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
        [this, creation, number = launch_->number] { on_created(number, creation->spares); });
    if (!started) {
        undo_launch(bad_plan("worker '" + creation->spares.front().worker +
                             "' cannot be created: " + started.error()));
    }
}

// [aside]
void Core::start_thread_of(Spare& spare) {
    pthread_setname_np(pthread_self(), ended_thread_name);  // it begins with the same name
    const auto started = spare.owner->start_standby(*spare.place.thread, spare.placement);
    if (!started) {
        spare.error = started.error();
    }
}

void Core::on_created(std::uint64_t launch, std::vector<Spare>& spares) {
    const bool is_wanted = launch_ && launch_->number == launch;
    std::optional<Refusal> failed;
    for (Spare& it : spares) {
        Slot* const slot = find(it.worker);
        if (!it.error.empty()) {
            failed = bad_plan("worker '" + it.worker + "' failed: " + it.error);
        }
        if (!is_wanted || failed) {
            discard(std::move(it));
        } else {
            slot->swap->handover = std::make_shared<Handover>(std::move(it.instance));
            slot->swap->handover->place = std::move(it.place);
            if (slot->swap->drops_state) {
                slot->swap->handover->drop_state();
            }
        }
    }
    spares.clear();
    if (!is_wanted) {
        return;
    }
    if (failed) {
        undo_launch(*failed);
        return;
    }
    --launch_->making;
    continue_launch();
}

// A swap that stands alone is decided by its worker, which then need not wait for the manager.
void Core::offer_successors() {
    Launch& launch = *launch_;
    if (launch.swaps.empty()) {
        return;
    }
    Slot& first = *launch.swaps.front();
    const bool stands_alone = launch.swaps.size() == 1 && launch.starts.empty() &&
                              launch.to_remove.empty() && plan_->routes == launch.next->routes &&
                              first.worker != nullptr && first.state == WorkerState::running &&
                              !first.wants_pause &&
                              has_same_ports(*first.swap->other.info(), *first.info());
    if (stands_alone) {
        first.swap->handover->set_holds(false);
    }
    Nanos longest{0};
    for (const Slot* const slot : launch.swaps) {
        longest = std::max(longest, slot->swap->other.plan->quiesce.value_or(limits_.take));
    }
    launch.deadline = deadline_after(clock_.now(), longest);
    launch.waves = waves_of(launch.swaps);
    offer_wave();
}

// Who sends before who receives. A sender that waits for room comes to a boundary only while those
// it waits for go on: had they taken over already, they would stand still, and all would wait for
// each other. Within a cycle there is no such order, and none is needed while it has room.
std::deque<std::vector<Slot*>> Core::waves_of(const std::vector<Slot*>& swaps) const {
    std::vector<bool> has_swap(flow_.size());
    for (const Slot* const slot : swaps) {
        has_swap[*slot->group] = true;
    }
    std::vector<std::size_t> wave(flow_.size());
    for (std::size_t i = flow_.size(); i-- > 0;) {  // senders stand behind their receivers
        for (const std::size_t up : flow_[i].upstream) {
            wave[i] = std::max(wave[i], wave[up] + (has_swap[up] ? 1 : 0));
        }
    }
    std::map<std::size_t, std::vector<Slot*>> ordered;
    for (Slot* const slot : swaps) {
        ordered[wave[*slot->group]].push_back(slot);
    }
    std::deque<std::vector<Slot*>> waves;
    for (auto& [number, slots] : ordered) {
        waves.push_back(std::move(slots));
    }
    return waves;
}

void Core::offer_wave() {
    Launch& launch = *launch_;
    while (launch.taking == 0 && !launch.waves.empty()) {
        for (Slot* const slot : launch.waves.front()) {
            if (slot->swap->handover != nullptr) {
                ++launch.taking;
                slot->worker->offer(slot->swap->handover);
            }
        }
        launch.waves.pop_front();
    }
}

void Core::on_swapped(Slot& slot) {
    const std::shared_ptr<Handover> handover = slot.swap->handover;
    if (handover->stage() == Stage::refused) {
        const std::string kept = handover->is_reconfiguration() ? "parameters" : "instance";
        const std::string why =
            "worker '" + slot.home->name + "' keeps its " + kept + ": " + handover->error;
        if (launch_ && slot.launch_part == LaunchPart::swap) {
            undo_launch(bad_plan(why));
        }
        end_swap(slot);
        return;
    }
    if (launch_ && slot.launch_part == LaunchPart::swap) {
        --launch_->taking;
        offer_wave();
        if (launch_->taking == 0) {
            commit_launch();
        }
    } else if (handover->stage() == Stage::committed) {  // alone, and before it was withdrawn
        commit_swap(slot);
        adopt_version_of(slot);
        resume_swapped(slot);
    }
}

// The worker's version is the successor's.
void Core::commit_swap(Slot& slot) {
    Swap& swap = *slot.swap;
    slot.launch_part = LaunchPart::none;
    swap.is_committed = true;
    if (swap.handover == nullptr) {  // it has no thread, and no instance
        slot.exchange_with(swap.other);
        slot.generation = swap.other.generation;  // the next start counts it
        slot.swap.reset();
        close_unused_libraries();
        return;
    }
    slot.exchange_with(swap.other);
    (void)swap.handover->move(Stage::tentative, Stage::committed);
    if (swap.handover->is_reconfiguration()) {
        spdlog::info("{}@{}: has other parameters", slot.home->name, slot.generation);
        end_probation(slot);
        return;
    }
    ++slot.swaps;
    slot.last_swap = {
        swap.handover->blackout, swap.handover->state.size(), slot.home->mailbox->counts().queued};
    spdlog::info("{}@{}: took over from generation {} in {:.1f} us, with {} bytes of state",
                 slot.home->name,
                 slot.generation,
                 swap.other.generation,
                 std::chrono::duration<double, std::micro>(slot.last_swap->blackout).count(),
                 slot.last_swap->state_bytes);
    if (swap.drops_state) {
        spdlog::warn("{}@{}: begins anew, as it cannot take the state of generation {}",
                     slot.home->name,
                     slot.generation,
                     swap.other.generation);
    }
}

// Routes and all are as its version wants them. One that had failed, or come to its end, begins
// again; one that an operator has stopped, or that was never started, waits for its start.
void Core::resume_swapped(Slot& slot) {
    if (slot.swap) {
        begin_probation(slot);
    }
    if (slot.worker != nullptr) {
        obey_wish(slot);
    } else if (slot.state != WorkerState::created && !slot.is_stopped_by_operator && !is_ending()) {
        spdlog::info("{}: begins anew: its last instance has {}",
                     slot.home->name,
                     slot.state == WorkerState::failed ? "failed" : "ended");
        start(slot.home->name, [](const Answer<Done>&) {});
    }
}

// The plan in force says what the slot runs.
void Core::adopt_version_of(const Slot& slot) {
    auto patched = std::make_shared<Plan>(*plan_);
    *std::find_if(patched->workers.begin(), patched->workers.end(), [&](const auto& it) {
        return it.name == slot.home->name;
    }) = *slot.plan;
    adopt(std::move(patched));
    rewire();  // its ports may be others, and its place
}

// The launch is undone. A worker that has not begun to take over never will; one that has goes back
// when it sees its next command, and says so.
void Core::withdraw_swap(Slot& slot) {
    slot.launch_part = LaunchPart::none;
    const std::shared_ptr<Handover> handover = slot.swap->handover;
    if (handover == nullptr || handover->move(Stage::offered, Stage::closed)) {
        end_swap(slot);
    }
    if (slot.worker != nullptr && handover != nullptr) {
        obey_wish(slot);
    }
}

}  // namespace skep::host
