#include "host/worker/worker_context.hpp"

#include <algorithm>

#include <spdlog/spdlog.h>

#include "host/base/assert.hpp"

namespace skep::host {

namespace {

// now + duration, without overflow; negative: for ever.
Nanos deadline_after(Nanos now, Nanos duration) {
    return duration < Nanos(0) || duration > forever - now ? forever : now + duration;
}

}  // namespace

WorkerContext::WorkerContext(const WorkerWorld& world,
                             const WorkerHome& home,
                             std::uint64_t generation,
                             const skep_worker_type& type,
                             const WorkerConfig& config,
                             ReportHeld report_held)
    : world_(world),
      home_(home),
      generation_(generation),
      config_(config),
      report_held_(std::move(report_held)),
      has_inputs_(type.input_count > 0),
      last_checkpoint_ns_(world.clock->now().count()),
      inbox_(home.mailbox, home.seat != nullptr),
      outbox_(
          *world.clock,
          world.router,
          world.names,
          {world.names->intern(home.name), home.mailbox, home.counters},
          inbox_,
          home.seat != nullptr ? Outbox::Checkpoint() : [this] { return must_stop_now(); }),
      // The first hold is the manager's own and is not reported: it has no pause to acknowledge.
      reported_epoch_(control_.command().epoch),
      raw_{sizeof(skep_context), 0, &host_api(), control_.word(), this} {}

WorkerContext::~WorkerContext() = default;

spdlog::logger& WorkerContext::log() {
    std::call_once(log_made_, [this] {
        log_ = spdlog::default_logger()->clone(home_.name + "@" + std::to_string(generation_));
    });
    return *log_;
}

void WorkerContext::enter() {
    entered = this;
    if (std::exchange(is_asleep_, false)) {
        inbox_.wake_up();
    }
}

void WorkerContext::leave() {
    entered = nullptr;
}

void WorkerContext::note_checkpoint(Nanos now) {
    last_checkpoint_ns_.store(now.count(), std::memory_order_relaxed);
    outbox_.set_time(now);
}

Wanted WorkerContext::stand_still_if_wanted() {
    for (;;) {
        note_checkpoint(clock().now());
        const std::uint32_t ticket = home_.mailbox->parker()->prepare();
        const Wanted wanted = look_at_command();
        if (wanted != Wanted::hold || is_pooled()) {
            return wanted;
        }
        home_.mailbox->parker()->park(ticket, forever);
    }
}

Wanted WorkerContext::look_at_command() {
    const Control::Command command = control_.command();
    if (command.wanted == Wanted::hold && command.epoch != reported_epoch_) {
        reported_epoch_ = command.epoch;
        report_held_(command.epoch);
    }
    return command.wanted;
}

Wanted WorkerContext::begin_turn(Nanos now) {
    note_checkpoint(now);
    return look_at_command();
}

// One fence serves all: what was sent (P2 in ring.hpp), what was taken (T2), and the sleep (R2).
bool WorkerContext::end_turn(bool wants_to_wait) {
    const bool begins_to_sleep = wants_to_wait && inbox_.begin_sleep();
    full_fence();
    outbox_.attend_published();
    inbox_.wake_senders();
    is_asleep_ = begins_to_sleep && inbox_.may_sleep();
    return is_asleep_;
}

bool WorkerContext::is_to_end(Wanted wanted) {
    switch (wanted) {
        case Wanted::stop:
            return true;
        case Wanted::drain:
            return !has_inputs_ || !inbox_.has_news();
        default:
            return false;
    }
}

std::int32_t WorkerContext::receive(Nanos timeout, std::uint32_t max, skep_batch& batch) {
    if (is_pooled()) {
        return SKEP_E_STATE;
    }
    settle_all(false);
    const Nanos deadline = deadline_after(clock().now(), timeout);
    for (;;) {
        const std::uint32_t ticket = home_.mailbox->parker()->prepare();
        const Wanted wanted = stand_still_if_wanted();
        if (wanted == Wanted::stop) {
            return SKEP_E_STOPPING;
        }
        if (take(max, batch)) {
            return SKEP_OK;
        }
        if (wanted == Wanted::drain) {
            return SKEP_E_STOPPING;
        }
        if (clock().now() >= deadline) {
            return SKEP_E_TIMEOUT;
        }
        wait_for_message(ticket, deadline);
    }
}

std::int32_t WorkerContext::sleep(Nanos duration) {
    if (is_pooled()) {
        return SKEP_E_STATE;
    }
    const Nanos deadline = deadline_after(clock().now(), std::max(duration, Nanos(0)));
    for (;;) {
        const std::uint32_t ticket = home_.mailbox->parker()->prepare();
        if (must_end()) {
            return SKEP_E_STOPPING;
        }
        if (clock().now() >= deadline) {
            return SKEP_OK;
        }
        home_.mailbox->parker()->park(ticket, deadline);
    }
}

bool WorkerContext::take(std::uint32_t max, skep_batch& batch) {
    if (!is_pooled()) {
        max = spin_.before_look(
            max, [this](std::uint32_t count) { return inbox_.has_more_than(count); });
    }
    const bool has_found = inbox_.take(views_, max);
    if (!is_pooled()) {
        spin_.after_look(inbox_.in_flight());
    }
    if (!has_found) {
        return false;
    }
    batch.stride = sizeof(skep_message);
    batch.count = static_cast<std::uint32_t>(views_.size());
    batch.first = views_.data();
    return true;
}

void WorkerContext::wait_for_message(std::uint32_t ticket, Nanos deadline) {
    Parker& parker = *home_.mailbox->parker();
    if (clock().is_real() &&
        spin_.wait([&] { return inbox_.has_news() || parker.prepare() != ticket; })) {
        return;
    }
    if (inbox_.fall_asleep()) {
        spin_.begin_sleep();
        parker.park(ticket, deadline);
        spin_.end_sleep();
        inbox_.wake_up();
    }
}

void WorkerContext::settle(std::uint32_t done, bool failed) {
    const std::uint32_t finished = std::min(done, inbox_.in_flight());
    inbox_.settle(finished, failed && finished < inbox_.in_flight() ? 1 : 0);
    add(home_.counters->items, finished);
}

void WorkerContext::settle_all(bool failed) {
    const std::uint32_t count = inbox_.in_flight();
    inbox_.settle(failed ? 0 : count, failed ? count : 0);
}

void WorkerContext::set_timer(std::uint32_t id, Nanos first, Nanos period) {
    std::erase_if(timers_, [id](const Timer& it) { return it.id == id; });
    if (first >= Nanos(0)) {
        timers_.push_back({id, deadline_after(clock().now(), first), std::max(period, Nanos(0))});
    }
}

Nanos WorkerContext::next_timer() const {
    Nanos next = forever;
    for (const Timer& timer : timers_) {
        next = std::min(next, timer.next);
    }
    return next;
}

std::optional<std::uint32_t> WorkerContext::due_timer() {
    if (timers_.empty()) {
        return std::nullopt;
    }
    const auto due =
        std::min_element(timers_.begin(), timers_.end(), [](const Timer& a, const Timer& b) {
            return a.next < b.next;
        });
    const Nanos now = clock().now();
    if (due->next > now) {
        return std::nullopt;
    }
    const std::uint32_t id = due->id;
    if (due->period == Nanos(0)) {
        timers_.erase(due);
    } else {
        // On the grid of its first time, but never in the past: what was missed is not made up for.
        due->next = deadline_after(due->next, due->period * ((now - due->next) / due->period + 1));
    }
    return id;
}

const ParamValue* WorkerContext::config(const char* name) const {
    return config_.find(name);
}

}  // namespace skep::host
