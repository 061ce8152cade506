// How swaps end: the probation is over, or the instance before is back.
#include <algorithm>
#include <chrono>
#include <set>
#include <string>
#include <utility>

#include <spdlog/spdlog.h>

#include "host/manager/core.hpp"

namespace skep::host {

using Stage = Handover::Stage;

namespace {

// How often a successor is looked at that is in a call at the end of its probation.
constexpr Nanos call_look_every = std::chrono::milliseconds(20);

}  // namespace

// The instance before is back: the launch was undone, or the successor has failed.
void Core::on_reverted(Slot& slot) {
    Swap& swap = *slot.swap;
    if (swap.is_committed) {
        Witness::Reverted told{slot.home->name,
                               slot.generation,
                               swap.other.generation,
                               swap.handover->consumed,
                               swap.handover->error,
                               swap.handover->has_failed ? "" : swap.recalled_with};
        slot.exchange_with(swap.other);
        ++slot.rollbacks;
        adopt_version_of(slot);
        if (told.with.empty()) {
            add(slot.home->counters->errors, 1);
            spdlog::error("{}@{}: failed on probation after {} messages, generation {} is back: {}",
                          told.worker,
                          told.failed,
                          told.consumed,
                          told.back,
                          told.error);
        } else {
            spdlog::warn("{}@{}: recalled after {} messages, with '{}'; generation {} is back{}",
                         told.worker,
                         told.failed,
                         told.consumed,
                         told.with,
                         told.back,
                         told.error);
        }
        if (witness_ != nullptr) {
            witness_->reverted(told);
        }
        obey_wish(slot);
        if (told.with.empty()) {
            recall_those_with(slot);
        }
    }
    end_swap(slot);
}

// What came with the same plan may speak another language now than the worker that went back, if a
// route joins them.
void Core::recall_those_with(const Slot& failed) {
    std::set<std::string> came_with_it;
    for (const auto& [name, slot] : slots_) {
        if (slot->swap && slot->swap->is_committed && slot->swap->launch == failed.swap->launch) {
            came_with_it.insert(name);
        }
    }
    for (const std::string& name : joined_to(failed.home->name, came_with_it, plan_->routes)) {
        Slot& slot = *find(name);
        const bool is_at_work = slot.state == WorkerState::running ||
                                slot.state == WorkerState::pausing ||
                                slot.state == WorkerState::paused;
        if (is_at_work && slot.swap->handover->move(Stage::committed, Stage::recalled)) {
            slot.swap->recalled_with = failed.home->name;
            slot.worker->recall();
        }
    }
}

void Core::begin_probation(Slot& slot) {
    slot.swap->probation_end =
        deadline_after(clock_.now(), slot.plan->probation.value_or(plan_->probation));
    probations_.emplace(*slot.swap->probation_end, slot.home->name);
    if (witness_ != nullptr) {
        witness_->swapped(slot.home->name, slot.generation);
    }
}

void Core::end_probations(Nanos now) {
    while (!probations_.empty() && probations_.begin()->first <= now) {
        const auto [end, worker] = probations_.extract(probations_.begin()).value();
        Slot* const slot = find(worker);
        if (slot == nullptr || !slot->swap || slot->swap->probation_end != end) {
            continue;
        }
        if (const std::optional<Nanos> later = look_at_call(*slot, now)) {
            slot->swap->probation_end = later;
            probations_.emplace(*later, worker);
        } else {
            end_probation(*slot);
        }
    }
}

// Whether the successor is still in the call in which its probation ended.
bool Core::is_in_that_call(const Slot& slot) {
    const std::optional<CallSight>& last = slot.swap->last_sight;
    return slot.worker != nullptr && last && last->call != nullptr && !last->is_asleep &&
           *last == slot.worker->sight();
}

// A successor that is in a call at the end of its probation stays on probation until it comes back.
// When that takes as long as the probation, and a second at least, whoever waits for the verdict is
// told. Nothing: it is not in a call, or it is being ended.
std::optional<Nanos> Core::look_at_call(Slot& slot, Nanos now) {
    const bool is_at_work =
        slot.state == WorkerState::running || slot.state == WorkerState::pausing;
    if (slot.worker != nullptr && !slot.swap->last_sight) {
        slot.swap->last_sight = slot.worker->sight();
    }
    if (!is_at_work || !is_in_that_call(slot)) {
        if (slot.swap->is_hanging) {
            spdlog::info("{}@{}: has come back from its call", slot.home->name, slot.generation);
        }
        return std::nullopt;
    }
    const Nanos patience =
        std::max(slot.plan->probation.value_or(plan_->probation), Nanos(std::chrono::seconds(1)));
    const Nanos lasts = now - Nanos(slot.swap->last_sight->checkpoint);
    if (lasts < patience) {
        return now + std::min(patience - lasts, call_look_every);
    }
    if (!std::exchange(slot.swap->is_hanging, true)) {
        const double seconds = std::chrono::duration<double>(lasts).count();
        add(slot.home->counters->errors, 1);
        spdlog::error(
            "{}@{}: has not come back from a call for {:.1f} s, on probation; its thread cannot be "
            "taken from it, and generation {} stands by",
            slot.home->name,
            slot.generation,
            seconds,
            slot.swap->other.generation);
        if (witness_ != nullptr) {
            witness_->hangs(slot.home->name, slot.generation, lasts);
        }
    }
    return now + call_look_every;
}

void Core::end_probation(Slot& slot) {
    // Otherwise it has just failed, or is recalled, and is about to say so.
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
