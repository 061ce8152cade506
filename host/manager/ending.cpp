// The end: which worker may drain when, and when the host is done. Called again after every change;
// it decides from what is, not from what happened, so no order of events can make it forget a
// worker.
#include <algorithm>

#include <spdlog/spdlog.h>

#include "host/manager/core.hpp"

namespace skep::host {

namespace {

// How often a cycle that shall end is asked whether it is quiet.
constexpr Nanos look_again = std::chrono::milliseconds(10);

// Ended for good, as far as those are concerned whom it feeds.
bool has_ended(const Slot* slot) {
    if (slot == nullptr) {
        return true;
    }
    switch (slot->state) {
        case WorkerState::stopped:
        case WorkerState::failed:
            return !slot->is_stopped_by_operator || slot->is_removed;
        case WorkerState::lost:
            return true;
        default:
            return false;
    }
}

// A handler without a timer does nothing unless it is sent something.
bool is_idle_handler(const Slot* slot) {
    return slot != nullptr && slot->type != nullptr && slot->type->run == nullptr &&
           (slot->worker == nullptr || !slot->worker->has_timer());
}

// No message is with workers that feed themselves, and none was between the two looks: a message
// that moves from one mailbox to another in between shows in what they have accepted.
bool are_quiet(const std::vector<Slot*>& slots) {
    std::uint64_t accepted_before = 0;
    std::uint64_t accepted_after = 0;
    bool is_empty = true;
    for (const Slot* const slot : slots) {
        accepted_before += slot == nullptr ? 0 : slot->home->mailbox->counts().accepted;
    }
    for (const Slot* const slot : slots) {
        const FlowCounts counts = slot == nullptr ? FlowCounts() : slot->home->mailbox->counts();
        is_empty = is_empty && counts.queued == 0 && counts.in_flight == 0;
    }
    for (const Slot* const slot : slots) {
        accepted_after += slot == nullptr ? 0 : slot->home->mailbox->counts().accepted;
    }
    return is_empty && accepted_before == accepted_after;
}

}  // namespace

// The diff to the empty plan, with one deadline for all.
void Core::stop_host(Nanos grace, Ending::Cause cause, std::string reason) {
    const StopTimes times = stop_times(grace);
    stop_deadline_ = std::min(stop_deadline_, deadline_after(clock_.now(), times.drain));
    give_up_at_ = std::min(give_up_at_, deadline_after(clock_.now(), times.give_up));
    if (!is_ending()) {
        ending_ = Ending{cause, std::move(reason), {}};
        schedule_.clear();
        if (launch_) {
            undo_launch({Refusal::Code::host_ended, "the host is ending"});
        }
    }
    for (const auto& [name, slot] : slots_) {
        slot->is_removed = true;
        if (slot->state == WorkerState::pausing || slot->state == WorkerState::paused) {
            set_state(*slot, WorkerEvent::resume);
            slot->worker->request(Wanted::run);
        }
        if (can(*slot, WorkerEvent::lost)) {
            const Nanos latest =
                slot->state == WorkerState::stopping ? give_up_at_ : stop_deadline_;
            set_deadline(*slot, std::min(slot->deadline.value_or(forever), latest));
        }
    }
    needs_advance_ = true;
}

std::vector<bool> Core::groups_to_drain() const {
    const std::size_t count = flow_.size();
    std::vector<bool> ended(count);
    std::vector<bool> passive(count);
    // Passive, or fed by such: a passive worker may still be sent to by all who do not wait for
    // one.
    std::vector<bool> waits(count);
    bool are_there_others = false;
    bool have_others_ended = true;
    for (std::size_t i = count; i-- > 0;) {  // senders stand behind their receivers
        const SlotGroup& group = flow_[i];
        ended[i] = std::all_of(group.slots.begin(), group.slots.end(), has_ended);
        // Fed by no route: it works only when others send to it directly.
        passive[i] = group.upstream.empty() &&
                     std::all_of(group.slots.begin(), group.slots.end(), is_idle_handler);
        waits[i] = passive[i] || std::any_of(group.upstream.begin(),
                                             group.upstream.end(),
                                             [&](std::size_t up) { return waits[up]; });
        are_there_others = are_there_others || !waits[i];
        have_others_ended = have_others_ended && (waits[i] || ended[i]);
    }
    const bool may_end =
        is_ending() || (ends_ == Manager::When::all_done && schedule_.empty() && are_there_others);
    std::vector<bool> drains(count);
    for (std::size_t i = 0; i < count; ++i) {
        const SlotGroup& group = flow_[i];
        if (passive[i]) {
            drains[i] = may_end && have_others_ended;
        } else if (group.upstream.empty()) {
            // A source, or a cycle that keeps itself going, until those in it that begin things
            // end.
            drains[i] = is_ending() ||
                        std::all_of(group.slots.begin(), group.slots.end(), [](const Slot* slot) {
                            return has_ended(slot) || is_idle_handler(slot);
                        });
        } else {
            drains[i] = std::all_of(group.upstream.begin(),
                                    group.upstream.end(),
                                    [&](std::size_t up) { return ended[up]; });
        }
    }
    return drains;
}

bool Core::is_all_at_rest() const {
    return std::all_of(slots_.begin(), slots_.end(), [](const auto& it) {
        return it.second->state == WorkerState::stopped || it.second->state == WorkerState::failed;
    });
}

void Core::advance() {
    needs_advance_ = false;
    if (launch_) {
        return;  // nothing ends before everything has begun
    }
    drain_what_may();
    if (!is_ending() && ends_ == Manager::When::all_done && has_anything_ended_ &&
        is_all_at_rest()) {
        stop_host(Nanos(0), Ending::Cause::finished, "");
    }
    retire_what_is_gone();
}

void Core::drain_what_may() {
    const std::vector<bool> drains = groups_to_drain();
    for (std::size_t i = 0; i < flow_.size(); ++i) {
        if (!drains[i] || is_fed_by_leaving(flow_[i])) {
            continue;
        }
        if (flow_[i].is_cycle && !is_ending() && !are_quiet(flow_[i].slots)) {
            next_look_ = clock_.now() + look_again;
            continue;
        }
        for (Slot* const slot : flow_[i].slots) {
            // A pause holds until the host ends: what is queued waits with it.
            if (slot != nullptr && (slot->state == WorkerState::running ||
                                    (is_ending() && can(*slot, WorkerEvent::drain)))) {
                drain(*slot);
            }
        }
    }
    drain_leaving();
}

void Core::retire_what_is_gone() {
    std::vector<Slot*> gone;
    for (const auto& [name, slot] : slots_) {
        if (slot->is_removed && (is_at_rest(slot->state) || slot->state == WorkerState::lost)) {
            gone.push_back(slot.get());
        }
    }
    bool has_left = false;
    for (Slot* const slot : gone) {
        has_left = has_left || slot->is_leaving;
        retire(*slot);
    }
    // Nobody finds them any more. Not for each of many that end one after the other.
    if (has_left && !is_ending() && std::none_of(slots_.begin(), slots_.end(), [](const auto& it) {
            return it.second->is_leaving;
        })) {
        rewire();
    }
}

}  // namespace skep::host
