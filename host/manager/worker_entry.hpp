// Everything that the manager knows about one worker name. Used only by the manager's thread.
//
// The wanted state (wants_pause, is_removed, is_stopped_by_operator), the actual state (state), and
// the error of the last generation (error) are separate fields, and cannot overwrite each other.
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

// Answers a request. Called exactly once, at once or when a later report decides the request.
using Completion = std::function<void(Answer<Done>)>;

// The part of an entry in the plan that is being applied.
enum class ChangePart {
    none,
    making,  // it is started, and its instance is being created
    made,    // it is started, and waits until all instances are created
    swap,    // it gets a successor
};

// The code that a worker runs, its place, and the part of the plan that asks for them.
struct Revision {
    std::shared_ptr<const WorkerPlan> plan;
    std::shared_ptr<Library> library;
    const skep_worker_type* type = nullptr;  // of the library
    std::uint64_t generation = 0;
    std::shared_ptr<Pool> pool;  // null: the worker has its own thread

    [[nodiscard]] const WorkerTypeInfo* info() const;  // null: not opened yet
};

// The swap of a worker, from the offer to the end of the probation.
struct Swap {
    Revision other;  // the successor's until it is committed, then the predecessor's
    std::shared_ptr<Handover> handover;  // null until the instance is created
    bool is_committed = false;
    bool drops_state = false;
    std::uint64_t change = 0;            // the number of its PlanChange
    std::string recalled_with;           // the failed worker that causes a rollback; "": none
    std::optional<Nanos> probation_end;  // none: it has not begun
    // The call of the successor at the end of its probation, and if its hang has been reported.
    std::optional<CallSight> last_sight;
    bool is_hanging = false;
};

// A route that a removed worker keeps until it has ended. The order distinguishes its receiver from
// a later worker of the same name.
struct LastRoute {
    RoutePlan route;
    std::size_t receiver_order = 0;
};

// The inherited Revision is the one that it runs now. Its library stays from the first start to the
// removal.
struct WorkerEntry : Revision {
    std::shared_ptr<const WorkerHome> home;
    std::size_t order = 0;  // among all entries that this manager has made; the order of listings
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
    bool is_removed = false;              // by the plan: the entry goes when it is at rest
    bool is_leaving = false;              // a reload has removed it, and it has not ended yet
    std::vector<LastRoute> last_routes;   // the routes that it keeps while it is leaving
    std::size_t leaving_feeders = 0;      // routes to it from others that are leaving
    bool is_stopped_by_operator = false;  // it may be started again: the workers it feeds wait
    std::uint64_t pause_epoch = 0;        // of the command that state pausing waits for
    // The end of the present step: a draining worker must then stop, a stopping one is lost. Set
    // only by Core::set_deadline.
    std::optional<Nanos> deadline;
    std::optional<Nanos> give_up_at;  // by the grace of this worker; none: that of the host counts

    std::optional<Nanos> started, ended;
    std::optional<std::chrono::system_clock::time_point> started_wall, ended_wall;
    Nanos cpu{0};                // of a generation that has ended
    std::uint32_t began = 0;     // bits of Activity with which its generations began
    std::uint64_t finished = 0;  // the finished messages at the manager's last look

    std::vector<Completion> waiting_for_run;
    std::vector<Completion> waiting_for_pause;
    std::vector<Completion> waiting_for_end;

    [[nodiscard]] WorkerMetrics metrics(Nanos now) const;

    // Records how its worker began. Call it before the worker is gone.
    void note_beginning() { began |= worker->activity() & Activity::began; }

    // Exchanges its revision with `other`.
    void exchange_with(Revision& other) {
        std::swap(static_cast<Revision&>(*this), other);
        home->mailbox->set_direct_bound(plan->mailbox);
        home->mailbox->set_byte_bound(plan->queue_bytes);
    }
};

// Reads the current counts of a worker name: of its mailbox, and of the messages that it sent.
void read_counts(const WorkerHome& home, WorkerMetrics& into);

// Calls every completion in `waiting`, and clears the list.
void answer_all(std::vector<Completion>& waiting, const Answer<Done>& answer);

[[nodiscard]] Refusal bad_plan(std::string why);

// Returns "no worker 'a'".
[[nodiscard]] Refusal unknown(const std::string& worker);

// Returns "cannot pause worker 'a': it is stopped".
[[nodiscard]] Refusal cannot(std::string_view verb, const WorkerEntry& entry);

}  // namespace skep::host
