#include "host/manager/worker_table.hpp"

#include <algorithm>
#include <variant>

#include <spdlog/spdlog.h>

#include "host/base/assert.hpp"

namespace skep::host {

namespace {

// The number of workers that are gone and still listed one by one.
constexpr std::size_t retired_max = 1000;

}  // namespace

WorkerTable::WorkerTable(const WorkerWorld& world,
                         const PoolSet& pools,
                         LostThreads& lost,
                         std::shared_ptr<const Worker::Report> report)
    : world_(world),
      clock_(*world.clock),
      pools_(pools),
      lost_(lost),
      report_(std::move(report)) {}

WorkerEntry* WorkerTable::find(const std::string& worker) const {
    const auto found = entries_.find(worker);
    return found == entries_.end() ? nullptr : found->second.get();
}

WorkerEntry& WorkerTable::add(std::shared_ptr<const WorkerPlan> shared,
                              std::shared_ptr<Pool> pool) {
    const WorkerPlan& plan = *shared;
    auto entry = std::make_unique<WorkerEntry>();
    entry->plan = std::move(shared);
    entry->pool = std::move(pool);
    entry->order = entries_made_++;
    const auto parker = std::make_shared<ForwardingParker>(clock_.make_parker());
    entry->home = std::make_shared<const WorkerHome>(
        WorkerHome{plan.name,
                   std::make_shared<Mailbox>(parker, plan.mailbox),
                   std::make_shared<WorkerCounters>(),
                   parker});
    entry->home->mailbox->set_byte_bound(plan.queue_bytes);
    return *entries_.emplace(plan.name, std::move(entry)).first->second;
}

void WorkerTable::retire(const WorkerEntry& entry) {
    retired_.push_back({entry.order, entry.metrics(clock_.now()), entry.home});
    if (retired_.size() > retired_max) {
        read_counts(*retired_.front().home, retired_.front().metrics);
        forgotten_ += retired_.front().metrics.accounting();
        retired_.pop_front();
    }
    forget(entry);
}

void WorkerTable::forget(const WorkerEntry& entry) {
    entries_.erase(entries_.find(entry.home->name));  // destroys `entry`
}

HostMetrics WorkerTable::metrics() const {
    HostMetrics all;
    all.accounting = forgotten_;
    std::vector<std::pair<std::size_t, std::variant<const Retired*, const WorkerEntry*>>> ordered;
    ordered.reserve(retired_.size() + entries_.size());
    for (const Retired& it : retired_) {
        ordered.emplace_back(it.order, &it);
    }
    for (const auto& [name, entry] : entries_) {
        ordered.emplace_back(entry->order, entry.get());
    }
    std::sort(ordered.begin(), ordered.end());
    const Nanos now = clock_.now();
    all.workers.reserve(ordered.size());
    for (const auto& [order, it] : ordered) {
        if (const auto* const retired = std::get_if<const Retired*>(&it)) {
            read_counts(*(*retired)->home, all.workers.emplace_back((*retired)->metrics));
        } else {
            all.workers.push_back(std::get<const WorkerEntry*>(it)->metrics(now));
        }
        all.accounting += all.workers.back().accounting();
    }
    return all;
}

void WorkerTable::set_state(WorkerEntry& entry, WorkerEvent event) {
    const std::optional<WorkerState> next = next_state(entry.state, event);
    SKEP_ASSERT(next.has_value());
    spdlog::debug("worker '{}'@{}: {} -> {}",
                  entry.home->name,
                  entry.generation,
                  name_of(entry.state),
                  name_of(*next));
    entry.state = *next;
}

Result<Done, std::string> WorkerTable::start(WorkerEntry& entry) {
    set_state(entry, WorkerEvent::start);
    ++entry.generation;
    entry.error.clear();
    entry.is_stopped_by_operator = false;
    entry.wants_pause = false;
    entry.deadline.reset();
    entry.give_up_at.reset();
    entry.started = clock_.now();
    entry.started_wall = std::chrono::system_clock::now();
    entry.ended.reset();
    entry.ended_wall.reset();
    entry.hang_watch = {};
    entry.worker = std::make_shared<Worker>(
        world_,
        entry.home,
        Worker::Spec{
            entry.order,
            entry.pool != nullptr ? entry.home->parker->seat_in(*entry.pool) : nullptr,
            pools_.placement_of(entry.plan->run),
            {entry.generation, entry.library, entry.type, entry.plan->config, entry.plan->live}},
        report_);
    Result<Done, std::string> started = entry.worker->start();
    if (started) {
        set_state(entry, WorkerEvent::loaded);
    } else {
        entry.worker.reset();
    }
    return started;
}

void WorkerTable::release(WorkerEntry& entry) {
    if (entry.wants_pause) {
        set_state(entry, WorkerEvent::held);
        answer_all(entry.waiting_for_pause, Done{});
    } else {
        set_state(entry, WorkerEvent::ready);
        entry.worker->request(Command::run);
    }
    answer_all(entry.waiting_for_run, Done{});
    note_change();
}

void WorkerTable::send_command(WorkerEntry& entry) {
    const bool is_recalled = entry.swap && entry.swap->handover != nullptr &&
                             entry.swap->handover->phase() == Handover::Phase::recalled;
    if (entry.change_part == ChangePart::swap || is_recalled) {
        return;
    }
    const bool stands = entry.state == WorkerState::pausing || entry.state == WorkerState::paused;
    if (entry.state == WorkerState::running && entry.wants_pause) {
        set_state(entry, WorkerEvent::pause);
        entry.pause_epoch = entry.worker->request(Command::hold);
    } else if (stands && !entry.wants_pause) {
        set_state(entry, WorkerEvent::resume);
        (void)entry.worker->request(Command::run);
    } else if (entry.state == WorkerState::pausing) {
        entry.pause_epoch = entry.worker->request(Command::hold);
    } else if (entry.state == WorkerState::paused) {
        (void)entry.worker->request(Command::hold);
    } else if (entry.state == WorkerState::running) {
        (void)entry.worker->request(Command::run);
    }
}

void WorkerTable::drain(WorkerEntry& entry) {
    if (entry.state == WorkerState::draining || entry.state == WorkerState::stopping) {
        return;
    }
    entry.home->mailbox->close();
    set_state(entry, WorkerEvent::drain);
    if (entry.worker == nullptr) {  // this worker never ran
        answer_all(entry.waiting_for_end, Done{});
        entry.deadline.reset();
        note_change();
        return;
    }
    entry.worker->request(entry.state == WorkerState::draining ? Command::drain : Command::stop);
    if (entry.state == WorkerState::stopping) {
        set_give_up(entry);
    }
}

void WorkerTable::drain_alone(WorkerEntry& entry, Nanos grace) {
    const StopTimes times = stop_times(entry.plan->stop_grace.value_or(grace));
    const Nanos now = clock_.now();
    entry.give_up_at =
        std::min(entry.give_up_at.value_or(forever), deadline_after(now, times.give_up));
    set_deadline(entry,
                 std::min(entry.deadline.value_or(forever), deadline_after(now, times.drain)));
    drain(entry);
}

void WorkerTable::stop_now(WorkerEntry& entry) {
    entry.home->mailbox->close();
    set_state(entry, WorkerEvent::stop);
    entry.worker->request(Command::stop);
    set_give_up(entry);
}

// Sets the time at which a worker is lost if it has not returned, by its grace and the host's.
void WorkerTable::set_give_up(WorkerEntry& entry) {
    const Nanos without_grace = deadline_after(clock_.now(), stop_times(Nanos(0)).give_up);
    const Nanos latest = std::min(entry.give_up_at.value_or(forever), give_up_at_);
    set_deadline(entry, latest == forever ? without_grace : latest);
}

void WorkerTable::lose(WorkerEntry& entry) {
    set_state(entry, WorkerEvent::lost);
    entry.error = "did not stop in time";
    entry.deadline.reset();
    lost_.add(entry);
    entry.worker->give_up();
    spdlog::error("worker '{}'@{}: did not stop in time; its thread is abandoned",
                  entry.home->name,
                  entry.generation);
    entry.home->mailbox->dead_letter_rest();
    answer_all(entry.waiting_for_end, Unexpected<Refusal>(cannot("stop", entry)));
    answer_all(entry.waiting_for_pause, Unexpected<Refusal>(cannot("pause", entry)));
    note_change();
}

void WorkerTable::run_to_end(WorkerEntry& entry) {
    if (entry.state == WorkerState::pausing || entry.state == WorkerState::paused) {
        set_state(entry, WorkerEvent::resume);
        entry.worker->request(Command::run);
    }
}

void WorkerTable::end(WorkerEntry& entry, bool has_failed, const std::string& error) {
    set_state(entry, has_failed ? WorkerEvent::failed : WorkerEvent::exited);
    entry.error = error;
    entry.ended = clock_.now();
    entry.ended_wall = std::chrono::system_clock::now();
    entry.deadline.reset();
    entry.home->mailbox->close();
    if (const std::uint64_t rest = entry.home->mailbox->dead_letter_rest(); rest > 0) {
        spdlog::warn("worker '{}'@{}: {} queued messages became dead letters",
                     entry.home->name,
                     entry.generation,
                     rest);
    }
    if (has_failed) {
        skep::host::add(entry.home->counters->errors, 1);
    }
    note_change();
}

void WorkerTable::set_deadline(WorkerEntry& entry, Nanos deadline) {
    entry.deadline = deadline;
    earliest_deadline_ = std::min(earliest_deadline_, deadline);
}

// Searches only when a deadline may be over, not at each event.
std::vector<WorkerEntry*> WorkerTable::take_late(Nanos now) {
    std::vector<WorkerEntry*> late;
    if (now < earliest_deadline_) {
        return late;
    }
    earliest_deadline_ = forever;
    for (const auto& [name, entry] : entries_) {
        if (entry->deadline && *entry->deadline <= now) {
            late.push_back(entry.get());
        } else {
            earliest_deadline_ = std::min(earliest_deadline_, entry->deadline.value_or(forever));
        }
    }
    return late;
}

}  // namespace skep::host
