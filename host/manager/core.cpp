#include "host/manager/core.hpp"

#include <algorithm>
#include <cstring>
#include <new>
#include <optional>
#include <variant>

#include <spdlog/spdlog.h>

#include "host/base/assert.hpp"
#include "host/base/printable.hpp"
#include "host/topology/diff.hpp"

namespace skep::host {

namespace {

// The number of workers that are gone and still listed one by one.
constexpr std::size_t retired_max = 1000;

Refusal unknown(const std::string& worker) {
    return {Refusal::Code::unknown_worker, "no worker '" + worker + "'"};
}

}  // namespace

Core::Core(Clock& clock,
           Loader& loader,
           Manager::When ends,
           const Manager::Limits& limits,
           ManagerObserver* observer)
    : clock_(clock),
      loader_(loader),
      ends_(ends),
      limits_(limits),
      observer_(observer),
      parker_(clock.make_parker()),
      queue_(std::make_shared<EventQueue>(parker_)),
      world_{&clock,
             std::make_shared<Router>(),
             std::make_shared<NamePool>(),
             std::make_shared<Taps>(),
             std::make_shared<RestWatch>(
                 [this, queue = queue_] { (void)queue->post([this] { look_again(); }); })},
      report_(std::make_shared<const Worker::Report>([this, queue = queue_](WorkerReport fact) {
          // False: the host has ended without this thread, and the report is dropped.
          (void)queue->post([this, fact = std::move(fact)] { on_report(fact); });
      })),
      pools_(clock_),
      helpers_(clock_, queue_),
      libraries_(clock_, loader_, limits_, observer_, [this] { return known_threads(); }) {
    parker_->attach();
}

void Core::loop() {
    while (!(is_ending() && entries_.empty() && helpers_.empty())) {
        const std::uint32_t ticket = parker_->prepare();
        const std::vector<EventQueue::Action> actions = queue_->take();
        for (const auto& action : actions) {
            action();
        }
        tick();
        if (needs_advance_) {
            advance();
        } else if (actions.empty()) {
            parker_->park(ticket, next_deadline());
        }
    }
    for (const auto& action : queue_->close()) {
        action();  // answers the requests that came in time
    }
    parker_->detach();
    for (const auto& [thread, worker] : lost_threads_) {
        ending_->lost.push_back(worker);
    }
    for (Worker::LostCall& it : lost_calls_) {
        ending_->lost.push_back(it.worker->name());
        if (it.thread != nullptr) {
            it.thread->give_up();
        }
        (void)new Worker::LostCall(std::move(it));  // the thread uses it for ever
    }
    ended_.set_value(*ending_);
}

Ending Core::wait() {
    return ended_future_.get();
}

Nanos Core::next_deadline() const {
    Nanos next = std::min(next_look_.value_or(forever), pools_.next_look().value_or(forever));
    next = std::min(next, next_hang_look_.value_or(forever));
    if (!schedule_.empty()) {
        next = std::min(next, *schedule_start_ + schedule_.front().at);
    }
    if (!probations_.empty()) {
        next = std::min(next, probations_.begin()->first);
    }
    if (change_) {
        next = std::min(next, change_->deadline);
    }
    next = std::min(next, helpers_deadline_);
    return std::min(next, earliest_deadline_);
}

void Core::set_deadline(WorkerEntry& entry, Nanos deadline) {
    entry.deadline = deadline;
    earliest_deadline_ = std::min(earliest_deadline_, deadline);
}

// Returns the entries whose deadline is over. Searches only when one may be over, not at each
// event.
std::vector<WorkerEntry*> Core::take_late(Nanos now) {
    std::vector<WorkerEntry*> late;
    if (now < earliest_deadline_) {
        return late;
    }
    earliest_deadline_ = forever;
    for (const auto& [name, entry] : entries_) {
        if (entry->deadline && *entry->deadline <= now) {
            late.push_back(entry.get());
        } else {
            earliest_deadline_ = std::min(earliest_deadline_, entry->deadline.value_or(forever));
        }
    }
    return late;
}

void Core::tick() {
    const Nanos now = clock_.now();
    for (WorkerEntry* entry : take_late(now)) {
        if (entry->state == WorkerState::stopping) {
            lose(*entry);
        } else {
            stop_now(*entry);
        }
    }
    run_schedule();
    check_change(now);
    end_probations(now);
    if (is_ending() && entries_.empty()) {
        helpers_deadline_ =
            std::min({helpers_deadline_, give_up_at_, now + stop_times(Nanos(0)).give_up});
        if (helpers_deadline_ <= now) {
            for (HelperThreads::Lost& it : helpers_.abandon()) {
                lost_threads_.emplace(it.thread, std::move(it.what));
            }
        }
    }
    if (pools_.next_look() && *pools_.next_look() <= now) {
        pools_.look(*plan_);
    }
    if (next_hang_look_ && *next_hang_look_ <= now) {
        look_for_hangs(now);
    }
    if (next_look_ && *next_look_ <= now) {
        next_look_.reset();
        needs_advance_ = true;
    }
}

void Core::run_schedule() {
    while (!is_ending() && !schedule_.empty() &&
           *schedule_start_ + schedule_.front().at <= clock_.now()) {
        const SchedulePlan entry = std::move(schedule_.front());
        schedule_.pop_front();
        needs_advance_ = true;  // workers that waited for the last schedule entry may end
        const Completion log_refusal = [](const Answer<Done>& answer) {
            if (!answer) {
                spdlog::warn("schedule: {}", answer.error().message);
            }
        };
        switch (entry.action) {
            case ScheduleAction::pause:
                pause(entry.worker, false, log_refusal);
                break;
            case ScheduleAction::resume:
                resume(entry.worker, log_refusal);
                break;
            case ScheduleAction::send:
                log_refusal(send(entry.worker, entry.message));
                break;
            case ScheduleAction::broadcast:
                if (const Answer<std::size_t> taken = broadcast(entry.message)) {
                    spdlog::info("schedule: {} workers accepted the broadcast", *taken);
                } else {
                    spdlog::warn("schedule: {}", taken.error().message);
                }
                break;
            case ScheduleAction::stop:
                if (entry.worker.empty()) {
                    stop_host(plan_->stop_grace, Ending::Cause::stopped, "");
                } else {
                    stop(entry.worker, log_refusal);
                }
                break;
        }
    }
}

std::optional<Refusal> Core::end_refusal() const {
    if (is_work_done_) {
        return Refusal{Refusal::Code::host_ended, "the host is ending: all its work is done"};
    }
    if (is_ending()) {
        return Refusal{Refusal::Code::host_ended, "the host is ending"};
    }
    return std::nullopt;
}

// Returns the refusal for a missing worker: it is unknown, or the end of the host has removed it.
Refusal Core::absent(const std::string& worker) const {
    return is_work_done_ ? *end_refusal() : unknown(worker);
}

WorkerEntry* Core::find(const std::string& worker) {
    const auto found = entries_.find(worker);
    return found == entries_.end() ? nullptr : found->second.get();
}

void Core::create(WorkerPlan worker, const Completion& reply) {
    if (find(worker.name) != nullptr) {
        reply(Unexpected<Refusal>(
            {Refusal::Code::duplicate_worker, "worker '" + worker.name + "' exists already"}));
        return;
    }
    Plan next = *plan_;
    next.workers.push_back(std::move(worker));
    apply(std::make_shared<const Plan>(std::move(next)), false, reply);
}

void Core::start(const std::string& worker, const Completion& reply) {
    WorkerEntry* const entry = find(worker);
    if (entry == nullptr) {
        reply(Unexpected<Refusal>(absent(worker)));
    } else if (const std::optional<Refusal> refused = end_refusal()) {
        reply(Unexpected<Refusal>(*refused));
    } else if (entry->is_removed) {
        reply(Unexpected<Refusal>(unknown(worker)));
    } else if (!can(*entry, WorkerEvent::start)) {
        reply(Unexpected<Refusal>(cannot("start", *entry)));
    } else if (entry->change_part == ChangePart::swap) {
        reply(Unexpected<Refusal>({Refusal::Code::illegal_state, "a plan is being applied"}));
    } else if (const Answer<Done> opened = open_library(*entry); !opened) {
        reply(opened);
    } else {
        entry->waiting_for_run.push_back(reply);
        entry->home->mailbox->open();  // before the routes to it exist
        rewire();
        start_worker(*entry);
    }
}

void Core::pause(const std::string& worker, bool waits, const Completion& reply) {
    WorkerEntry* const entry = find(worker);
    if (entry == nullptr) {
        reply(Unexpected<Refusal>(absent(worker)));
        return;
    }
    if (is_work_done_) {  // a paused worker would not drain
        reply(Unexpected<Refusal>(*end_refusal()));
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
        send_command(*entry);
    }
    if (waits && entry->state != WorkerState::paused) {
        entry->waiting_for_pause.push_back(reply);
    } else {
        reply(Done{});
    }
}

void Core::resume(const std::string& worker, const Completion& reply) {
    WorkerEntry* const entry = find(worker);
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
        send_command(*entry);
    }
    answer_all(entry->waiting_for_pause,
               Unexpected<Refusal>({Refusal::Code::illegal_state,
                                    "worker '" + worker + "' was resumed before it paused"}));
    needs_advance_ = true;
    reply(Done{});
}

