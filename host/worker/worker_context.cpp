#include "host/worker/worker_context.hpp"

#include <algorithm>

#include <spdlog/spdlog.h>

#include "host/base/assert.hpp"

namespace skep::host {

namespace {

thread_local const WorkerContext* entered = nullptr;

// now + duration, without overflow; negative: for ever.
Nanos deadline_after(Nanos now, Nanos duration) {
    return duration < Nanos(0) || duration > forever - now ? forever : now + duration;
}

}  // namespace

WorkerContext::WorkerContext(const WorkerWorld& world,
                             const WorkerHome& home,
                             std::uint64_t generation,
                             const skep_worker_type& type,
                             std::map<std::string, ParamValue> config,
                             ReportHeld report_held)
    : world_(world),
      home_(home),
      has_inputs_(type.input_count > 0),
      config_(std::make_move_iterator(config.begin()), std::make_move_iterator(config.end())),
      report_held_(std::move(report_held)),
      log_(spdlog::default_logger()->clone(home.name + "@" + std::to_string(generation))),
      last_checkpoint_ns_(world.clock->now().count()),
      outbox_(*world.clock,
              world.router,
              world.names,
              {world.names->intern(home.name), home.mailbox, home.counters}),
      // The first hold is the manager's own and is not reported: it has no pause to acknowledge.
      reported_epoch_(control_.command().epoch),
      raw_{sizeof(skep_context), 0, &host_api(), control_.word(), this} {}

WorkerContext::~WorkerContext() = default;

void WorkerContext::enter() {
    entered = this;
}

bool WorkerContext::is_entered() const {
    return entered == this;
}

void WorkerContext::note_checkpoint() {
    last_checkpoint_ns_.store(clock().now().count(), std::memory_order_relaxed);
}

Wanted WorkerContext::stand_still_if_wanted() {
    for (;;) {
        note_checkpoint();
        const std::uint32_t ticket = home_.mailbox->parker()->prepare();
        const Control::Command command = control_.command();
        if (command.wanted != Wanted::hold) {
            return command.wanted;
        }
        if (command.epoch != reported_epoch_) {
            reported_epoch_ = command.epoch;
            report_held_(command.epoch);
        }
        home_.mailbox->parker()->park(ticket, forever);
    }
}

bool WorkerContext::must_end() {
    switch (stand_still_if_wanted()) {
        case Wanted::stop:
            return true;
        case Wanted::drain:
            return !has_inputs_ || home_.mailbox->is_empty();
        default:
            return false;
    }
}

std::int32_t WorkerContext::receive(Nanos timeout, std::uint32_t max, skep_batch& batch) {
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
        home_.mailbox->parker()->park(ticket, deadline);
    }
}

std::int32_t WorkerContext::sleep(Nanos duration) {
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
    SKEP_ASSERT(in_flight_.empty());
    home_.mailbox->take(in_flight_, max);
    if (in_flight_.empty()) {
        return false;
    }
    views_.clear();
    for (const Envelope& envelope : in_flight_) {
        views_.push_back(
            {envelope.payload.data(), envelope.payload.size(), envelope.port, 0, &envelope});
    }
    batch.stride = sizeof(skep_message);
    batch.count = static_cast<std::uint32_t>(views_.size());
    batch.first = views_.data();
    return true;
}

void WorkerContext::settle(std::uint32_t done, bool failed) {
    const std::size_t count = in_flight_.size();
    const std::size_t finished = std::min<std::size_t>(done, count);
    const std::size_t lost = failed && finished < count ? 1 : 0;
    home_.mailbox->settle(finished, lost);
    home_.mailbox->return_untouched(
        in_flight_.begin() + static_cast<std::ptrdiff_t>(finished + lost), in_flight_.end());
    in_flight_.clear();
    add(home_.counters->items, finished);
}

void WorkerContext::settle_all(bool failed) {
    if (!in_flight_.empty()) {
        const std::size_t count = in_flight_.size();
        in_flight_.clear();
        home_.mailbox->settle(failed ? 0 : count, failed ? count : 0);
    }
}

void WorkerContext::set_timer(std::uint32_t id, Nanos first, Nanos period) {
    std::erase_if(timers_, [id](const Timer& it) { return it.id == id; });
    if (first >= Nanos(0)) {
        timers_.push_back({id, deadline_after(clock().now(), first), std::max(period, Nanos(0))});
    }
    has_timer_.store(!timers_.empty(), std::memory_order_relaxed);
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
        has_timer_.store(!timers_.empty(), std::memory_order_relaxed);
    } else {
        // On the grid of its first time, but never in the past: what was missed is not made up for.
        due->next = deadline_after(due->next, due->period * ((now - due->next) / due->period + 1));
    }
    return id;
}

const ParamValue* WorkerContext::config(const char* name) const {
    const auto found = config_.find(std::string_view(name));
    return found == config_.end() ? nullptr : &found->second;
}

}  // namespace skep::host
