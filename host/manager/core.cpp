#include "host/manager/core.hpp"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include <spdlog/spdlog.h>

#include "host/manager/revisions.hpp"

namespace skep::host {

namespace {

Refusal ended_meanwhile(const WorkerEntry& entry, const WorkerReport& report) {
    return {Refusal::Code::illegal_state,
            "worker '" + entry.home->name + "' ended before its successor became active" +
                (report.error.empty() ? "" : ": " + report.error)};
}

}  // namespace

Core::Core(Clock& clock,
           Loader& loader,
           Manager::When ends,
           const Manager::Limits& limits,
           ManagerObserver* observer)
    : parker_(clock.make_parker()),
      queue_(std::make_shared<EventQueue>(parker_)),
      parts_({&clock,
              std::make_shared<Router>(),
              std::make_shared<NamePool>(),
              std::make_shared<Taps>(),
              std::make_shared<RestWatch>(
                  [this, queue = queue_] { (void)queue->post([this] { end_.look_again(); }); })},
             loader,
             limits,
             observer,
             queue_,
             std::make_shared<const Worker::Report>([this, queue = queue_](WorkerReport report) {
                 // False: the host has ended without this thread, and the report is dropped.
                 (void)queue->post([this, report = std::move(report)] { on_report(report); });
             })),
      end_(parts_.world, ends, parts_.table, parts_.plan, parts_.schedule),
      hangs_(clock, parts_.table),
      sender_(parts_.world, parts_.table) {
    parker_->attach();
}

void Core::loop() {
    while (!(end_.is_ending() && parts_.table.entries().empty() && parts_.helpers.empty())) {
        const std::uint32_t ticket = parker_->prepare();
        const std::vector<EventQueue::Action> actions = queue_->take();
        for (const auto& action : actions) {
            action();
            settle_change();
        }
        tick();
        if (parts_.table.take_change()) {
            if (change_ == nullptr) {  // no worker ends before all have begun
                end_.advance();
                retire_what_is_gone();
            }
        } else if (actions.empty()) {
            parker_->park(ticket, next_deadline());
        }
    }
    for (const auto& action : queue_->close()) {
        action();  // answers the requests that came in time
        settle_change();
    }
    parker_->detach();
    Ending ending = end_.ending();
    ending.lost = parts_.lost.abandon();
    ended_.set_value(std::move(ending));
}

Ending Core::wait() {
    return ended_future_.get();
}

Nanos Core::next_deadline() const {
    return std::min({parts_.table.next_deadline(),
                     parts_.probations.next_deadline(),
                     parts_.schedule.next(),
                     parts_.pools.next_look().value_or(forever),
                     change_ == nullptr ? forever : change_->deadline(),
                     end_.next_look(),
                     hangs_.next(),
                     helpers_deadline_});
}

void Core::tick() {
    const Nanos now = parts_.clock.now();
    for (WorkerEntry* const entry : parts_.table.take_late(now)) {
        if (entry->state == WorkerState::stopping) {
            parts_.table.lose(*entry);
        } else {
            parts_.table.stop_now(*entry);
        }
    }
    run_schedule();
    if (change_ != nullptr) {
        change_->check(now);
        settle_change();
    }
    parts_.probations.end_due(now);
    if (end_.is_ending() && parts_.table.entries().empty()) {
        helpers_deadline_ = std::min(
            {helpers_deadline_, parts_.table.give_up_at(), now + stop_times(Nanos(0)).give_up});
        if (helpers_deadline_ <= now) {
            for (HelperThreads::Lost& it : parts_.helpers.abandon()) {
                parts_.lost.add(it.thread, std::move(it.what));
            }
        }
    }
    if (parts_.pools.next_look() && *parts_.pools.next_look() <= now) {
        parts_.pools.look(*parts_.plan);
    }
    hangs_.begin();
    hangs_.look(now);
    end_.check_look(now);
}

void Core::run_schedule() {
    while (!end_.is_ending()) {
        const std::optional<SchedulePlan> entry = parts_.schedule.take_due(parts_.clock.now());
        if (!entry) {
            return;
        }
        parts_.table.note_change();  // workers that waited for the last entry may end
        const Completion log_refusal = [](const Answer<Done>& answer) {
            if (!answer) {
                spdlog::warn("schedule: {}", answer.error().message);
            }
        };
        switch (entry->action) {
            case ScheduleAction::pause:
                pause(entry->worker, false, log_refusal);
                break;
            case ScheduleAction::resume:
                resume(entry->worker, log_refusal);
                break;
            case ScheduleAction::send:
                log_refusal(send(entry->worker, entry->message));
                break;
            case ScheduleAction::broadcast:
                if (const Answer<std::size_t> taken = broadcast(entry->message)) {
                    spdlog::info("schedule: {} workers accepted the broadcast", *taken);
                } else {
                    spdlog::warn("schedule: {}", taken.error().message);
                }
                break;
            case ScheduleAction::stop:
                if (entry->worker.empty()) {
                    stop_host(parts_.plan->stop_grace, Ending::Cause::stopped, "");
                } else {
                    stop(entry->worker, log_refusal);
                }
                break;
        }
    }
}

// After a change is over: starts the workers that wait for it, and answers the request.
void Core::settle_change() {
    if (change_ == nullptr || !change_->is_over()) {
        return;
    }
    const std::shared_ptr<const PlanChange> over = std::exchange(change_, nullptr);
    for (const std::string& worker : over->restarts()) {
        start(worker, [](const Answer<Done>&) {});
    }
    over->answer();
}

// Returns the refusal for a missing worker: it is unknown, or the end of the host has removed it.
Refusal Core::absent(const std::string& worker) const {
    return end_.is_work_done() ? *end_.refusal() : unknown(worker);
}

// -- Requests. --

void Core::apply(PlanChange::Order order) {
    std::optional<Refusal> refused = end_.refusal();
    if (!refused && change_ != nullptr) {
        refused = Refusal{Refusal::Code::illegal_state, "a plan is being applied"};
    }
    if (!refused) {
        order.number = ++changes_begun_;
        auto change = std::make_shared<PlanChange>(parts_, order);
        refused = change->prepare();
        if (!refused) {
            change_ = std::move(change);
            change_->begin();
            return;
        }
    }
    order.reply(Unexpected<Refusal>(*refused));
}

void Core::rollback(PlanChange::Reply reply, StateLoss loss) {
    if (std::shared_ptr<const Plan> before = parts_.plan.before()) {
        apply({0, std::move(before), true, loss, std::move(reply)});
    } else {
        reply(Unexpected<Refusal>(
            {Refusal::Code::illegal_state, "cannot roll back: there is no previous plan"}));
    }
}

void Core::create(WorkerPlan worker, const Completion& reply) {
    if (parts_.table.find(worker.name) != nullptr) {
        reply(Unexpected<Refusal>(
            {Refusal::Code::duplicate_worker, "worker '" + worker.name + "' exists already"}));
        return;
    }
    Plan next = *parts_.plan;
    next.workers.push_back(std::move(worker));
    apply({0,
           std::make_shared<const Plan>(std::move(next)),
           false,
           StateLoss::refused,
           [reply](const Answer<Applied>& applied) {
               reply(applied ? Answer<Done>(Done{}) : Unexpected<Refusal>(applied.error()));
           }});
}

void Core::start(const std::string& worker, const Completion& reply) {
    WorkerEntry* const entry = parts_.table.find(worker);
    if (entry == nullptr) {
        reply(Unexpected<Refusal>(absent(worker)));
    } else if (const std::optional<Refusal> refused = end_.refusal()) {
        reply(Unexpected<Refusal>(*refused));
    } else if (entry->is_removed) {
        reply(Unexpected<Refusal>(unknown(worker)));
    } else if (!can(*entry, WorkerEvent::start)) {
        reply(Unexpected<Refusal>(cannot("start", *entry)));
    } else if (entry->change_part == ChangePart::swap) {
        reply(Unexpected<Refusal>({Refusal::Code::illegal_state, "a plan is being applied"}));
    } else if (const Answer<Done> opened = open_library(parts_.libraries, *entry); !opened) {
        reply(opened);
    } else {
        entry->waiting_for_run.push_back(reply);
        entry->home->mailbox->open();  // before the routes to it exist
        parts_.plan.rewire();
        if (const auto started = parts_.table.start(*entry); !started) {
            on_ended(*entry, true, started.error());
        }
    }
}

void Core::pause(const std::string& worker, bool waits, const Completion& reply) {
    WorkerEntry* const entry = parts_.table.find(worker);
    if (entry == nullptr) {
        reply(Unexpected<Refusal>(absent(worker)));
        return;
    }
    if (end_.is_work_done()) {  // a paused worker would not drain
        reply(Unexpected<Refusal>(*end_.refusal()));
        return;
    }
    switch (entry->state) {
        case WorkerState::running:
        case WorkerState::loading:
        case WorkerState::starting:
        case WorkerState::pausing:
        case WorkerState::paused:
            break;  // it is pausing or paused already
        default:
            reply(Unexpected<Refusal>(cannot("pause", *entry)));
            return;
    }
    entry->wants_pause = true;
    if (entry->state == WorkerState::running) {
        parts_.table.send_command(*entry);
    }
    if (waits && entry->state != WorkerState::paused) {
        entry->waiting_for_pause.push_back(reply);
    } else {
        reply(Done{});
    }
}

void Core::resume(const std::string& worker, const Completion& reply) {
    WorkerEntry* const entry = parts_.table.find(worker);
    if (entry == nullptr) {
        reply(Unexpected<Refusal>(absent(worker)));
        return;
    }
    switch (entry->state) {
        case WorkerState::pausing:
        case WorkerState::paused:
        case WorkerState::loading:
        case WorkerState::starting:
        case WorkerState::running:
            break;
        default:
            reply(Unexpected<Refusal>(cannot("resume", *entry)));
            return;
    }
    entry->wants_pause = false;
    if (entry->state != WorkerState::running) {
        parts_.table.send_command(*entry);
    }
    answer_all(entry->waiting_for_pause,
               Unexpected<Refusal>({Refusal::Code::illegal_state,
                                    "worker '" + worker + "' was resumed before it paused"}));
    parts_.table.note_change();
    reply(Done{});
}

void Core::stop(const std::string& worker, const Completion& reply) {
    WorkerEntry* const entry = parts_.table.find(worker);
    if (entry == nullptr) {
        reply(Unexpected<Refusal>(absent(worker)));
        return;
    }
    if (!can(*entry, WorkerEvent::drain) && entry->state != WorkerState::draining &&
        entry->state != WorkerState::stopping) {
        reply(Unexpected<Refusal>(cannot("stop", *entry)));
        return;
    }
    if (entry->change_part == ChangePart::swap) {
        change_->abort({Refusal::Code::illegal_state, "worker '" + worker + "' was stopped"});
        settle_change();
    }
    entry->is_stopped_by_operator = true;
    entry->waiting_for_end.push_back(reply);
    parts_.table.drain_alone(*entry, parts_.plan->stop_grace);
}

void Core::restart(const std::string& worker, const Completion& reply) {
    WorkerEntry* const entry = parts_.table.find(worker);
    if (entry == nullptr || is_at_rest(entry->state) || end_.is_work_done()) {
        start(worker, reply);
        return;
    }
    // Starts the worker again in the completion of its end, also after a failure. The host cannot
    // check in between if all workers are at rest.
    stop(worker, [this, worker, reply](const Answer<Done>& ended) {
        const WorkerEntry* const now = parts_.table.find(worker);
        if (now != nullptr && can(*now, WorkerEvent::start)) {
            start(worker, reply);
        } else {
            reply(ended ? Unexpected<Refusal>(absent(worker)) : ended);
        }
    });
}

Answer<Done> Core::send(const std::string& worker, const std::string& payload) {
    const WorkerEntry* const entry = parts_.table.find(worker);
    if (entry == nullptr) {
        return Unexpected<Refusal>(absent(worker));
    }
    if (end_.is_work_done()) {
        return Unexpected<Refusal>(*end_.refusal());
    }
    return sender_.send(*entry, payload);
}

Answer<std::size_t> Core::broadcast(const std::string& payload) {
    if (end_.is_work_done()) {
        return Unexpected<Refusal>(*end_.refusal());
    }
    return sender_.broadcast(payload);
}

void Core::stop_host(Nanos grace, Ending::Cause cause, std::string reason) {
    if (change_ != nullptr && !end_.is_ending()) {
        change_->abort({Refusal::Code::host_ended, "the host is ending"});
        settle_change();
    }
    end_.begin(grace, cause, std::move(reason));
}

// -- Reports of workers. --

// Ignores reports of an earlier worker of the same name: a lost thread of it may be in the same
// generation, but its order differs.
void Core::on_report(const WorkerReport& report) {
    if (report.kind == WorkerReport::Kind::left) {
        parts_.probations.on_left();
        return;
    }
    WorkerEntry* const entry = parts_.table.find(report.worker);
    if (entry == nullptr || entry->order != report.order || entry->worker == nullptr ||
        entry->worker->start_generation() != report.start) {
        return;
    }
    switch (report.kind) {
        case WorkerReport::Kind::ready:
            if (change_ != nullptr && entry->change_part == ChangePart::making) {
                change_->on_ready(*entry);
            } else if (entry->state == WorkerState::starting) {
                parts_.table.release(*entry);
            }
            break;
        case WorkerReport::Kind::held:
            if (entry->state == WorkerState::pausing && entry->pause_epoch == report.epoch) {
                WorkerTable::set_state(*entry, WorkerEvent::held);
                answer_all(entry->waiting_for_pause, Done{});
                parts_.table.note_change();  // it may have finished its last message
            }
            break;
        case WorkerReport::Kind::left:
            break;  // see above
        case WorkerReport::Kind::idle:
            end_.look_again();
            break;
        case WorkerReport::Kind::swapped:
            on_swapped(*entry);
            parts_.table.note_change();
            break;
        case WorkerReport::Kind::reverted:
            parts_.probations.on_reverted(*entry);
            parts_.table.note_change();
            break;
        case WorkerReport::Kind::ended:
            if (entry->change_part == ChangePart::swap) {
                change_->abort(ended_meanwhile(*entry, report));
                settle_change();
            }
            if (entry->swap) {
                const auto& handover = entry->swap->handover;
                // The rollback comes too late: the worker reaches no further boundary.
                (void)handover->move(Handover::Phase::recalled, Handover::Phase::committed);
                parts_.probations.end(*entry);
            }
            if (entry->state == WorkerState::lost) {
                parts_.lost.remove(*entry);
            } else {
                entry->worker->join();
            }
            entry->cpu = entry->worker->cpu();
            entry->note_beginning();
            entry->worker.reset();
            on_ended(*entry, report.has_failed, report.error);
            break;
    }
}

void Core::on_swapped(WorkerEntry& entry) {
    const Handover::Phase phase = entry.swap->handover->phase();
    if (change_ != nullptr && entry.change_part == ChangePart::swap) {
        change_->on_swapped(entry);
    } else if (phase == Handover::Phase::committed) {
        PlanChange::commit_late(parts_, entry);
    }
    if (phase == Handover::Phase::refused) {
        parts_.probations.end_swap(entry);
    }
}

void Core::on_ended(WorkerEntry& entry, bool has_failed, const std::string& error) {
    end_.note_ended();
    parts_.table.end(entry, has_failed, error);
    const bool is_launching = entry.change_part != ChangePart::none;
    const std::string why = "worker '" + entry.home->name + "' failed: " + error;
    if (has_failed && !is_launching) {  // otherwise the refusal of the plan reports the failure
        spdlog::error("{}", why);
    }
    const Answer<Done> answer =
        has_failed ? Answer<Done>(Unexpected<Refusal>({Refusal::Code::illegal_state, why}))
                   : Answer<Done>(Done{});
    answer_all(entry.waiting_for_run,
               has_failed ? answer : Unexpected<Refusal>(cannot("run", entry)));
    answer_all(entry.waiting_for_pause, Unexpected<Refusal>(cannot("pause", entry)));
    answer_all(entry.waiting_for_end, answer);  // last, because a completion may restart the worker
    if (is_launching) {
        change_->abort(has_failed ? bad_plan(why) : cannot("run", entry));
        settle_change();
    } else if (has_failed && entry.plan->on_failure == OnFailure::stop_host) {
        stop_host(parts_.plan->stop_grace, Ending::Cause::failed, why);
    }
}

void Core::retire_what_is_gone() {
    std::vector<WorkerEntry*> gone;
    for (const auto& [name, entry] : parts_.table.entries()) {
        if (entry->is_removed && is_over(*entry)) {
            gone.push_back(entry.get());
        }
    }
    const auto& entries = parts_.table.entries();
    bool has_left = false;
    for (WorkerEntry* const entry : gone) {
        has_left = has_left || entry->is_leaving;
        parts_.plan.remove(*entry);
        end_.remove(*entry);
        parts_.table.retire(*entry);
    }
    if (!gone.empty()) {
        parts_.libraries.close_unused();
    }
    // Removes the routes to retired workers; once, not for each of many that end one by one.
    if (has_left && !end_.is_ending() &&
        std::none_of(
            entries.begin(), entries.end(), [](const auto& it) { return it.second->is_leaving; })) {
        parts_.plan.rewire();
    }
}

}  // namespace skep::host