void Core::stop(const std::string& worker, const Completion& reply) {
    WorkerEntry* const entry = find(worker);
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
        undo_change({Refusal::Code::illegal_state, "worker '" + worker + "' was stopped"});
    }
    entry->is_stopped_by_operator = true;
    entry->waiting_for_end.push_back(reply);
    drain_alone(*entry);
}

void Core::restart(const std::string& worker, const Completion& reply) {
    WorkerEntry* const entry = find(worker);
    if (entry == nullptr || is_at_rest(entry->state) || is_work_done_) {
        start(worker, reply);
        return;
    }
    // Starts the worker again in the completion of its end, also after a failure. The host cannot
    // check in between if all workers are at rest.
    stop(worker, [this, worker, reply](const Answer<Done>& ended) {
        const WorkerEntry* const now = find(worker);
        if (now != nullptr && can(*now, WorkerEvent::start)) {
            start(worker, reply);
        } else {
            reply(ended ? Unexpected<Refusal>(absent(worker)) : ended);
        }
    });
}

Envelope Core::host_envelope(const std::string& payload) {
    Envelope made;
    made.payload = PayloadRef::allocate(payload.size());
    if (!payload.empty()) {
        std::memcpy(made.payload.data(), payload.data(), payload.size());
    }
    made.sender = world_.names->intern("");
    made.content_type =
        world_.names->intern(is_utf8(payload) ? "text/plain" : "application/octet-stream");
    made.sequence = ++host_sequence_;
    made.time = clock_.now();
    made.port = SKEP_PORT_DIRECT;
    return made;
}

