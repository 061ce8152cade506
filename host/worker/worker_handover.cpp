// The worker's side of a handover; handover.hpp explains the phases.
#include <pthread.h>

#include "host/worker/thread_census.hpp"
#include "host/worker/worker.hpp"

namespace skep::host {

using Phase = Handover::Phase;

// [manager-thread]
void Worker::offer(std::shared_ptr<Handover> handover) {
    if (handover->place.thread != nullptr) {
        threads_.push_back(handover->place.thread);
    } else if (handover->place.seat != nullptr) {
        seats_.push_back(handover->place.seat);
    }
    {
        const MutexLock lock(offer_mutex_);
        offered_.swap(handover);
    }
    (void)request(Command::swap);
}

// Returns the current command, at a boundary between two calls of the plugin; a swap has then been
// made already. None: another place serves the worker now. Stands still while that is commanded, or
// while a handover is undecided; on a pool it returns `hold` instead.
std::optional<Command> Worker::await_command(std::optional<Nanos> now) {
    Parker& parker = context_.parker();
    for (;;) {
        const std::uint32_t ticket = parker.prepare();
        const IssuedCommand command = context_.look(now ? *now : context_.clock().now());
        if (command.wanted == Command::swap && !context_.is_done(command)) {
            if (take_over(command.epoch) == Served::elsewhere) {
                return std::nullopt;
            }
            continue;
        }
        if (command.wanted == Command::swap) {
            if (!is_to_hold_) {
                return Command::run;
            }
        } else if (handover_ != nullptr && handover_->phase() == Phase::tentative) {
            if (undo(Phase::tentative) == Served::elsewhere) {
                return std::nullopt;
            }
            continue;
        } else if (command.wanted != Command::hold) {
            return command.wanted;
        }
        if (context_.is_pooled()) {
            return Command::hold;
        }
        parker.park(ticket, forever);
    }
}

Worker::Served Worker::take_over(std::uint64_t epoch) {
    std::shared_ptr<Handover> handover;
    {
        const MutexLock lock(offer_mutex_);
        handover = offered_;  // the offer of `epoch`, or a later one
    }
    is_to_hold_ = handover->holds() || handover->phase() == Phase::recalled;
    context_.end_swap(epoch);
    if (handover == handover_ && handover->phase() == Phase::recalled) {
        return undo(Phase::recalled);
    }
    if (!handover->move(Phase::offered, Phase::taking)) {
        return Served::here;  // aborted by the manager
    }
    handover_ = handover;
    handover->delivered = home_.mailbox->counts().delivered;
    handover->begin = context_.clock().now();
    if (!can_leave(*handover)) {
        (void)handover->move(Phase::taking, Phase::refused);
        come_back();
        return Served::here;
    }
    if (!handover->place.is_set()) {
        return end_take_over();
    }
    leave(place_);
    let_serve(handover->place);
    return Served::elsewhere;
}

// [the place where the successor is to be served]
Worker::Served Worker::end_take_over() {
    Handover& handover = *handover_;
    if (!can_enter(handover)) {
        (void)handover.move(Phase::taking, Phase::refused);
        return go_back();
    }
    exchange(handover);
    if (!handover.is_reconfiguration()) {
        context_.begin_slowly();
        publish_beginning();
    }
    handover.blackout = context_.clock().now() - handover.begin;
    (void)handover.move(Phase::taking, handover.commits() ? Phase::committed : Phase::tentative);
    report(WorkerReport::Kind::swapped);
    return Served::here;
}

// Saves the state of the active instance and releases its exclusive resources, or gives it other
// parameters.
bool Worker::can_leave(Handover& handover) {
    if (handover.is_reconfiguration()) {
        if (!instance_->reconfigure(*handover.live)) {
            handover.error = instance_->take_error();
            return false;
        }
        return true;
    }
    if ((handover.moves_state(*instance_) && !instance_->save(handover.state)) ||
        !instance_->release()) {
        handover.error = instance_->take_error();
        return false;
    }
    return true;
}

bool Worker::can_enter(Handover& handover) {
    Instance* const next = handover.other.get();
    if ((handover.moves_state(*instance_) &&
         !next->load(instance_->state_version(), handover.state)) ||
        (next != nullptr && !next->acquire())) {
        handover.error = next->error();
        return false;
    }
    return true;
}

// Makes the predecessor's place serve again, if that is another one.
Worker::Served Worker::go_back() {
    const WorkerPlace self = handover_->place;
    if (!self.is_set()) {
        come_back();
        return Served::here;
    }
    const WorkerPlace before = place_;
    leave(self);
    let_serve(before);
    return Served::elsewhere;
}

// At its place the predecessor acquires its exclusive resources again. After the report, the
// manager may end the thread of the other place.
void Worker::come_back() {
    if (!instance_->acquire()) {
        is_well_ = false;
        handover_->error += "; then the predecessor failed: " + instance_->error();
        publish_activity();
    }
    report(handover_->phase() == Phase::refused ? WorkerReport::Kind::swapped
                                                : WorkerReport::Kind::reverted);
}

// After the next place starts to serve, this place touches nothing of the worker.
void Worker::leave(const WorkerPlace& self) {
    WorkerContext::leave();
    is_arriving_ = true;
    if (self.thread != nullptr) {
        pthread_setname_np(pthread_self(), standing_by_name);
        self.thread->stand_by();
        context_.parker().detach();
    } else {
        (void)context_.end_turn(false);
    }
}

// Takes `next` by value: the serving place may change its own place, and end, before this call is
// over.
// NOLINTNEXTLINE(performance-unnecessary-value-param)
void Worker::let_serve(WorkerPlace next) {
    home_.parker->point_at(next.seat.get());
    if (next.thread != nullptr) {
        context_.parker().attach();
        next.thread->go_on();
    } else {
        next.seat->seat(shared_from_this());
    }
}

void Worker::exchange(Handover& handover) {
    if (!handover.is_reconfiguration()) {
        instance_.swap(handover.other);
        if (handover.place.is_set()) {
            std::swap(place_, handover.place);
        }
        context_.serve(instance_->type());
    }
    publish_activity();
}

// The manager has aborted or rolled back the swap, or another command came first. Does nothing if
// the handover is not in phase `from` any more.
Worker::Served Worker::undo(Phase from) {
    if (!handover_->move(from, Phase::reverted)) {
        return Served::here;
    }
    if (handover_->is_reconfiguration()) {
        is_well_ = instance_->reconfigure(handover_->live_before);
    }
    return bring_back();
}

// Exchanges the active instance for its predecessor.
Worker::Served Worker::bring_back() {
    handover_->consumed = home_.mailbox->counts().delivered - handover_->delivered;
    if (!handover_->is_reconfiguration()) {
        // If it fails, the predecessor cannot acquire, and reports that.
        (void)instance_->release();
    }
    exchange(*handover_);
    return go_back();
}

// Rolls back after a failure of the active instance on probation: the predecessor continues, with
// the state that it had. None: there is no predecessor.
std::optional<Worker::Served> Worker::roll_back() {
    if (handover_ == nullptr || handover_->is_reconfiguration() ||
        !(handover_->move(Phase::committed, Phase::reverted) ||
          handover_->move(Phase::recalled, Phase::reverted))) {
        return std::nullopt;
    }
    context_.settle_all(true);
    handover_->error = instance_->error();
    handover_->has_failed = true;
    is_well_ = true;
    has_drained_ = false;
    return bring_back();
}

// [manager-thread] After revoke() this thread owns what the thread that hangs owned, until the next
// place serves. Before, it reads only what cannot change between two boundaries.
std::optional<Worker::LostCall> Worker::roll_back_hung(Handover& handover,
                                                       const Placement& placement,
                                                       std::string error) {
    std::shared_ptr<WorkerThread> spare;
    if (!handover.place.is_set() && !context_.is_pooled()) {
        spare = make_thread();
        if (!spare->start_standing_by(placement, server())) {
            return std::nullopt;
        }
    }
    if (!context_.revoke()) {
        if (spare != nullptr) {
            spare->end();
        }
        return std::nullopt;
    }
    (void)(handover.move(Phase::committed, Phase::reverted) ||
           handover.move(Phase::recalled, Phase::reverted));
    handover.error = std::move(error);
    handover.has_failed = true;
    handover.consumed = home_.mailbox->counts().delivered - handover.delivered;
    LostCall lost{shared_from_this(), nullptr, context_.renew(), place_.thread, thread_id()};
    is_well_ = true;
    has_drained_ = false;
    ask_to_return(Nanos(0));
    const WorkerPlace hung = place_;
    exchange(handover);
    lost.instance = std::move(handover.other);
    handover.place = {};
    is_arriving_ = true;
    if (spare != nullptr) {
        place_.thread = spare;
        threads_.push_back(spare);
    }
    if (hung.thread != nullptr) {
        dismiss(hung);
        context_.parker().detach();
        let_serve(place_);
    } else if (place_.seat == hung.seat) {
        hung.seat->leave_thread_behind(true);
    } else {
        dismiss(hung);
        hung.seat->leave_thread_behind(false);
        let_serve(place_);
    }
    return lost;
}

}  // namespace skep::host
