// The end of a host: decides when each worker may drain, and when the host is done. Runs after
// every change and decides from the current facts, not from past events. Thus no order of events
// can make it forget a worker.
#include <algorithm>

#include <spdlog/spdlog.h>

#include "host/manager/core.hpp"

namespace skep::host {

namespace {

// The shortest and the longest interval between looks for unfinished messages. In between, the
// manager notices the end of a conversation within a twentieth of its duration. Looks never take
// more than a twentieth of the manager's time.
constexpr Nanos shortest_look_interval = std::chrono::milliseconds(1);
constexpr Nanos longest_look_interval = std::chrono::milliseconds(100);
constexpr int time_share = 20;

WorkerFacts::Life life_of(const WorkerEntry& entry) {
    using Life = WorkerFacts::Life;
    switch (entry.state) {
        case WorkerState::running:
        case WorkerState::pausing:
        case WorkerState::paused: {
            const bool is_swapping =
                entry.swap && (!entry.swap->is_committed ||
                               entry.swap->handover->phase() == Handover::Phase::recalled);
            return is_swapping ? Life::changing : Life::at_work;
        }
        case WorkerState::created:
            return Life::halted;
        case WorkerState::stopped:
        case WorkerState::failed:
            return entry.is_stopped_by_operator && !entry.is_removed ? Life::halted : Life::ended;
        case WorkerState::lost:
            return Life::ended;
        default:
            return Life::changing;
    }
}

WorkerFacts facts_of(WorkerEntry& entry) {
    WorkerFacts facts;
    if (entry.worker != nullptr) {
        entry.note_beginning();
    }
    facts.life = life_of(entry);
    facts.is_loop = entry.type == nullptr || entry.type->run != nullptr;
    facts.has_on_drain = entry.type != nullptr && entry.type->on_drain != nullptr;
    facts.was_sent_to = entry.home->mailbox->was_sent_to();
    facts.activity = entry.began | (entry.worker == nullptr ? 0U : entry.worker->activity());
    return facts;
}

bool has_finished_all(const WorkerEntry& entry) {
    return entry.home->mailbox->counts().accepted == entry.finished;
}

}  // namespace

// Stops the host: the diff to the empty plan, with one deadline for all workers.
void Core::stop_host(Nanos grace, Ending::Cause cause, std::string reason) {
    const StopTimes times = stop_times(grace);
    stop_deadline_ = std::min(stop_deadline_, deadline_after(clock_.now(), times.drain));
    give_up_at_ = std::min(give_up_at_, deadline_after(clock_.now(), times.give_up));
    if (!is_ending()) {
        ending_ = Ending{cause, std::move(reason), {}};
        schedule_.clear();
        if (change_) {
            undo_change({Refusal::Code::host_ended, "the host is ending"});
        }
    }
    for (const auto& [name, entry] : entries_) {
        entry->is_removed = true;
        if (entry->state == WorkerState::pausing || entry->state == WorkerState::paused) {
            set_state(*entry, WorkerEvent::resume);
            entry->worker->request(Command::run);
        }
        if (can(*entry, WorkerEvent::lost)) {
            const Nanos latest =
                entry->state == WorkerState::stopping ? give_up_at_ : stop_deadline_;
            set_deadline(*entry, std::min(entry->deadline.value_or(forever), latest));
        }
    }
    needs_advance_ = true;
}

bool Core::is_all_at_rest() const {
    return std::all_of(entries_.begin(), entries_.end(), [](const auto& it) {
        const WorkerState state = it.second->state;
        return state == WorkerState::stopped || state == WorkerState::failed ||
               state == WorkerState::lost;
    });
}

void Core::advance() {
    needs_advance_ = false;
    if (change_) {
        return;  // no worker ends before all have begun
    }
    drain_what_may();
    if (!is_ending() && ends_ == Manager::When::all_done && has_anything_ended_ &&
        is_all_at_rest()) {
        stop_host(Nanos(0), Ending::Cause::finished, "");
    }
    retire_what_is_gone();
}

// Plans a look after a worker came to rest or lost a timer. If this happens often, the manager
// skips some looks. (On a manual clock a look takes no time.)
void Core::look_again() {
    if (clock_.now() >= earliest_look_) {
        needs_advance_ = true;
    } else {
        next_look_ = earliest_look_;
    }
}

HostFacts Core::host_facts() const {
    HostFacts facts;
    facts.phase = is_ending()     ? HostFacts::Phase::stopping
                  : is_work_done_ ? HostFacts::Phase::done
                                  : HostFacts::Phase::working;
    facts.ends_by_itself = ends_ == Manager::When::all_done;
    facts.is_changing =
        !schedule_.empty() || std::any_of(entries_.begin(), entries_.end(), [](const auto& it) {
            return it.second->is_removed && !is_at_rest(it.second->state) &&
                   it.second->state != WorkerState::lost;
        });
    return facts;
}

std::vector<GroupFacts> Core::group_facts() {
    std::vector<GroupFacts> made(flow_.size());
    for (std::size_t i = 0; i < flow_.size(); ++i) {
        made[i].upstream = flow_[i].upstream;
        made[i].is_cycle = flow_[i].is_cycle;
        for (WorkerEntry* const entry : flow_[i].entries) {
            if (entry != nullptr) {
                made[i].add(facts_of(*entry));
            }
        }
    }
    return made;
}

void Core::drain_what_may() {
    const Nanos begin = clock_.now();
    const DrainDecision decided = decide(group_facts(), host_facts());
    drain_groups(decided.drain);
    if (decided.if_quiet.empty() && !decided.is_host_next) {
        looking_since_.reset();
    } else {
        looking_since_ = looking_since_.value_or(begin);
        world_.rest_watch->arm();
        drain_quiet(decided);
        if (clock_.is_real()) {
            const Nanos end = clock_.now();
            const Nanos wanted = std::clamp((end - *looking_since_) / time_share,
                                            shortest_look_interval,
                                            longest_look_interval);
            earliest_look_ = end + std::max(wanted, (end - begin) * time_share);
        }
    }
    drain_leaving();
}

bool Core::drain_groups(const std::vector<std::size_t>& groups) {
    bool has_drained = false;
    for (const std::size_t group : groups) {
        if (is_fed_by_leaving(flow_[group])) {
            continue;
        }
        for (WorkerEntry* const entry : flow_[group].entries) {
            // A pause holds until the host ends: the queued messages of the worker wait.
            if (entry != nullptr && (entry->state == WorkerState::running ||
                                     (is_ending() && can(*entry, WorkerEvent::drain)))) {
                drain(*entry);
                has_drained = true;
            }
        }
    }
    return has_drained;
}

// Step 1 of drain_order.hpp. False: this worker has not finished all accepted messages.
bool Core::note_finished(WorkerEntry& entry) {
    const FlowCounts counts = entry.home->mailbox->counts();
    entry.finished = counts.finished();
    return entry.finished == counts.accepted;
}

// The three steps of drain_order.hpp for some workers. True: they have no unfinished message.
bool Core::are_quiet(const std::vector<WorkerEntry*>& entries) {
    GroupFacts facts;
    if (!std::all_of(entries.begin(), entries.end(), [this](WorkerEntry* it) {
            return note_finished(*it);
        })) {
        return false;
    }
    for (WorkerEntry* const entry : entries) {
        facts.add(facts_of(*entry));
    }
    return !facts.is_in_motion &&
           std::all_of(entries.begin(), entries.end(), [](const WorkerEntry* it) {
               return has_finished_all(*it);
           });
}

// Checks all workers that may have a message. Checks first the worker that was busy at the last
// look: on a busy host it probably still is, and one worker is enough.
bool Core::note_all_finished() {
    if (last_busy_ != nullptr && !is_at_rest(last_busy_->state) &&
        last_busy_->state != WorkerState::lost) {
        const FlowCounts counts = last_busy_->home->mailbox->counts();
        if (counts.finished() != counts.accepted) {
            return false;
        }
    }
    for (const auto& [name, entry] : entries_) {
        if (!is_at_rest(entry->state) && entry->state != WorkerState::lost &&
            !note_finished(*entry)) {
            last_busy_ = entry.get();
            return false;
        }
    }
    return true;
}

// The three steps of drain_order.hpp, for the groups and the host that `decided` names.
void Core::drain_quiet(const DrainDecision& decided) {
    std::vector<std::size_t> candidates;
    for (const std::size_t group : decided.if_quiet) {
        const auto& entries = flow_[group].entries;
        if (std::all_of(entries.begin(), entries.end(), [this](WorkerEntry* entry) {
                return entry == nullptr || note_finished(*entry);
            })) {
            candidates.push_back(group);
        }
    }
    const bool may_host = decided.is_host_next && note_all_finished();
    if (candidates.empty() && !may_host) {
        return;
    }
    const std::vector<GroupFacts> facts = group_facts();
    const DrainDecision now = decide(facts, host_facts());
    std::erase_if(candidates, [&](std::size_t group) {
        const auto& entries = flow_[group].entries;
        return facts[group].is_in_motion ||
               !std::binary_search(now.if_quiet.begin(), now.if_quiet.end(), group) ||
               !std::all_of(entries.begin(), entries.end(), [](const WorkerEntry* entry) {
                   return entry == nullptr || has_finished_all(*entry);
               });
    });
    if (drain_groups(candidates)) {
        return;  // the host is not quiet before these have ended
    }
    if (may_host && now.is_host_next && !now.is_in_motion &&
        std::all_of(entries_.begin(), entries_.end(), [](const auto& it) {
            return is_at_rest(it.second->state) || it.second->state == WorkerState::lost ||
                   has_finished_all(*it.second);
        })) {
        if (!is_work_done_) {
            end_working();
        } else {
            drain_groups(now.next);
        }
    }
}

// Records once that the host's work is done. The host accepts no more requests.
void Core::end_working() {
    spdlog::debug("all work is done: the workers drain");
    is_work_done_ = true;
    for (const auto& [name, entry] : entries_) {
        if (entry->state == WorkerState::created) {
            drain(*entry);  // this worker never ran
        } else if (entry->state == WorkerState::pausing || entry->state == WorkerState::paused) {
            entry->wants_pause = false;
            set_state(*entry, WorkerEvent::resume);
            entry->worker->request(Command::run);
            answer_all(entry->waiting_for_pause, Unexpected<Refusal>(*end_refusal()));
        }
    }
    drain_groups(decide(group_facts(), host_facts()).next);
}

void Core::retire_what_is_gone() {
    std::vector<WorkerEntry*> gone;
    for (const auto& [name, entry] : entries_) {
        if (entry->is_removed && (is_at_rest(entry->state) || entry->state == WorkerState::lost)) {
            gone.push_back(entry.get());
        }
    }
    bool has_left = false;
    for (WorkerEntry* const entry : gone) {
        has_left = has_left || entry->is_leaving;
        retire(*entry);
    }
    // Removes the routes to retired workers; once, not for each of many that end one by one.
    if (has_left && !is_ending() &&
        std::none_of(entries_.begin(), entries_.end(), [](const auto& it) {
            return it.second->is_leaving;
        })) {
        rewire();
    }
}

}  // namespace skep::host