Answer<Done> Core::send(const std::string& worker, const std::string& payload) {
    WorkerEntry* const entry = find(worker);
    if (entry == nullptr) {
        return Unexpected<Refusal>(absent(worker));
    }
    if (is_work_done_) {
        return Unexpected<Refusal>(*end_refusal());
    }
    std::optional<PushResult> result;
    try {
        Envelope envelope = host_envelope(payload);
        result = entry->home->mailbox->push(envelope, direct_lane, nullptr);
    } catch (const std::bad_alloc&) {
        return Unexpected<Refusal>(
            {Refusal::Code::mailbox_full,
             "no memory for a message of " + std::to_string(payload.size()) + " bytes"});
    }
    switch (*result) {
        case PushResult::accepted:
            return Done{};
        case PushResult::full:
            return Unexpected<Refusal>(
                {Refusal::Code::mailbox_full, "the mailbox of worker '" + worker + "' is full"});
        default: {
            Refusal refusal = cannot("send to", *entry);
            refusal.code = Refusal::Code::mailbox_closed;
            return Unexpected<Refusal>(refusal);
        }
    }
}

Answer<std::size_t> Core::broadcast(const std::string& payload) {
    if (is_work_done_) {
        return Unexpected<Refusal>(*end_refusal());
    }
    const Envelope envelope = host_envelope(payload);
    std::size_t taken = 0;
    for (const auto& [name, entry] : entries_) {
        Envelope copy = envelope;
        taken +=
            entry->home->mailbox->push(copy, direct_lane, nullptr) == PushResult::accepted ? 1 : 0;
    }
    return taken;
}

Answer<WorkerMetrics> Core::metrics_of(const std::string& worker) {
    if (const WorkerEntry* const entry = find(worker)) {
        return entry->metrics(clock_.now());
    }
    return Unexpected<Refusal>(unknown(worker));
}

HostMetrics Core::metrics() {
    return collect();
}

HostMetrics Core::collect() const {
    HostMetrics all;
    all.accounting = forgotten_accounting_;
    std::vector<std::pair<std::size_t, std::variant<const Retired*, const WorkerEntry*>>> ordered;
    ordered.reserve(retired_.size() + entries_.size());
    for (const Retired& it : retired_) {
        ordered.emplace_back(it.order, &it);
    }
    for (const auto& [name, entry] : entries_) {
        ordered.emplace_back(entry->order, entry.get());
    }
    std::sort(ordered.begin(), ordered.end());
    const Nanos now = clock_.now();
    all.workers.reserve(ordered.size());
    for (const auto& [order, it] : ordered) {
        if (const auto* const retired = std::get_if<const Retired*>(&it)) {
            read_counts(*(*retired)->home, all.workers.emplace_back((*retired)->metrics));
        } else {
            all.workers.push_back(std::get<const WorkerEntry*>(it)->metrics(now));
        }
        all.accounting += all.workers.back().accounting();
    }
    return all;
}

void Core::retire(WorkerEntry& entry) {
    retired_.push_back({entry.order, entry.metrics(clock_.now()), entry.home});
    if (retired_.size() > retired_max) {
        read_counts(*retired_.front().home, retired_.front().metrics);
        forgotten_accounting_ += retired_.front().metrics.accounting();
        retired_.pop_front();
    }
    end_leaving(entry);
    if (entry.group) {
        flow_[*entry.group].entries[entry.place] = nullptr;
    }
    if (last_busy_ == &entry) {
        last_busy_ = nullptr;
    }
    entries_.erase(entries_.find(entry.home->name));  // destroys `entry`
    libraries_.close_unused();
}

}  // namespace skep::host
