#include "host/manager/probation_set.hpp"

#include <algorithm>
#include <chrono>

#include <spdlog/spdlog.h>

#include "host/manager/flow.hpp"

namespace skep::host {

using Phase = Handover::Phase;

namespace {

// How often the manager looks at a successor that is in a call at the end of its probation.
constexpr Nanos call_look_every = std::chrono::milliseconds(20);

}  // namespace

ProbationSet::ProbationSet(WorkerTable& table,
                           PlanInForce& plan,
                           const PoolSet& pools,
                           LostThreads& lost,
                           InstanceDisposal& disposal,
                           LibraryCache& libraries,
                           Clock& clock,
                           ManagerObserver* observer)
    : table_(table),
      plan_(plan),
      pools_(pools),
      lost_(lost),
      disposal_(disposal),
      libraries_(libraries),
      clock_(clock),
      observer_(observer) {}

void ProbationSet::on_reverted(WorkerEntry& entry) {
    Swap& swap = *entry.swap;
    if (swap.is_committed) {
        ManagerObserver::Reverted told{entry.home->name,
                                       entry.generation,
                                       swap.other.generation,
                                       swap.handover->consumed,
                                       swap.handover->error,
                                       swap.handover->has_failed ? "" : swap.recalled_with};
        entry.exchange_with(swap.other);
        ++entry.rollbacks;
        plan_.adopt_version_of(entry);
        if (told.with.empty()) {
            add(entry.home->counters->errors, 1);
            spdlog::error(
                "worker '{}'@{}: failed on probation after {} messages; generation {} is back: {}",
                told.worker,
                told.failed,
                told.consumed,
                told.back,
                told.error);
        } else {
            spdlog::warn(
                "worker '{}'@{}: rolled back after {} messages, with '{}'; generation {} is back{}",
                told.worker,
                told.failed,
                told.consumed,
                told.with,
                told.back,
                told.error);
        }
        if (observer_ != nullptr) {
            observer_->reverted(told);
        }
        table_.send_command(entry);
        if (told.with.empty()) {
            recall_those_with(entry);
        }
    }
    end_swap(entry);
}

// Rolls back the other successors of the same plan that routes join to the failed one: their
// messages may not fit the older version.
void ProbationSet::recall_those_with(const WorkerEntry& failed) {
    std::set<std::string> came_with_it;
    for (const auto& [name, entry] : table_.entries()) {
        if (entry->swap && entry->swap->is_committed &&
            entry->swap->change == failed.swap->change) {
            came_with_it.insert(name);
        }
    }
    for (const std::string& name : joined_to(failed.home->name, came_with_it, plan_->routes)) {
        WorkerEntry& entry = *table_.find(name);
        const bool is_at_work = entry.state == WorkerState::running ||
                                entry.state == WorkerState::pausing ||
                                entry.state == WorkerState::paused;
        if (is_at_work && entry.swap->handover->move(Phase::committed, Phase::recalled)) {
            entry.swap->recalled_with = failed.home->name;
            entry.worker->recall();
        }
    }
}

void ProbationSet::begin(WorkerEntry& entry) {
    entry.swap->probation_end =
        deadline_after(clock_.now(), entry.plan->probation.value_or(plan_->probation));
    deadlines_.emplace(*entry.swap->probation_end, entry.home->name);
    if (observer_ != nullptr) {
        observer_->swapped(entry.home->name, entry.generation);
    }
}

void ProbationSet::end_due(Nanos now) {
    while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
        const auto [deadline, worker] = deadlines_.extract(deadlines_.begin()).value();
        WorkerEntry* const entry = table_.find(worker);
        if (entry == nullptr || !entry->swap || entry->swap->probation_end != deadline) {
            continue;
        }
        if (const std::optional<Nanos> later = look_at_call(*entry, now)) {
            entry->swap->probation_end = later;
            deadlines_.emplace(*later, worker);
        } else {
            end(*entry);
        }
    }
}

bool ProbationSet::is_in_that_call(const WorkerEntry& entry) {
    const std::optional<CallSight>& last = entry.swap->last_sight;
    return entry.worker != nullptr && last && last->call != nullptr && !last->is_asleep &&
           *last == entry.worker->sight();
}

