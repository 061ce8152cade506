#include "host/manager/host_end.hpp"

#include <algorithm>
#include <set>
#include <string_view>

#include <spdlog/spdlog.h>

#include "host/manager/flow.hpp"

namespace skep::host {

namespace {

// The shortest and the longest interval between looks for unfinished messages. In between, the
// manager notices the end of a conversation within a twentieth of its duration. Looks never take
// more than a twentieth of the manager's time.
constexpr Nanos shortest_look_interval = std::chrono::milliseconds(1);
constexpr Nanos longest_look_interval = std::chrono::milliseconds(100);
constexpr int time_share = 20;

// How often the manager checks if a cycle of leaving workers is quiet.
constexpr Nanos look_at_leaving_again = std::chrono::milliseconds(10);

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

// Step 1 of drain_order.hpp. False: this worker has not finished all accepted messages.
bool note_finished(WorkerEntry& entry) {
    const FlowCounts counts = entry.home->mailbox->counts();
    entry.finished = counts.finished();
    return entry.finished == counts.accepted;
}

// Step 3 of drain_order.hpp for some workers, whose queues take no message from then on. False: one
// of them has accepted a message since step 1, and all stay open.
bool close_queues_if_quiet(const std::vector<WorkerEntry*>& entries) {
    const auto busy = std::find_if_not(entries.begin(), entries.end(), [](WorkerEntry* it) {
        return it->home->mailbox->close_queue_if(it->finished);
    });
    if (busy == entries.end()) {
        return true;
    }
    std::for_each(
        entries.begin(), busy, [](WorkerEntry* it) { it->home->mailbox->reopen_queue(); });
    return false;
}

// The three steps of drain_order.hpp for some workers. True: they have no unfinished message, and
// their queues take no more.
bool close_if_quiet(const std::vector<WorkerEntry*>& entries) {
    GroupFacts facts;
    if (!std::all_of(
            entries.begin(), entries.end(), [](WorkerEntry* it) { return note_finished(*it); })) {
        return false;
    }
    for (WorkerEntry* const entry : entries) {
        facts.add(facts_of(*entry));
    }
    return !facts.is_in_motion && close_queues_if_quiet(entries);
}

bool is_fed_by_leaving(const EntryGroup& group) {
    return std::any_of(group.entries.begin(), group.entries.end(), [](const WorkerEntry* entry) {
        return entry != nullptr && entry->leaving_feeders > 0;
    });
}

}  // namespace

HostEnd::HostEnd(const WorkerWorld& world,
                 Manager::When ends,
                 WorkerTable& table,
                 const PlanInForce& plan,
                 Schedule& schedule)
    : clock_(*world.clock),
      rest_watch_(*world.rest_watch),
      ends_(ends),
      table_(table),
      plan_(plan),
      schedule_(schedule) {}

void HostEnd::begin(Nanos grace, Ending::Cause cause, std::string reason) {
    const StopTimes times = stop_times(grace);
    stop_deadline_ = std::min(stop_deadline_, deadline_after(clock_.now(), times.drain));
    table_.limit_give_up(deadline_after(clock_.now(), times.give_up));
    if (!is_ending()) {
        ending_ = Ending{cause, std::move(reason), {}};
        schedule_.clear();
    }
    for (const auto& [name, entry] : table_.entries()) {
        entry->is_removed = true;
        table_.run_to_end(*entry);
        if (can(*entry, WorkerEvent::lost)) {
            const Nanos latest =
                entry->state == WorkerState::stopping ? table_.give_up_at() : stop_deadline_;
            table_.set_deadline(*entry, std::min(entry->deadline.value_or(forever), latest));
        }
    }
    table_.note_change();
}

// Like is_over() for all, except for workers that never ran.
bool HostEnd::is_all_over() const {
    const auto& entries = table_.entries();
    return std::all_of(entries.begin(), entries.end(), [](const auto& it) {
        const WorkerState state = it.second->state;
        return state == WorkerState::stopped || state == WorkerState::failed ||
               state == WorkerState::lost;
    });
}

void HostEnd::advance() {
    drain_what_may();
    if (!is_ending() && ends_ == Manager::When::all_done && has_anything_ended_ && is_all_over()) {
        begin(Nanos(0), Ending::Cause::finished, "");
    }
}

// Plans a look after a worker came to rest or lost a timer. If this happens often, the manager
// skips some looks. (On a manual clock a look takes no time.)
void HostEnd::look_again() {
    if (clock_.now() >= earliest_look_) {
        table_.note_change();
    } else {
        next_look_ = earliest_look_;
    }
}

HostFacts HostEnd::host_facts() const {
    HostFacts facts;
    facts.phase = is_ending()     ? HostFacts::Phase::stopping
                  : is_work_done_ ? HostFacts::Phase::done
                                  : HostFacts::Phase::working;
    facts.ends_by_itself = ends_ == Manager::When::all_done;
    const auto& entries = table_.entries();
    facts.is_changing =
        schedule_.is_pending() || std::any_of(entries.begin(), entries.end(), [](const auto& it) {
            return it.second->is_removed && !is_over(*it.second);
        });
    return facts;
}

std::vector<GroupFacts> HostEnd::group_facts() const {
    std::vector<GroupFacts> made(plan_.flow().size());
    for (std::size_t i = 0; i < plan_.flow().size(); ++i) {
        made[i].upstream = plan_.flow()[i].upstream;
        made[i].is_cycle = plan_.flow()[i].is_cycle;
        for (WorkerEntry* const entry : plan_.flow()[i].entries) {
            if (entry != nullptr) {
                made[i].add(facts_of(*entry));
            }
        }
    }
    return made;
}

void HostEnd::drain_what_may() {
    const Nanos begin = clock_.now();
    const DrainDecision decided = decide(group_facts(), host_facts());
    drain_groups(decided.drain);
    if (decided.if_quiet.empty() && !decided.is_host_next) {
        looking_since_.reset();
    } else {
        looking_since_ = looking_since_.value_or(begin);
        rest_watch_.arm();
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

std::vector<WorkerEntry*> HostEnd::drainable(std::size_t group) const {
    std::vector<WorkerEntry*> found;
    if (is_fed_by_leaving(plan_.flow()[group])) {
        return found;
    }
    for (WorkerEntry* const entry : plan_.flow()[group].entries) {
        if (entry != nullptr && (entry->state == WorkerState::running ||
                                 (is_ending() && can(*entry, WorkerEvent::drain)))) {
            found.push_back(entry);
        }
    }
    return found;
}

void HostEnd::drain_groups(const std::vector<std::size_t>& groups) {
    for (const std::size_t group : groups) {
        for (WorkerEntry* const entry : drainable(group)) {
            table_.drain(*entry);
        }
    }
}

// Checks all workers that may have a message. Checks first the worker that was busy at the last
// look: on a busy host it probably still is, and one worker is enough.
bool HostEnd::note_all_finished() {
    if (last_busy_ != nullptr && !is_over(*last_busy_)) {
        const FlowCounts counts = last_busy_->home->mailbox->counts();
        if (counts.finished() != counts.accepted) {
            return false;
        }
    }
    for (const auto& [name, entry] : table_.entries()) {
        if (!is_over(*entry) && !note_finished(*entry)) {
            last_busy_ = entry.get();
            return false;
        }
    }
    return true;
}

// The three steps of drain_order.hpp, for the groups and the host that `decided` names.
void HostEnd::drain_quiet(const DrainDecision& decided) {
    std::vector<std::size_t> candidates;
    for (const std::size_t group : decided.if_quiet) {
        const auto& entries = plan_.flow()[group].entries;
        if (std::all_of(entries.begin(), entries.end(), [](WorkerEntry* entry) {
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
    bool has_drained = false;
    for (const std::size_t group : candidates) {
        const auto& entries = plan_.flow()[group].entries;
        const std::vector<WorkerEntry*> drains = drainable(group);
        const bool is_quiet =
            !facts[group].is_in_motion &&
            std::binary_search(now.if_quiet.begin(), now.if_quiet.end(), group) &&
            std::all_of(entries.begin(), entries.end(), [](const WorkerEntry* entry) {
                return entry == nullptr || has_finished_all(*entry);
            });
        if (!is_quiet || !close_queues_if_quiet(drains)) {
            continue;
        }
        for (WorkerEntry* const entry : drains) {
            table_.drain(*entry);
            has_drained = true;
        }
    }
    if (has_drained) {
        return;  // the host is not quiet before these have ended
    }
    const auto& entries = table_.entries();
    if (may_host && now.is_host_next && !now.is_in_motion &&
        std::all_of(entries.begin(), entries.end(), [](const auto& it) {
            return is_over(*it.second) || has_finished_all(*it.second);
        })) {
        if (!is_work_done_) {
            end_working();
        } else {
            drain_groups(now.next);
        }
    }
}

// Records once that the host's work is done. The host accepts no more requests.
void HostEnd::end_working() {
    spdlog::debug("all work is done: the workers drain");
    is_work_done_ = true;
    for (const auto& [name, entry] : table_.entries()) {
        if (entry->state == WorkerState::created) {
            table_.drain(*entry);  // this worker never ran
        } else if (entry->state == WorkerState::pausing || entry->state == WorkerState::paused) {
            entry->wants_pause = false;
            table_.run_to_end(*entry);
            answer_all(entry->waiting_for_pause, Unexpected<Refusal>(*refusal()));
        }
    }
    drain_groups(decide(group_facts(), host_facts()).next);
}

// Drains leaving workers whose feeders have ended. Includes the workers that an aborted plan had
// begun to start, which have no feeders.
void HostEnd::drain_leaving() {
    bool is_one_ending = false;
    std::vector<WorkerEntry*> waiting;
    for (const auto& [name, entry] : table_.entries()) {
        if (!entry->is_leaving && (!entry->is_removed || is_ending())) {
            continue;
        }
        if (!can(*entry, WorkerEvent::drain) || entry->leaving_feeders == 0) {
            is_one_ending = true;
        } else {
            waiting.push_back(entry.get());
        }
        if (can(*entry, WorkerEvent::drain) && entry->leaving_feeders == 0) {
            table_.drain_alone(*entry, plan_->stop_grace);
        }
    }
    if (!waiting.empty() && !is_one_ending) {
        drain_leaving_cycles(waiting);
    }
}

// Drains leaving workers that feed each other in a cycle. They drain when no message is left in the
// cycle, but after the time of a drain at the latest.
void HostEnd::drain_leaving_cycles(const std::vector<WorkerEntry*>& waiting) {
    Plan left;
    std::set<std::string_view> names;
    for (const WorkerEntry* const entry : waiting) {
        left.workers.push_back(*entry->plan);
        names.insert(entry->home->name);
    }
    for (const WorkerEntry* const entry : waiting) {
        for (const LastRoute& last : entry->last_routes) {
            if (names.contains(last.route.to)) {
                left.routes.push_back(last.route);
            }
        }
    }
    for (const FlowGroup& group : flow_groups(left)) {
        if (!group.upstream.empty()) {
            continue;
        }
        std::vector<WorkerEntry*> entries;
        for (const std::string& worker : group.workers) {
            entries.push_back(table_.find(worker));
        }
        const bool is_quiet = close_if_quiet(entries);
        for (WorkerEntry* const entry : entries) {
            if (is_quiet) {
                table_.drain_alone(*entry, plan_->stop_grace);
            } else if (!entry->deadline) {
                table_.set_deadline(
                    *entry, clock_.now() + entry->plan->stop_grace.value_or(plan_->stop_grace));
            }
        }
        if (!is_quiet) {
            next_look_ = clock_.now() + look_at_leaving_again;
        }
    }
}

std::optional<Refusal> HostEnd::refusal() const {
    if (is_work_done_) {
        return Refusal{Refusal::Code::host_ended, "the host is ending: all its work is done"};
    }
    if (ending_) {
        return Refusal{Refusal::Code::host_ended, "the host is ending"};
    }
    return std::nullopt;
}

void HostEnd::check_look(Nanos now) {
    if (next_look() <= now) {
        next_look_.reset();
        table_.note_change();
    }
}

void HostEnd::remove(const WorkerEntry& entry) {
    if (last_busy_ == &entry) {
        last_busy_ = nullptr;
    }
}

}  // namespace skep::host
