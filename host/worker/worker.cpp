#include "host/worker/worker.hpp"

#include "host/worker/thread_census.hpp"

namespace skep::host {

namespace {

// The most messages that a handler gets at once. It returns early when a command is pending.
constexpr std::uint32_t handler_batch = batch_max;

// A turn on a pool is one batch, or more while messages arrive at once. A receiver with many
// senders keeps up with them, and all other workers get their next turn soon.
constexpr int most_batches = 16;
constexpr Nanos longest_turn = std::chrono::microseconds(20);

// A handler that is in one call for longer is no longer asked to return.
constexpr Nanos asks_to_return_until = std::chrono::seconds(1);

}  // namespace

Worker::Worker(const WorkerWorld& world,
               std::shared_ptr<const WorkerHome> home,
               Spec spec,
               std::shared_ptr<const Report> report)
    : shared_home_(std::move(home)),
      home_(*shared_home_),
      order_(spec.order),
      placement_(std::move(spec.placement)),
      start_generation_(spec.instance.generation),
      report_(std::move(report)),
      context_(world,
               home_,
               [this](std::uint64_t epoch) {
                   WorkerReport held = report_of(WorkerReport::Kind::held);
                   held.epoch = epoch;
                   (*report_)(std::move(held));
               }),
      instance_(std::make_unique<Instance>(context_, std::move(spec.instance))),
      place_{nullptr, std::move(spec.seat)} {}

Result<Done, std::string> Worker::start() {
    home_.parker->point_at(place_.seat.get());
    context_.set_pooled(place_.seat != nullptr);
    if (place_.seat != nullptr) {
        seats_.push_back(place_.seat);
        place_.seat->seat(shared_from_this());
        return Done{};
    }
    place_.thread = make_thread();
    context_.parker().attach();
    Result<Done, std::string> started = place_.thread->start_serving(placement_, server());
    if (started) {
        threads_.push_back(place_.thread);
    } else {
        context_.parker().detach();
    }
    return started;
}

WorkerThread::Serve Worker::server() {
    return [self = shared_from_this()](WorkerThread& thread) { return self->serve(thread); };
}

Result<Done, std::string> Worker::start_standby(WorkerThread& thread, const Placement& placement) {
    return thread.start(placement, server());
}

std::uint64_t Worker::request(Command wanted) {
    const std::uint64_t epoch = context_.control().request(wanted);
    full_fence();  // W2 in forwarding_parker.hpp
    home_.parker->unpark();
    return epoch;
}

// The request lasts from one look of the manager to the next: a plugin that never returns sees it
// only once.
void Worker::ask_to_return(Nanos in_call) {
    const bool asks = in_call > Nanos(0) && in_call < asks_to_return_until && !is_asked_to_return_;
    if (asks || is_asked_to_return_) {
        context_.control().ask_to_return(asks);
    }
    is_asked_to_return_ = asks;
}

void Worker::dismiss(const WorkerPlace& place) {
    std::erase(seats_, place.seat);
    if (std::erase(threads_, place.thread) > 0) {
        cpu_before_ += place.thread->cpu();
    }
}

void Worker::join() {
    for (const auto& it : threads_) {
        it->join();
    }
}

void Worker::give_up() {
    context_.refuse();
    for (const auto& it : seats_) {
        it->give_up();
    }
    for (const auto& it : threads_) {
        it->give_up();
    }
}

Nanos Worker::cpu() const {
    Nanos used = cpu_before_ + Nanos(cpu_ns_.load(std::memory_order_relaxed));
    for (const auto& it : threads_) {
        used += it->cpu();
    }
    return used;
}

bool Worker::serve(WorkerThread& self) {
    try {
        return serve_while_it_may(self);
    } catch (const LeaseRevoked&) {
        self.note_end();
        note_left();
        return true;
    }
}

bool Worker::serve_while_it_may(WorkerThread& self) {
    thread_id_.store(self.id(), std::memory_order_relaxed);
    name_this_thread(home_.name, start_generation_);
    context_.enter();
    if (!self.placed()) {
        is_well_ = false;
        error_ = self.placed().error();
    } else {
        Served served = arrive(false);
        if (served == Served::here) {
            served = instance_->type().run != nullptr ? run_loop() : run_turns();
        }
        if (served == Served::elsewhere) {
            return false;
        }
    }
    self.note_end();
    report_end();
    context_.parker().detach();
    return true;
}

// The worker may come from another place, in the middle of a handover.
Worker::Served Worker::arrive(bool is_pooled) {
    if (!std::exchange(is_arriving_, false)) {
        return Served::here;
    }
    context_.set_pooled(is_pooled);
    if (handover_->phase() == Handover::Phase::taking) {
        return end_take_over();
    }
    come_back();
    return Served::here;
}

// Returns when the worker has ended, or another place serves it.
Worker::Served Worker::run_turns() {
    Parker& parker = context_.parker();
    for (;;) {
        const std::uint32_t ticket = parker.prepare();
        const Turn done = turn();
        if (done.kind == Turn::Kind::ended || done.kind == Turn::Kind::elsewhere) {
            return done.kind == Turn::Kind::ended ? Served::here : Served::elsewhere;
        }
        if (done.kind == Turn::Kind::wait) {
            parker.park(ticket, done.deadline);
        } else if (done.kind == Turn::Kind::wait_for_message) {
            context_.wait_for_message(ticket, done.deadline);
        }
    }
}

Turn Worker::run_turn(Nanos now) {
    try {
        return run_turn_while_it_may(now);
    } catch (const LeaseRevoked&) {
        note_left();
        return {Turn::Kind::left_behind};
    }
}

// The calling thread has left the worker: the last that it does for it.
void Worker::note_left() {
    const auto self = shared_from_this();  // the manager may release its own reference now
    Lease& lease = WorkerContext::lease_of_this_thread();
    WorkerContext::leave();
    lease.note_left();
    report(WorkerReport::Kind::left);
}

Turn Worker::run_turn_while_it_may(Nanos now) {
    context_.enter();
    if (is_arriving_) {
        thread_id_.store(0, std::memory_order_relaxed);
        if (arrive(true) == Served::elsewhere) {
            return {Turn::Kind::elsewhere};
        }
    }
    Turn done = turn(now);
    const auto has_more = [&] {
        return done.kind == Turn::Kind::wait_for_message && context_.has_more();
    };
    bool goes_on = has_more();
    if (goes_on) {
        const Nanos end = context_.clock().now() + longest_turn;
        int batches = 1;
        do {
            done = turn(now);
            goes_on = has_more();
        } while (goes_on && ++batches < most_batches && context_.clock().now() < end);
    }
    if (done.kind == Turn::Kind::elsewhere) {
        return done;
    }
    const bool wants_to_wait = done.kind == Turn::Kind::wait_for_message;
    if (!context_.end_turn(wants_to_wait && !goes_on) && wants_to_wait) {
        done.kind = Turn::Kind::again;
    }
    if (done.kind == Turn::Kind::ended) {
        report_end();
    }
    WorkerContext::leave();
    return done;
}

void Worker::report_end() {
    context_.outbox().end();
    WorkerReport ended = report_of(WorkerReport::Kind::ended);
    ended.has_failed = !is_well_;
    ended.error = error_.empty() ? instance_->error() : error_;
    instance_.reset();  // releases its hold on the library, which may now be closed
    (*report_)(std::move(ended));
}

WorkerReport Worker::report_of(WorkerReport::Kind kind) const {
    WorkerReport made;
    made.worker = home_.name;
    made.order = order_;
    made.start = start_generation_;
    made.kind = kind;
    return made;
}

bool Worker::make() {
    context_.serve(instance_->type());
    is_well_ = instance_->create() && instance_->acquire();
    if (!is_well_) {
        unmake();
        return false;
    }
    publish_beginning();
    report(WorkerReport::Kind::ready);
    return true;
}

void Worker::unmake() {
    context_.settle_all(!is_well_);
    instance_->destroy();
    context_.outbox().reject_waiting();
    is_well_ = is_well_ && instance_->error().empty();
}

// Returns when the worker has ended, or another place serves it.
Worker::Served Worker::run_loop() {
    if (!instance_->is_made() && !make()) {
        return Served::here;
    }
    for (;;) {
        const std::uint32_t ticket = context_.parker().prepare();
        const std::optional<Command> wanted = await_command();
        if (!wanted) {
            return Served::elsewhere;
        }
        if (*wanted == Command::stop || !is_well_) {
            break;
        }
        if (!sends_what_waits()) {  // the messages come from its time on a pool
            context_.parker().park(ticket, forever);
            continue;
        }
        context_.begin_run();
        is_well_ = instance_->run();
        if (is_well_) {
            if (!context_.is_told_to_return()) {
                break;
            }
        } else if (const std::optional<Served> served = roll_back(); !served) {
            break;
        } else if (*served == Served::elsewhere) {
            return Served::elsewhere;
        }
        context_.settle_all(false);  // the return of run() says that the loop is done with them
    }
    unmake();
    return Served::here;
}

// On a pool, and after it. Returns false if the worker will be unparked when there is more room.
bool Worker::sends_what_waits() {
    if (context_.outbox().is_waiting()) {
        if (!context_.outbox().flush()) {
            return false;
        }
        context_.control().ask_to_return(false);
        publish_activity();
    }
    return true;
}

Turn Worker::turn(std::optional<Nanos> now) {
    if (!instance_->is_made() && !make()) {
        return {Turn::Kind::ended};
    }
    if (!is_well_) {
        const std::optional<Served> served = roll_back();
        if (!served) {
            return end_turns(Command::stop);
        }
        if (*served == Served::elsewhere) {
            return {Turn::Kind::elsewhere};
        }
    }
    const std::optional<Command> wanted = await_command(now);
    if (!wanted) {
        return {Turn::Kind::elsewhere};
    }
    if (*wanted == Command::hold) {
        return {Turn::Kind::wait};
    }
    if (!is_well_) {
        return {Turn::Kind::again};
    }
    if (*wanted != Command::stop && !sends_what_waits()) {
        return {Turn::Kind::wait};
    }
    if (has_drained_ || context_.is_to_end(*wanted)) {
        return end_turns(*wanted);
    }
    const bool was_timer_turn = std::exchange(was_timer_turn_, false);
    if (!was_timer_turn && fire_timer()) {
        return {Turn::Kind::again};
    }
    skep_batch batch{};
    batch.size = sizeof(batch);
    if (!context_.take(handler_batch, batch)) {
        return was_timer_turn && fire_timer()
                   ? Turn{Turn::Kind::again}
                   : Turn{Turn::Kind::wait_for_message, instance_->next_timer()};
    }
    handle(batch);
    // On a pool the end of the turn sees further messages; a thread looks again.
    if (now && is_well_ && *wanted == Command::run && !context_.outbox().is_waiting()) {
        return {Turn::Kind::wait_for_message, instance_->next_timer()};
    }
    return {Turn::Kind::again};
}

// Publishes the timers of an instance that has had no message yet.
void Worker::publish_beginning() {
    const std::uint32_t timers = instance_->timer_bits();
    publish_activity(((timers & Activity::one_shot) != 0 ? Activity::began_one_shot : 0U) |
                     ((timers & Activity::periodic) != 0 ? Activity::began_periodic : 0U));
}

// Between two calls of the plugin: during a call the plugin may set a due timer again. `more`: bits
// that stay set.
void Worker::publish_activity(std::uint32_t more) {
    constexpr std::uint32_t mask = Activity::timers | Activity::transient;
    const std::uint32_t now = instance_->timer_bits() |
                              (context_.outbox().is_waiting() ? Activity::unsent : 0U) |
                              (is_well_ ? 0U : Activity::failing);
    const std::uint32_t before = context_.activity().set(mask, now | more);
    if ((before & ~now & Activity::timers) != 0) {
        report(WorkerReport::Kind::idle);
    }
}

// Returns false if no timer is due.
bool Worker::fire_timer() {
    const std::optional<std::uint32_t> due = instance_->due_timer();
    if (!due) {
        return false;
    }
    was_timer_turn_ = true;
    context_.activity().set(Activity::calling, Activity::calling);
    is_well_ = instance_->on_timer(*due);
    publish_activity();
    return true;
}

// Publishes the effects of the messages before they count as finished. A thread that finds the
// messages finished then finds the effects as well.
void Worker::handle(skep_batch& batch) {
    std::uint32_t done = 0;
    is_well_ = instance_->on_message(batch, done);
    if (!context_.is_pooled()) {
        context_.control().has_returned();
    }
    publish_activity();
    context_.settle(done, !is_well_);
}

// The last turn. If messages from on_drain have to wait for room, the last but one.
Turn Worker::end_turns(Command wanted) {
    if (is_well_ && !has_drained_ && wanted == Command::drain) {
        has_drained_ = true;
        is_well_ = instance_->on_drain();
        if (!is_well_ || context_.outbox().is_waiting()) {
            return {Turn::Kind::again};
        }
    }
    unmake();
    return {Turn::Kind::ended};
}

}  // namespace skep::host
