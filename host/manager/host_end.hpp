// The end of a host: decides when each worker may drain, and when the host is done. Runs after
// every change and decides from the current facts, not from past events. Thus no order of events
// can make it forget a worker. drain_order.hpp has the rules.
//
// Workers that a reload has removed drain here, too: none, leaving or of the plan, before the
// leaving workers that feed it.
//
// All functions: [manager-thread].
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "host/manager/drain_order.hpp"
#include "host/manager/plan_in_force.hpp"
#include "host/manager/schedule.hpp"
#include "host/manager/worker_table.hpp"

namespace skep::host {

class HostEnd {
public:
    // All references must outlive this object.
    HostEnd(const WorkerWorld& world,
            Manager::When ends,
            WorkerTable& table,
            const PlanInForce& plan,
            Schedule& schedule);

    // Begins the end of the host: the diff to the empty plan, with one deadline for all workers. A
    // second call can only shorten the time.
    void begin(Nanos grace, Ending::Cause cause, std::string reason);

    [[nodiscard]] bool is_ending() const { return ending_.has_value(); }

    // True once all work is done and the workers only have to drain.
    [[nodiscard]] bool is_work_done() const { return is_work_done_; }

    // Returns why the host accepts no more requests, or none.
    [[nodiscard]] std::optional<Refusal> refusal() const;

    // Precondition: is_ending().
    [[nodiscard]] const Ending& ending() const { return *ending_; }

    // Drains the workers that may drain now. Begins the end when all are done.
    void advance();

    // A worker came to rest or lost a timer: plans a look for unfinished messages.
    void look_again();

    // When a look is due.
    [[nodiscard]] Nanos next_look() const { return next_look_.value_or(forever); }

    void check_look(Nanos now);

    void note_ended() { has_anything_ended_ = true; }

    // The entry is about to be removed from the table.
    void remove(const WorkerEntry& entry);

private:
    [[nodiscard]] HostFacts host_facts() const;
    [[nodiscard]] std::vector<GroupFacts> group_facts() const;
    [[nodiscard]] bool note_all_finished();
    [[nodiscard]] bool is_all_over() const;
    void drain_what_may();
    // Returns the workers of a group that may drain: none while leaving workers feed the group. A
    // pause holds until the host ends: the queued messages of the worker wait.
    [[nodiscard]] std::vector<WorkerEntry*> drainable(std::size_t group) const;
    void drain_groups(const std::vector<std::size_t>& groups);
    void drain_quiet(const DrainDecision& decided);
    void end_working();
    void drain_leaving();
    void drain_leaving_cycles(const std::vector<WorkerEntry*>& waiting);

    Clock& clock_;
    RestWatch& rest_watch_;
    const Manager::When ends_;
    WorkerTable& table_;
    const PlanInForce& plan_;
    Schedule& schedule_;

    std::optional<Ending> ending_;   // set when the end has begun
    Nanos stop_deadline_ = forever;  // of draining workers, once the end has begun
    bool is_work_done_ = false;
    bool has_anything_ended_ = false;
    // The state of the search for unfinished messages.
    std::optional<Nanos> next_look_;
    Nanos earliest_look_{0};                  // no look before this time
    std::optional<Nanos> looking_since_;      // without a result
    const WorkerEntry* last_busy_ = nullptr;  // the worker that had a message at the last look
};

}  // namespace skep::host
