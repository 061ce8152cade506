// A entry: all that the manager knows of one worker name. The manager's thread alone touches it.
//
// What is wanted (wants_pause, is_removed, is_stopped_by_operator), what is (state), and how the
// last generation ended (error) are separate fields, so that none can overwrite another.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "host/base/clock.hpp"
#include "host/manager/hang_watch.hpp"
#include "host/manager/manager.hpp"
#include "host/worker/worker.hpp"

namespace skep::host {

// How a request is answered, once: at once, or when a later fact decides it.
using Completion = std::function<void(Answer<Done>)>;

// A entry's part in the plan that is being applied.
enum class ChangePart {
    none,
    making,  // it is started, and its instance is being made
    made,    // it is started, and holds until all of them are made
    swap,    // it gets a successor
};

// What a worker runs, and where: the code, and the part of the plan that says so.
struct Revision {
    std::shared_ptr<const WorkerPlan> plan;
    std::shared_ptr<Library> library;
    const skep_worker_type* type = nullptr;  // of the library
    std::uint64_t generation = 0;
    std::shared_ptr<Pool> pool;  // null: a thread of its own

    [[nodiscard]] const WorkerTypeInfo* info() const;  // null: not opened yet
};

// A worker being given a successor, from the offer to the end of the probation.
struct Swap {
    Revision other;  // the successor's until it is committed, then the predecessor's
    std::shared_ptr<Handover> handover;  // null until the instance is made
    bool is_committed = false;
    bool drops_state = false;
    std::uint64_t launch = 0;            // that it is part of
    std::string recalled_with;           // the worker that has failed; "": it is not recalled
    std::optional<Nanos> probation_end;  // none: it has not begun
    // Where the successor was at the end of its probation, and whether it has been reported that it
    // does not come back from there.
    std::optional<CallSight> last_sight;
    bool is_hanging = false;
};

// A route that a removed worker keeps until it has ended. The order tells its receiver from a later
// worker of the same name.
struct LastRoute {
    RoutePlan route;
    std::size_t receiver_order = 0;
};

// The version is what it runs now; its library stays from the first start to the removal.
struct WorkerEntry : Revision {
    std::shared_ptr<const WorkerHome> home;
    std::size_t order = 0;  // among all that this manager ever made; the order of listings
    std::optional<std::size_t> group;  // of Core::flow_; none: the plan does not have it
    std::size_t place = 0;             // in that group
    ChangePart change_part = ChangePart::none;

    std::shared_ptr<Worker> worker;  // while there is a thread
    HangWatch hang_watch;            // of it
    std::optional<Swap> swap;
    std::uint64_t swaps = 0, rollbacks = 0;  // over all generations
    std::optional<SwapMetrics> last_swap;

    WorkerState state = WorkerState::created;
    std::string error;

    bool wants_pause = false;
    bool is_removed = false;              // by the plan: it goes when it is at rest
    bool is_leaving = false;              // a reload has removed it, and it has not ended yet
    std::vector<LastRoute> last_routes;   // of one that is leaving: what it still sends to whom
    std::size_t leaving_feeders = 0;      // routes to it of others that are leaving
    bool is_stopped_by_operator = false;  // it may be started again: those it feeds wait for it
    std::uint64_t pause_epoch = 0;        // of the command that state pausing waits for
    // When the time for the present way of ending is over: draining is stopped, stopping is lost.
    // Set by Core::set_deadline alone.
    std::optional<Nanos> deadline;
    std::optional<Nanos> give_up_at;  // by the grace of this worker; none: that of the host decides

    std::optional<Nanos> started, ended;
    std::optional<std::chrono::system_clock::time_point> started_wall, ended_wall;
    Nanos cpu{0};                // of a generation that has ended
    std::uint32_t began = 0;     // bits of Activity, of all generations: what they began with
    std::uint64_t finished = 0;  // messages, when the manager last looked whether all are

    std::vector<Completion> waiting_for_run;
    std::vector<Completion> waiting_for_pause;
    std::vector<Completion> waiting_for_end;

    [[nodiscard]] WorkerMetrics metrics(Nanos now) const;

    // What its worker began with, before that is gone.
    void note_beginning() { began |= worker->activity() & Activity::began; }

    // What it runs is `other` from now on, which becomes what it ran.
    void exchange_with(Revision& other) {
        std::swap(static_cast<Revision&>(*this), other);
        home->mailbox->set_direct_bound(plan->mailbox);
        home->mailbox->set_byte_bound(plan->queue_bytes);
    }
};

// Reads the counts of a name as they are now: those of its mailbox, and those of what it sent.
void read_counts(const WorkerHome& home, WorkerMetrics& into);

// Answers everyone in `waiting`, and forgets them.
void answer_all(std::vector<Completion>& waiting, const Answer<Done>& answer);

[[nodiscard]] Refusal bad_plan(std::string why);

// "cannot pause worker 'a': it is stopped"
[[nodiscard]] Refusal cannot(std::string_view verb, const WorkerEntry& entry);

}  // namespace skep::host
