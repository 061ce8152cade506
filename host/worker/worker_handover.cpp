// The worker's side of a hand-over; handover.hpp has the stages.
#include "host/worker/worker.hpp"

namespace skep::host {

// [manager-thread]
void Worker::offer(std::shared_ptr<Handover> handover) {
    {
        const MutexLock lock(offer_mutex_);
        offered_.swap(handover);
    }
    (void)request(Wanted::swap);
}

// What is wanted, at a boundary between two calls of the plugin; whatever is to be done for it with
// the instance has been done. Stands still while that is wanted, or a hand-over is undecided; on a
// pool it says `hold` instead.
Wanted Worker::obey(std::optional<Nanos> now) {
    Parker& parker = *home_.mailbox->parker();
    for (;;) {
        const std::uint32_t ticket = parker.prepare();
        const Control::Command command = context_.look(now ? *now : context_.clock().now());
        if (command.wanted == Wanted::swap && !context_.is_done(command)) {
            take_over(command.epoch);
            continue;
        }
        if (command.wanted == Wanted::swap) {
            if (!is_to_hold_) {
                return Wanted::run;
            }
        } else if (handover_ != nullptr && handover_->stage() == Handover::Stage::tentative) {
            undo_tentative();
            continue;
        } else if (command.wanted != Wanted::hold) {
            return command.wanted;
        }
        if (context_.is_pooled()) {
            return Wanted::hold;
        }
        parker.park(ticket, forever);
    }
}

void Worker::take_over(std::uint64_t epoch) {
    using Stage = Handover::Stage;
    std::shared_ptr<Handover> handover;
    {
        const MutexLock lock(offer_mutex_);
        handover = offered_;  // the one of `epoch`, or one after it
    }
    is_to_hold_ = handover->holds();
    context_.end_swap(epoch);
    if (!handover->move(Stage::offered, Stage::taking)) {
        return;  // withdrawn
    }
    handover_ = handover;
    handover->delivered = home_.mailbox->counts().delivered;
    const Nanos begin = context_.clock().now();
    if (can_take(*handover)) {
        exchange(*handover);
        handover->blackout = context_.clock().now() - begin;
        (void)handover->move(Stage::taking,
                             handover->holds() ? Stage::tentative : Stage::committed);
    } else {
        (void)handover->move(Stage::taking, Stage::refused);
    }
    report(Fact::Kind::swapped);
}

// Moves the state, if the present instance has one; or gives it its parameters.
bool Worker::can_take(Handover& handover) {
    if (handover.is_reconfiguration()) {
        if (!instance_->reconfigure(*handover.live)) {
            handover.error = instance_->take_error();
            return false;
        }
        return true;
    }
    const std::uint32_t version = instance_->state_version();
    if (version == 0 || handover.drops_state()) {
        return true;
    }
    if (!instance_->save(handover.state)) {
        handover.error = instance_->take_error();
        return false;
    }
    if (!handover.other->load(version, handover.state)) {
        handover.error = handover.other->error();
        return false;
    }
    return true;
}

void Worker::exchange(Handover& handover) {
    if (!handover.is_reconfiguration()) {
        instance_.swap(handover.other);
        context_.serve(instance_->type());
    }
    publish_timers();
}

// The manager has decided against it, or something else has come between.
void Worker::undo_tentative() {
    if (handover_->move(Handover::Stage::tentative, Handover::Stage::reverted)) {
        if (handover_->is_reconfiguration()) {
            is_well_ = instance_->reconfigure(handover_->live_before);
        }
        exchange(*handover_);
        report(Fact::Kind::reverted);
    }
}

// The instance has failed. On probation its predecessor takes over again, as it was.
bool Worker::roll_back() {
    if (handover_ == nullptr || handover_->is_reconfiguration() ||
        !handover_->move(Handover::Stage::committed, Handover::Stage::reverted)) {
        return false;
    }
    context_.settle_all(true);
    handover_->error = instance_->error();
    handover_->consumed = home_.mailbox->counts().delivered - handover_->delivered;
    exchange(*handover_);
    is_well_ = true;
    has_drained_ = false;
    report(Fact::Kind::reverted);
    return true;
}

}  // namespace skep::host
