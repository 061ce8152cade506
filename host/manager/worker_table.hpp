// The workers of a host by name: entries, states, deadlines, and commands to one worker. Workers
// that are gone stay listed for a while.
//
// Every change of an entry that may let another worker go on is noted: see take_change().
//
// All functions: [manager-thread], if not marked otherwise.
#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "host/manager/lost_threads.hpp"
#include "host/manager/pool_set.hpp"
#include "host/manager/worker_entry.hpp"

namespace skep::host {

class WorkerTable {
public:
    using Entries = std::map<std::string, std::unique_ptr<WorkerEntry>>;

    // All references must outlive this object.
    WorkerTable(const WorkerWorld& world,
                const PoolSet& pools,
                LostThreads& lost,
                std::shared_ptr<const Worker::Report> report);

    [[nodiscard]] const Entries& entries() const { return entries_; }

    // Returns null if there is no such worker.
    [[nodiscard]] WorkerEntry* find(const std::string& worker) const;

    // Adds an entry in state created. Precondition: there is none of this name.
    WorkerEntry& add(std::shared_ptr<const WorkerPlan> shared, std::shared_ptr<Pool> pool);
    // Removes an entry at rest, and keeps its counts.
    void retire(const WorkerEntry& entry);
    // Removes an entry that was never in force.
    void forget(const WorkerEntry& entry);

    // Returns the metrics of all workers, also of those that are gone. [any-thread] after the
    // manager has ended.
    [[nodiscard]] HostMetrics metrics() const;

    // -- Changes. --

    void note_change() { has_changed_ = true; }

    // Returns true if a change was noted since the last call.
    [[nodiscard]] bool take_change() { return std::exchange(has_changed_, false); }

    // -- One worker. --

    // The only function that changes the state of an entry. Precondition: can(entry, event).
    static void set_state(WorkerEntry& entry, WorkerEvent event);

    // Starts the worker's thread, or gives it its seat. The worker creates its instance, and
    // reports. On an error call end().
    [[nodiscard]] Result<Done, std::string> start(WorkerEntry& entry);
    // Lets a created worker run, which has waited for the others.
    void release(WorkerEntry& entry);
    // Sends the wanted state to a worker that is paused or runs. During an undecided swap this
    // waits: a new command would replace Command::swap.
    void send_command(WorkerEntry& entry);
    // Resumes a worker that is pausing or paused, because the host ends.
    void run_to_end(WorkerEntry& entry);
    // Ends a worker after its queued messages; it accepts no new ones. A paused worker runs again
    // for this.
    void drain(WorkerEntry& entry);
    // Drains one worker while the host continues. `grace`: that of the plan.
    void drain_alone(WorkerEntry& entry, Nanos grace);
    void stop_now(WorkerEntry& entry);
    // Abandons the thread of a worker that did not stop in time.
    void lose(WorkerEntry& entry);
    // Records that the worker has ended. Its queued messages become dead letters.
    void end(WorkerEntry& entry, bool has_failed, const std::string& error);

    // -- Deadlines: a draining worker must then stop, a stopping one is lost. --

    void set_deadline(WorkerEntry& entry, Nanos deadline);

    // No worker is lost later than this. Only shortens.
    void limit_give_up(Nanos give_up_at) { give_up_at_ = std::min(give_up_at_, give_up_at); }

    [[nodiscard]] Nanos give_up_at() const { return give_up_at_; }

    [[nodiscard]] Nanos next_deadline() const { return earliest_deadline_; }

    // Returns the entries whose deadline is over.
    [[nodiscard]] std::vector<WorkerEntry*> take_late(Nanos now);

private:
    // A worker that is gone. A sender with an older route table may still offer messages to its
    // closed mailbox. Therefore its counts are read on demand.
    struct Retired {
        std::size_t order = 0;
        WorkerMetrics metrics;
        std::shared_ptr<const WorkerHome> home;
    };

    void set_give_up(WorkerEntry& entry);

    const WorkerWorld& world_;
    Clock& clock_;
    const PoolSet& pools_;
    LostThreads& lost_;
    const std::shared_ptr<const Worker::Report> report_;
    Entries entries_;
    std::size_t entries_made_ = 0;
    std::deque<Retired> retired_;
    FlowCounts forgotten_;               // of workers that no longer fit in retired_
    Nanos earliest_deadline_ = forever;  // no entry has an earlier deadline
    Nanos give_up_at_ = forever;         // of workers that must stop now, once the host ends
    bool has_changed_ = false;
};

// True if the state of the entry allows `event`.
[[nodiscard]] inline bool can(const WorkerEntry& entry, WorkerEvent event) {
    return next_state(entry.state, event).has_value();
}

// True if the worker has ended, or never ran, or is lost.
[[nodiscard]] inline bool is_over(const WorkerEntry& entry) {
    return is_at_rest(entry.state) || entry.state == WorkerState::lost;
}

}  // namespace skep::host
