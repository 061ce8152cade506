#include <algorithm>

#include <spdlog/spdlog.h>

#include "host/base/assert.hpp"
#include "host/manager/core.hpp"
#include "host/manager/wiring.hpp"

namespace skep::host {

namespace {

// A thread of its own has an id; what is lost on a pool has none, but its place in all listings.
pid_t lost_key(const Slot& slot) {
    const pid_t thread = slot.worker->thread_id();
    return thread != 0 ? thread : -1 - static_cast<pid_t>(slot.order);
}

Refusal ended_meanwhile(const Slot& slot, const Fact& fact) {
    return {Refusal::Code::illegal_state,
            "worker '" + slot.home->name + "' ended before its successor could take over" +
                (fact.error.empty() ? "" : ": " + fact.error)};
}

}  // namespace

bool Core::can(const Slot& slot, WorkerEvent event) const {
    return next_state(slot.state, event).has_value();
}

// The one setter.
void Core::set_state(Slot& slot, WorkerEvent event) {
    const std::optional<WorkerState> next = next_state(slot.state, event);
    SKEP_ASSERT(next.has_value());
    spdlog::debug(
        "{}@{}: {} -> {}", slot.home->name, slot.generation, name_of(slot.state), name_of(*next));
    slot.state = *next;
}

Slot& Core::add_slot(std::shared_ptr<const WorkerPlan> shared, std::shared_ptr<Pool> pool) {
    const WorkerPlan& plan = *shared;
    auto slot = std::make_unique<Slot>();
    slot->plan = std::move(shared);
    slot->pool = std::move(pool);
    slot->order = slots_made_++;
    const auto parker = std::make_shared<ForwardingParker>(clock_.make_parker());
    slot->home = std::make_shared<const WorkerHome>(
        WorkerHome{plan.name,
                   std::make_shared<Mailbox>(parker, plan.mailbox),
                   std::make_shared<WorkerCounters>(),
                   parker});
    slot->home->mailbox->set_byte_bound(plan.queue_bytes);
    return *slots_.emplace(plan.name, std::move(slot)).first->second;
}

void Core::rewire() {
    const std::shared_ptr<const Plan> plan = plan_with_leaving();
    world_.router->publish(wire(*plan, *world_.names, rings_, [this](const std::string& worker) {
        const Slot& slot = *find(worker);
        return WiredWorker{slot.home->mailbox, slot.order, slot.pool != nullptr, slot.info()};
    }));
}

void Core::launch(Slot& slot) {
    set_state(slot, WorkerEvent::start);
    ++slot.generation;
    slot.error.clear();
    slot.is_stopped_by_operator = false;
    slot.wants_pause = false;
    slot.deadline.reset();
    slot.give_up_at.reset();
    slot.started = clock_.now();
    slot.started_wall = std::chrono::system_clock::now();
    slot.ended.reset();
    slot.ended_wall.reset();
    slot.hang_watch = {};
    if (!next_hang_look_) {
        watch_for_hangs();
    }
    slot.worker = std::make_shared<Worker>(
        world_,
        slot.home,
        Worker::Spec{
            slot.order,
            slot.pool != nullptr ? slot.home->parker->seat_in(*slot.pool) : nullptr,
            placement_of(slot.plan->run),
            {slot.generation, slot.library, slot.type, slot.plan->config, slot.plan->live}},
        report_);
    const Result<Done, std::string> started = slot.worker->start();
    if (!started) {
        slot.worker.reset();
        on_ended(slot, true, started.error());
        return;
    }
    set_state(slot, WorkerEvent::loaded);
}

// A slot may be younger than a lost thread of its name, and both in their first generation: the
// order tells.
void Core::on_fact(const Fact& fact) {
    Slot* const slot = find(fact.worker);
    if (slot == nullptr || slot->order != fact.order || slot->worker == nullptr ||
        slot->worker->start_generation() != fact.start) {
        return;
    }
    switch (fact.kind) {
        case Fact::Kind::ready:
            if (slot->state == WorkerState::starting) {
                on_ready(*slot);
            }
            break;
        case Fact::Kind::held:
            if (slot->state == WorkerState::pausing && slot->pause_epoch == fact.epoch) {
                set_state(*slot, WorkerEvent::held);
                answer_all(slot->waiting_for_pause, Done{});
                needs_advance_ = true;  // it may have finished its last message
            }
            break;
        case Fact::Kind::idle:
            look_again();
            break;
        case Fact::Kind::swapped:
            on_swapped(*slot);
            needs_advance_ = true;
            break;
        case Fact::Kind::reverted:
            on_reverted(*slot);
            needs_advance_ = true;
            break;
        case Fact::Kind::ended:
            if (slot->launch_part == LaunchPart::swap) {
                undo_launch(ended_meanwhile(*slot, fact));
            }
            if (slot->swap) {
                const auto& handover = slot->swap->handover;
                // Recalled too late: it is not coming to a boundary any more.
                (void)handover->move(Handover::Stage::recalled, Handover::Stage::committed);
                end_probation(*slot);
            }
            if (slot->state == WorkerState::lost) {
                lost_threads_.erase(lost_key(*slot));
            } else {
                slot->worker->join();
            }
            slot->cpu = slot->worker->cpu();
            slot->note_beginning();
            slot->worker.reset();
            on_ended(*slot, fact.has_failed, fact.error);
            break;
    }
}

void Core::on_ready(Slot& slot) {
    if (!launch_ || slot.launch_part != LaunchPart::making) {
        release(slot);
        return;
    }
    slot.launch_part = LaunchPart::made;
    --launch_->making;
    continue_launch();
}

// Lets a worker go that has been made and holds.
void Core::release(Slot& slot) {
    if (slot.wants_pause) {
        set_state(slot, WorkerEvent::held);
        answer_all(slot.waiting_for_pause, Done{});
    } else {
        set_state(slot, WorkerEvent::ready);
        slot.worker->request(Wanted::run);
    }
    answer_all(slot.waiting_for_run, Done{});
    needs_advance_ = true;
}

// What is wanted of a worker that stands still or runs. Between two generations that waits until it
// is decided which one it is: another command would stand in for Wanted::swap.
void Core::obey_wish(Slot& slot) {
    const bool is_recalled = slot.swap && slot.swap->handover != nullptr &&
                             slot.swap->handover->stage() == Handover::Stage::recalled;
    if (slot.launch_part == LaunchPart::swap || is_recalled) {
        return;
    }
    const bool stands = slot.state == WorkerState::pausing || slot.state == WorkerState::paused;
    if (slot.state == WorkerState::running && slot.wants_pause) {
        set_state(slot, WorkerEvent::pause);
        slot.pause_epoch = slot.worker->request(Wanted::hold);
    } else if (stands && !slot.wants_pause) {
        set_state(slot, WorkerEvent::resume);
        (void)slot.worker->request(Wanted::run);
    } else if (slot.state == WorkerState::pausing) {
        slot.pause_epoch = slot.worker->request(Wanted::hold);
    } else if (slot.state == WorkerState::paused) {
        (void)slot.worker->request(Wanted::hold);
    } else if (slot.state == WorkerState::running) {
        (void)slot.worker->request(Wanted::run);
    }
}

void Core::on_ended(Slot& slot, bool has_failed, const std::string& error) {
    has_anything_ended_ = true;
    set_state(slot, has_failed ? WorkerEvent::failed : WorkerEvent::exited);
    slot.error = error;
    slot.ended = clock_.now();
    slot.ended_wall = std::chrono::system_clock::now();
    slot.deadline.reset();
    slot.home->mailbox->close();
    if (const std::uint64_t rest = slot.home->mailbox->dead_letter_rest(); rest > 0) {
        spdlog::warn("{}@{}: {} queued messages became dead letters",
                     slot.home->name,
                     slot.generation,
                     rest);
    }
    const bool is_launching = slot.launch_part != LaunchPart::none;
    const std::string why = "worker '" + slot.home->name + "' failed: " + error;
    if (has_failed) {
        add(slot.home->counters->errors, 1);
        if (!is_launching) {  // then whoever asked for the plan is told
            spdlog::error("{}", why);
        }
    }
    const Answer<Done> answer =
        has_failed ? Answer<Done>(Unexpected<Refusal>({Refusal::Code::illegal_state, why}))
                   : Answer<Done>(Done{});
    answer_all(slot.waiting_for_run,
               has_failed ? answer : Unexpected<Refusal>(cannot("run", slot)));
    answer_all(slot.waiting_for_pause, Unexpected<Refusal>(cannot("pause", slot)));
    answer_all(slot.waiting_for_end, answer);  // the last: one of them may start it again
    needs_advance_ = true;
    if (is_launching) {
        undo_launch(has_failed ? bad_plan(why) : cannot("run", slot));
    } else if (has_failed && slot.plan->on_failure == OnFailure::stop_host) {
        stop_host(plan_->stop_grace, Ending::Cause::failed, why);
    }
}

// No new work from now on; what is queued is finished. A worker that is held goes on for that.
void Core::drain(Slot& slot) {
    if (slot.state == WorkerState::draining || slot.state == WorkerState::stopping) {
        return;
    }
    slot.home->mailbox->close();
    set_state(slot, WorkerEvent::drain);
    if (slot.worker == nullptr) {  // it never ran
        answer_all(slot.waiting_for_end, Done{});
        slot.deadline.reset();
        needs_advance_ = true;
        return;
    }
    slot.worker->request(slot.state == WorkerState::draining ? Wanted::drain : Wanted::stop);
    if (slot.state == WorkerState::stopping) {
        set_give_up(slot);
    }
}

// While the host goes on.
void Core::drain_alone(Slot& slot) {
    const StopTimes times = stop_times(slot.plan->stop_grace.value_or(plan_->stop_grace));
    const Nanos now = clock_.now();
    slot.give_up_at =
        std::min(slot.give_up_at.value_or(forever), deadline_after(now, times.give_up));
    set_deadline(slot, std::min(slot.deadline.value_or(forever), deadline_after(now, times.drain)));
    drain(slot);
}

void Core::stop_now(Slot& slot) {
    slot.home->mailbox->close();
    set_state(slot, WorkerEvent::stop);
    slot.worker->request(Wanted::stop);
    set_give_up(slot);
}

// When it is lost, unless it comes back: by the grace that it was given, and by the host's.
void Core::set_give_up(Slot& slot) {
    const Nanos without_grace = deadline_after(clock_.now(), stop_times(Nanos(0)).give_up);
    const Nanos latest = std::min(slot.give_up_at.value_or(forever), give_up_at_);
    set_deadline(slot, latest == forever ? without_grace : latest);
}

void Core::lose(Slot& slot) {
    set_state(slot, WorkerEvent::lost);
    slot.error = "did not stop in time";
    slot.deadline.reset();
    lost_threads_.emplace(lost_key(slot), slot.home->name);
    slot.worker->give_up();
    spdlog::error("{}@{}: did not stop in time; its thread is given up for lost",
                  slot.home->name,
                  slot.generation);
    slot.home->mailbox->dead_letter_rest();
    answer_all(slot.waiting_for_end, Unexpected<Refusal>(cannot("stop", slot)));
    answer_all(slot.waiting_for_pause, Unexpected<Refusal>(cannot("pause", slot)));
    needs_advance_ = true;
}

}  // namespace skep::host
