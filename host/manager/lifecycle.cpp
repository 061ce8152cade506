#include <algorithm>

#include <spdlog/spdlog.h>

#include "host/base/assert.hpp"
#include "host/manager/core.hpp"
#include "host/manager/route_builder.hpp"

namespace skep::host {

namespace {

// Returns the thread id of a worker with its own thread. A worker on a pool has none; its key comes
// from its order.
pid_t lost_key(const WorkerEntry& entry) {
    const pid_t thread = entry.worker->thread_id();
    return thread != 0 ? thread : -1 - static_cast<pid_t>(entry.order);
}

Refusal ended_meanwhile(const WorkerEntry& entry, const WorkerReport& fact) {
    return {Refusal::Code::illegal_state,
            "worker '" + entry.home->name + "' ended before its successor became active" +
                (fact.error.empty() ? "" : ": " + fact.error)};
}

}  // namespace

bool Core::can(const WorkerEntry& entry, WorkerEvent event) const {
    return next_state(entry.state, event).has_value();
}

// The only function that changes the state of an entry.
void Core::set_state(WorkerEntry& entry, WorkerEvent event) {
    const std::optional<WorkerState> next = next_state(entry.state, event);
    SKEP_ASSERT(next.has_value());
    spdlog::debug("worker '{}'@{}: {} -> {}",
                  entry.home->name,
                  entry.generation,
                  name_of(entry.state),
                  name_of(*next));
    entry.state = *next;
}

WorkerEntry& Core::add_entry(std::shared_ptr<const WorkerPlan> shared, std::shared_ptr<Pool> pool) {
    const WorkerPlan& plan = *shared;
    auto entry = std::make_unique<WorkerEntry>();
    entry->plan = std::move(shared);
    entry->pool = std::move(pool);
    entry->order = entries_made_++;
    const auto parker = std::make_shared<ForwardingParker>(clock_.make_parker());
    entry->home = std::make_shared<const WorkerHome>(
        WorkerHome{plan.name,
                   std::make_shared<Mailbox>(parker, plan.mailbox),
                   std::make_shared<WorkerCounters>(),
                   parker});
    entry->home->mailbox->set_byte_bound(plan.queue_bytes);
    return *entries_.emplace(plan.name, std::move(entry)).first->second;
}

void Core::rewire() {
    const std::shared_ptr<const Plan> plan = plan_with_leaving();
    world_.router->publish(
        build_route_table(*plan, *world_.names, rings_, [this](const std::string& worker) {
            const WorkerEntry& entry = *find(worker);
            return RoutedWorker{
                entry.home->mailbox, entry.order, entry.pool != nullptr, entry.info()};
        }));
}

void Core::start_worker(WorkerEntry& entry) {
    set_state(entry, WorkerEvent::start);
    ++entry.generation;
    entry.error.clear();
    entry.is_stopped_by_operator = false;
    entry.wants_pause = false;
    entry.deadline.reset();
    entry.give_up_at.reset();
    entry.started = clock_.now();
    entry.started_wall = std::chrono::system_clock::now();
    entry.ended.reset();
    entry.ended_wall.reset();
    entry.hang_watch = {};
    if (!next_hang_look_) {
        watch_for_hangs();
    }
    entry.worker = std::make_shared<Worker>(
        world_,
        entry.home,
        Worker::Spec{
            entry.order,
            entry.pool != nullptr ? entry.home->parker->seat_in(*entry.pool) : nullptr,
            pools_.placement_of(entry.plan->run),
            {entry.generation, entry.library, entry.type, entry.plan->config, entry.plan->live}},
        report_);
    const Result<Done, std::string> started = entry.worker->start();
    if (!started) {
        entry.worker.reset();
        on_ended(entry, true, started.error());
        return;
    }
    set_state(entry, WorkerEvent::loaded);
}

// Ignores reports of an earlier worker of the same name: a lost thread of it may be in the same
// generation, but its order differs.
void Core::on_report(const WorkerReport& fact) {
    if (fact.kind == WorkerReport::Kind::left) {
        end_lost_calls();
        return;
    }
    WorkerEntry* const entry = find(fact.worker);
    if (entry == nullptr || entry->order != fact.order || entry->worker == nullptr ||
        entry->worker->start_generation() != fact.start) {
        return;
    }
    switch (fact.kind) {
        case WorkerReport::Kind::ready:
            if (entry->state == WorkerState::starting) {
                on_ready(*entry);
            }
            break;
        case WorkerReport::Kind::held:
            if (entry->state == WorkerState::pausing && entry->pause_epoch == fact.epoch) {
                set_state(*entry, WorkerEvent::held);
                answer_all(entry->waiting_for_pause, Done{});
                needs_advance_ = true;  // it may have finished its last message
            }
            break;
        case WorkerReport::Kind::left:
            break;  // see above
        case WorkerReport::Kind::idle:
            look_again();
            break;
        case WorkerReport::Kind::swapped:
            on_swapped(*entry);
            needs_advance_ = true;
            break;
        case WorkerReport::Kind::reverted:
            on_reverted(*entry);
            needs_advance_ = true;
            break;
        case WorkerReport::Kind::ended:
            if (entry->change_part == ChangePart::swap) {
                undo_change(ended_meanwhile(*entry, fact));
            }
            if (entry->swap) {
                const auto& handover = entry->swap->handover;
                // The rollback comes too late: the worker reaches no further boundary.
                (void)handover->move(Handover::Phase::recalled, Handover::Phase::committed);
                end_probation(*entry);
            }
            if (entry->state == WorkerState::lost) {
                lost_threads_.erase(lost_key(*entry));
            } else {
                entry->worker->join();
            }
            entry->cpu = entry->worker->cpu();
            entry->note_beginning();
            entry->worker.reset();
            on_ended(*entry, fact.has_failed, fact.error);
            break;
    }
}

void Core::on_ready(WorkerEntry& entry) {
    if (!change_ || entry.change_part != ChangePart::making) {
        release(entry);
        return;
    }
    entry.change_part = ChangePart::made;
    --change_->making;
    continue_change();
}

// Lets a created worker run, which has waited for the others.
void Core::release(WorkerEntry& entry) {
    if (entry.wants_pause) {
        set_state(entry, WorkerEvent::held);
        answer_all(entry.waiting_for_pause, Done{});
    } else {
        set_state(entry, WorkerEvent::ready);
        entry.worker->request(Command::run);
    }
    answer_all(entry.waiting_for_run, Done{});
    needs_advance_ = true;
}

// Sends the wanted state to a worker that is paused or runs. During an undecided swap this waits: a
// new command would replace Command::swap.
void Core::send_command(WorkerEntry& entry) {
    const bool is_recalled = entry.swap && entry.swap->handover != nullptr &&
                             entry.swap->handover->phase() == Handover::Phase::recalled;
    if (entry.change_part == ChangePart::swap || is_recalled) {
        return;
    }
    const bool stands = entry.state == WorkerState::pausing || entry.state == WorkerState::paused;
    if (entry.state == WorkerState::running && entry.wants_pause) {
        set_state(entry, WorkerEvent::pause);
        entry.pause_epoch = entry.worker->request(Command::hold);
    } else if (stands && !entry.wants_pause) {
        set_state(entry, WorkerEvent::resume);
        (void)entry.worker->request(Command::run);
    } else if (entry.state == WorkerState::pausing) {
        entry.pause_epoch = entry.worker->request(Command::hold);
    } else if (entry.state == WorkerState::paused) {
        (void)entry.worker->request(Command::hold);
    } else if (entry.state == WorkerState::running) {
        (void)entry.worker->request(Command::run);
    }
}

void Core::on_ended(WorkerEntry& entry, bool has_failed, const std::string& error) {
    has_anything_ended_ = true;
    set_state(entry, has_failed ? WorkerEvent::failed : WorkerEvent::exited);
    entry.error = error;
    entry.ended = clock_.now();
    entry.ended_wall = std::chrono::system_clock::now();
    entry.deadline.reset();
    entry.home->mailbox->close();
    if (const std::uint64_t rest = entry.home->mailbox->dead_letter_rest(); rest > 0) {
        spdlog::warn("worker '{}'@{}: {} queued messages became dead letters",
                     entry.home->name,
                     entry.generation,
                     rest);
    }
    const bool is_launching = entry.change_part != ChangePart::none;
    const std::string why = "worker '" + entry.home->name + "' failed: " + error;
    if (has_failed) {
        add(entry.home->counters->errors, 1);
        if (!is_launching) {  // otherwise the refusal of the plan reports the failure
            spdlog::error("{}", why);
        }
    }
    const Answer<Done> answer =
        has_failed ? Answer<Done>(Unexpected<Refusal>({Refusal::Code::illegal_state, why}))
                   : Answer<Done>(Done{});
    answer_all(entry.waiting_for_run,
               has_failed ? answer : Unexpected<Refusal>(cannot("run", entry)));
    answer_all(entry.waiting_for_pause, Unexpected<Refusal>(cannot("pause", entry)));
    answer_all(entry.waiting_for_end, answer);  // last, because a completion may restart the worker
    needs_advance_ = true;
    if (is_launching) {
        undo_change(has_failed ? bad_plan(why) : cannot("run", entry));
    } else if (has_failed && entry.plan->on_failure == OnFailure::stop_host) {
        stop_host(plan_->stop_grace, Ending::Cause::failed, why);
    }
}

// Ends a worker after its queued messages; it accepts no new ones. A paused worker runs again for
// this.
void Core::drain(WorkerEntry& entry) {
    if (entry.state == WorkerState::draining || entry.state == WorkerState::stopping) {
        return;
    }
    entry.home->mailbox->close();
    set_state(entry, WorkerEvent::drain);
    if (entry.worker == nullptr) {  // this worker never ran
        answer_all(entry.waiting_for_end, Done{});
        entry.deadline.reset();
        needs_advance_ = true;
        return;
    }
    entry.worker->request(entry.state == WorkerState::draining ? Command::drain : Command::stop);
    if (entry.state == WorkerState::stopping) {
        set_give_up(entry);
    }
}

// Drains one worker while the host continues.
void Core::drain_alone(WorkerEntry& entry) {
    const StopTimes times = stop_times(entry.plan->stop_grace.value_or(plan_->stop_grace));
    const Nanos now = clock_.now();
    entry.give_up_at =
        std::min(entry.give_up_at.value_or(forever), deadline_after(now, times.give_up));
    set_deadline(entry,
                 std::min(entry.deadline.value_or(forever), deadline_after(now, times.drain)));
    drain(entry);
}

void Core::stop_now(WorkerEntry& entry) {
    entry.home->mailbox->close();
    set_state(entry, WorkerEvent::stop);
    entry.worker->request(Command::stop);
    set_give_up(entry);
}

// Sets the time at which a worker is lost if it has not returned, by its grace and the host's.
void Core::set_give_up(WorkerEntry& entry) {
    const Nanos without_grace = deadline_after(clock_.now(), stop_times(Nanos(0)).give_up);
    const Nanos latest = std::min(entry.give_up_at.value_or(forever), give_up_at_);
    set_deadline(entry, latest == forever ? without_grace : latest);
}

void Core::lose(WorkerEntry& entry) {
    set_state(entry, WorkerEvent::lost);
    entry.error = "did not stop in time";
    entry.deadline.reset();
    lost_threads_.emplace(lost_key(entry), entry.home->name);
    entry.worker->give_up();
    spdlog::error("worker '{}'@{}: did not stop in time; its thread is abandoned",
                  entry.home->name,
                  entry.generation);
    entry.home->mailbox->dead_letter_rest();
    answer_all(entry.waiting_for_end, Unexpected<Refusal>(cannot("stop", entry)));
    answer_all(entry.waiting_for_pause, Unexpected<Refusal>(cannot("pause", entry)));
    needs_advance_ = true;
}

}  // namespace skep::host
