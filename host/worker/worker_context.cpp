#include "host/worker/worker_context.hpp"

#include <algorithm>

#include "host/base/assert.hpp"

namespace skep::host {

WorkerContext::WorkerContext(const WorkerWorld& world,
                             const WorkerHome& home,
                             ReportHeld report_held)
    : world_(world),
      home_(home),
      report_held_(std::move(report_held)),
      last_checkpoint_ns_(world.clock->now().count()),
      inbox_(home.mailbox),
      outbox_(*world.clock,
              world.router,
              world.names,
              {world.names->intern(home.name), home.mailbox, home.counters, &home.parker->own()},
              inbox_,
              [this] { return must_stop_now(); }),
      // The first hold is not reported: no pause waits for its acknowledgement.
      reported_epoch_(control_.command().epoch) {}

WorkerContext::~WorkerContext() = default;

void WorkerContext::set_pooled(bool is_pooled) {
    is_pooled_ = is_pooled;
    inbox_.set_in_turns(is_pooled);
    outbox_.set_in_turns(is_pooled);
}

void WorkerContext::enter() {
    entered = lease_.get();
    if (std::exchange(is_asleep_, false)) {
        inbox_.wake_up();
    }
}

void WorkerContext::leave() {
    entered = &of_no_worker;
}

WorkerContext::LeftBehind WorkerContext::renew() {
    if (is_pooled()) {
        (void)end_turn(false);  // which the thread cannot do any more
    }
    call_.store(nullptr, std::memory_order_relaxed);
    return {std::exchange(lease_, std::make_unique<Lease>(this)), inbox_.abandon()};
}

IssuedCommand WorkerContext::look(Nanos now) {
    last_checkpoint_ns_.store(now.count(), std::memory_order_relaxed);
    outbox_.set_time(now);
    const IssuedCommand command = control_.command();
    if (command.wanted == Command::hold && command.epoch != reported_epoch_) {
        reported_epoch_ = command.epoch;
        report_held_(command.epoch);
    }
    return command;
}

Command WorkerContext::stand_still_if_wanted() {
    for (;;) {
        const std::uint32_t ticket = parker().prepare();
        const IssuedCommand command = look(clock().now());
        if (command.wanted != Command::hold || is_pooled()) {
            return is_done(command) ? Command::run : command.wanted;
        }
        parker().park(ticket, forever);
    }
}

// One fence serves all: messages sent (P2 in ring.hpp), messages taken (T2), and the sleep (R2).
bool WorkerContext::end_turn(bool wants_to_wait) {
    if (wants_to_wait) {
        inbox_.begin_sleep();
        inbox_.fence_heavily();
    } else {
        full_fence();
    }
    outbox_.attend_published();
    inbox_.wake_senders();
    is_asleep_ = wants_to_wait && inbox_.may_sleep();
    if (is_asleep_) {
        world_.rest_watch->note();
    }
    return is_asleep_;
}

bool WorkerContext::is_to_end(Command wanted) {
    switch (wanted) {
        case Command::stop:
            return true;
        case Command::swap:
            is_told_to_return_ = is_loop_;  // a handler reaches a boundary without a request
            return is_loop_;
        case Command::drain:
            // Messages that a handler has in hand are not finished before it returns.
            return !has_inputs_ || ((is_loop_ || inbox_.in_flight() == 0) && inbox_.finish());
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

    // Cleared before the plugin continues. A message that ends the wait is in flight until then.
    struct Receiving {
        Activity& activity;

        ~Receiving() { activity.set(Activity::receiving, 0); }
    } const receiving{activity_};

    for (;;) {
        const std::uint32_t ticket = parker().prepare();
        const Command wanted = stand_still_if_wanted();
        if (wanted == Command::stop || wanted == Command::swap) {
            is_told_to_return_ = wanted == Command::swap;
            return SKEP_E_STOPPING;
        }
        if (take(max, batch)) {
            return SKEP_OK;
        }
        if (wanted == Command::drain) {
            return SKEP_E_STOPPING;
        }
        if (clock().now() >= deadline) {
            return SKEP_E_TIMEOUT;
        }
        activity_.set(Activity::receiving, Activity::receiving);
        wait_for_message(ticket, deadline);
    }
}

std::int32_t WorkerContext::sleep(Nanos duration) {
    if (is_pooled()) {
        return SKEP_E_STATE;
    }
    const Nanos deadline = deadline_after(clock().now(), std::max(duration, Nanos(0)));
    for (;;) {
        const std::uint32_t ticket = parker().prepare();
        if (must_end()) {
            return SKEP_E_STOPPING;
        }
        if (clock().now() >= deadline) {
            return SKEP_OK;
        }
        parker().park(ticket, deadline);
    }
}

bool WorkerContext::take(std::uint32_t max, skep_batch& batch) {
    max = std::min(max, most_at_once_);
    if (!is_pooled()) {
        max = spin_.before_look(
            max, [this](std::uint32_t count) { return inbox_.has_more_than(count); });
    }
    if (views == nullptr && inbox_.has_news()) {
        views = std::make_unique<MessageBatch>();
    }
    const bool has_found = views != nullptr && inbox_.take(*views, max);
    if (!is_pooled()) {
        spin_.after_look(inbox_.in_flight());
    }
    if (!has_found) {
        world_.rest_watch->note();  // a worker that always has a due timer never sleeps
        return false;
    }
    most_at_once_ = std::min(2 * most_at_once_, batch_max);
    batch.stride = sizeof(skep_message);
    batch.count = views->size();
    batch.first = views->begin();
    return true;
}

void WorkerContext::wait_for_message(std::uint32_t ticket, Nanos deadline) {
    if (clock().is_real() &&
        spin_.wait([&] { return inbox_.has_news() || parker().prepare() != ticket; })) {
        return;
    }
    if (inbox_.fall_asleep()) {
        world_.rest_watch->note();
        spin_.begin_sleep();
        parker().park(ticket, deadline);
        spin_.end_sleep();
        inbox_.wake_up();
    }
}

void WorkerContext::settle(std::uint32_t done, bool failed) {
    const std::uint32_t finished = std::min(done, inbox_.in_flight());
    settle_in_flight(finished, failed && finished < inbox_.in_flight() ? 1 : 0);
    add(home_.counters->items, finished);
}

void WorkerContext::settle_all(bool failed) {
    const std::uint32_t count = inbox_.in_flight();
    settle_in_flight(failed ? 0 : count, failed ? count : 0);
}

void WorkerContext::settle_in_flight(std::uint32_t finished, std::uint32_t failed) {
    if (!world_.taps->is_current(taps_)) {
        taps_ = world_.taps->list();
    }
    if (taps_ != nullptr && finished + failed > 0) {
        const Nanos now = clock().now();
        for (const std::shared_ptr<Tap>& tap : *taps_) {
            tap->show(outbox_.sender(), inbox_, *views, finished, failed, now);
        }
    }
    inbox_.settle(finished, failed);
}

}  // namespace skep::host