// Keeps a successor that is in a call at the end of its probation on probation until the call
// returns. Rolls it back if the call lasts as long as the probation, but at least one second; if
// that is impossible, reports the hang. Returns the time of the next look. None: the successor is
// in no call, or is being ended.
std::optional<Nanos> ProbationSet::look_at_call(WorkerEntry& entry, Nanos now) {
    const bool is_at_work =
        entry.state == WorkerState::running || entry.state == WorkerState::pausing;
    if (entry.worker != nullptr && !entry.swap->last_sight) {
        entry.swap->last_sight = entry.worker->sight();
    }
    if (!is_at_work || !is_in_that_call(entry)) {
        if (entry.swap->is_hanging) {
            spdlog::info(
                "worker '{}'@{}: has returned from its call", entry.home->name, entry.generation);
        }
        return std::nullopt;
    }
    const Nanos patience =
        std::max(entry.plan->probation.value_or(plan_->probation), Nanos(std::chrono::seconds(1)));
    const Nanos lasts = now - Nanos(entry.swap->last_sight->checkpoint);
    if (lasts < patience) {
        return now + std::min(patience - lasts, call_look_every);
    }
    const double seconds = std::chrono::duration<double>(lasts).count();
    if (roll_back_hung(entry,
                       fmt::format("it has been in {} for {:.1f} s, and its thread is left behind",
                                   entry.swap->last_sight->call,
                                   seconds))) {
        return std::nullopt;
    }
    if (!std::exchange(entry.swap->is_hanging, true)) {
        add(entry.home->counters->errors, 1);
        spdlog::error(
            "worker '{}'@{}: has not returned from a call for {:.1f} s on probation; its thread "
            "cannot be interrupted, and generation {} stands by",
            entry.home->name,
            entry.generation,
            seconds,
            entry.swap->other.generation);
        if (observer_ != nullptr) {
            observer_->hangs(entry.home->name, entry.generation, lasts);
        }
    }
    return now + call_look_every;
}

bool ProbationSet::roll_back_hung(WorkerEntry& entry, const std::string& error) {
    std::optional<Worker::LostCall> lost = entry.worker->roll_back_hung(
        *entry.swap->handover, pools_.placement_of(entry.swap->other.plan->run), error);
    if (!lost) {
        return false;
    }
    lost_.add(std::move(*lost));
    entry.hang_watch = {};
    return true;
}

void ProbationSet::on_left() {
    for (Worker::LostCall& it : lost_.take_returned()) {
        spdlog::info("worker '{}'@{}: has returned from its call; its thread ends",
                     it.worker->name(),
                     it.instance->generation());
        PendingInstance pending;
        pending.worker = it.worker->name();
        pending.owner = std::move(it.worker);
        pending.instance = std::move(it.instance);
        pending.place.thread = std::move(it.thread);
        disposal_.destroy_later(std::move(pending));
    }
}

void ProbationSet::end(WorkerEntry& entry) {
    // If the move fails, the successor has just failed or is being rolled back, and its report
    // follows.
    if (entry.swap->handover->move(Phase::committed, Phase::closed)) {
        if (observer_ != nullptr && !entry.swap->handover->is_reconfiguration()) {
            observer_->settled(entry.home->name, entry.generation);
        }
        end_swap(entry);
    }
}

void ProbationSet::end_swap(WorkerEntry& entry) {
    Swap ended = *std::exchange(entry.swap, std::nullopt);
    if (ended.probation_end) {
        deadlines_.erase({*ended.probation_end, entry.home->name});
    }
    if (ended.handover != nullptr && ended.handover->other != nullptr) {
        PendingInstance pending;
        pending.worker = entry.home->name;
        pending.owner = entry.worker;
        pending.instance = std::move(ended.handover->other);
        pending.place = std::move(ended.handover->place);
        pending.owner->dismiss(pending.place);
        disposal_.destroy_later(std::move(pending));
    }
    ended = {};
    libraries_.close_unused();
}

}  // namespace skep::host
