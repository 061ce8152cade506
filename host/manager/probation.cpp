// How swaps end: the probation is over, or the instance before is back.
#include <spdlog/spdlog.h>

#include "host/manager/core.hpp"

namespace skep::host {

using Stage = Handover::Stage;

// The instance before is back: the launch was undone, or the successor has failed.
void Core::on_reverted(Slot& slot) {
    Swap& swap = *slot.swap;
    if (swap.is_committed) {
        const std::uint64_t failed = slot.generation;
        slot.exchange_with(swap.other);
        ++slot.rollbacks;
        add(slot.home->counters->errors, 1);
        adopt_version_of(slot);
        spdlog::error("{}@{}: failed on probation after {} messages, generation {} is back: {}",
                      slot.home->name,
                      failed,
                      swap.handover->consumed,
                      slot.generation,
                      swap.handover->error);
        if (witness_ != nullptr) {
            witness_->reverted({slot.home->name,
                                failed,
                                slot.generation,
                                swap.handover->consumed,
                                swap.handover->error});
        }
        obey_wish(slot);
    }
    end_swap(slot);
}

void Core::begin_probation(Slot& slot) {
    slot.swap->probation_end = deadline_after(clock_.now(), plan_->probation);
    probations_.emplace(*slot.swap->probation_end, slot.home->name);
    if (witness_ != nullptr) {
        witness_->swapped(slot.home->name, slot.generation);
    }
}

void Core::end_probations(Nanos now) {
    while (!probations_.empty() && probations_.begin()->first <= now) {
        const auto [end, worker] = probations_.extract(probations_.begin()).value();
        Slot* const slot = find(worker);
        if (slot != nullptr && slot->swap && slot->swap->probation_end == end) {
            end_probation(*slot);
        }
    }
}

void Core::end_probation(Slot& slot) {
    // Otherwise it has just failed, and is about to say so.
    if (slot.swap->handover->move(Stage::committed, Stage::closed)) {
        if (witness_ != nullptr && !slot.swap->handover->is_reconfiguration()) {
            witness_->settled(slot.home->name, slot.generation);
        }
        end_swap(slot);
    }
}

// `other` of the hand-over is the manager's now, and of no use any more.
void Core::end_swap(Slot& slot) {
    Swap ended = *std::exchange(slot.swap, std::nullopt);
    if (ended.probation_end) {
        probations_.erase({*ended.probation_end, slot.home->name});
    }
    if (ended.handover != nullptr && ended.handover->other != nullptr) {
        Spare spare;
        spare.worker = slot.home->name;
        spare.owner = slot.worker;
        spare.instance = std::move(ended.handover->other);
        spare.place = std::move(ended.handover->place);
        spare.owner->dismiss(spare.place);
        discard(std::move(spare));
    }
    ended = {};
    close_unused_libraries();
}

}  // namespace skep::host
