// The implementation of the manager: its queue, its thread, its entries. manager.hpp has the
// contract.
//
// Other threads touch only the queue. Everything else belongs to the manager's thread: requests and
// reports of workers are closures that run there.
//
//   core.cpp         the queue, the loop, requests, time
//   plan_change.cpp  applies a plan
//   swap.cpp         gives workers a successor
//   probation.cpp    ends swaps: the end of the probation, or a rollback
//   revisions.cpp    the library and the type of a worker
//   hangs.cpp        finds calls into plugins that hang
//   lifecycle.cpp    the life of one worker: start, reports, end
//   ending.cpp       the order in which workers drain, and the end of the host
//   leaving.cpp      the workers that a reload removes, until they have ended
//
// Parts that own their fields: HelperThreads, LibraryCache, PoolSet.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "host/manager/drain_order.hpp"
#include "host/manager/event_queue.hpp"
#include "host/manager/flow.hpp"
#include "host/manager/helper_threads.hpp"
#include "host/manager/library_cache.hpp"
#include "host/manager/manager.hpp"
#include "host/manager/pool_set.hpp"
#include "host/manager/route_builder.hpp"
#include "host/manager/worker_entry.hpp"
#include "host/topology/diff.hpp"

namespace skep::host {

class Core {
public:
    Core(Clock& clock,
         Loader& loader,
         Manager::When ends,
         const Manager::Limits& limits,
         ManagerObserver* observer);

    // [any-thread] Runs `action` on the manager's thread. False if that thread has ended.
    bool post(EventQueue::Action action) { return queue_->post(std::move(action)); }

    // [manager-thread] Runs until the host has ended.
    void loop();
    // [any-thread] Blocks until the host has ended.
    Ending wait();

    // The following are [manager-thread].
    void apply(std::shared_ptr<const Plan> next,
               bool starts,
               const Completion& reply,
               StateLoss loss = StateLoss::refused);
    void rollback(const Completion& reply, StateLoss loss);
    Answer<Done> check(const Plan& next, const PluginInfos& plugins);
    void create(WorkerPlan worker, const Completion& reply);
    void start(const std::string& worker, const Completion& reply);
    void pause(const std::string& worker, bool waits, const Completion& reply);
    void resume(const std::string& worker, const Completion& reply);
    void stop(const std::string& worker, const Completion& reply);
    void restart(const std::string& worker, const Completion& reply);
    Answer<Done> send(const std::string& worker, const std::string& payload);
    Answer<std::size_t> broadcast(const std::string& payload);
    Answer<WorkerMetrics> metrics_of(const std::string& worker);
    HostMetrics metrics();

    [[nodiscard]] const std::shared_ptr<const Plan>& plan() const { return plan_; }

    [[nodiscard]] const ApplySteps& steps() const { return steps_; }

    [[nodiscard]] std::vector<LibraryUse> libraries();

    // [any-thread]
    [[nodiscard]] const std::shared_ptr<Taps>& taps() const { return world_.taps; }

    void stop_host(Nanos grace, Ending::Cause cause, std::string reason);

    // [any-thread] After the loop has ended.
    [[nodiscard]] HostMetrics last_metrics() const { return collect(); }

private:
    // A successor to create or an instance to destroy, with its place if the place is its own. Its
    // worker outlives it.
    struct PendingInstance {
        std::string worker;
        std::shared_ptr<Worker> owner;
        std::unique_ptr<Instance> instance;
        WorkerPlace place;
        Placement placement;  // of its thread
        std::string error;    // why its creation failed
    };

    // Successors that a helper thread creates, one after the other. Their names stay.
    struct Creation {
        std::vector<PendingInstance> pending;
        std::atomic<std::size_t> at{0};  // the one in `create`; only shown, any memory order works
    };

    // A plan being applied, in two steps: the instances are created, then the successors become
    // active. When all are active, the plan is in force. The first failure aborts all of it, and
    // the plan was never in force.
    struct PlanChange {
        std::uint64_t number = 0;
        std::shared_ptr<const Plan> next;
        std::vector<std::string> to_remove;
        StateLoss loss = StateLoss::refused;
        std::vector<WorkerEntry*> starts;  // receivers before their senders
        std::vector<WorkerEntry*> swaps;
        std::shared_ptr<const Creation> creation;  // null: no successor has to be created
        std::size_t making = 0;                    // the number of workers without an instance
        std::size_t taking = 0;  // the number of offered successors that are not active yet
        std::deque<std::vector<WorkerEntry*>> waves;  // of swaps, not offered yet
        Nanos deadline = forever;
        ApplySteps steps;  // each is set when the step has ended
        Nanos step_begin{0};
        Completion reply;
    };

    // A group of the plan's workers. A null entry: the worker is gone.
    struct EntryGroup {
        std::vector<WorkerEntry*> entries;
        std::vector<std::size_t> upstream;
        bool is_cycle = false;
    };

    // A worker that is gone. A sender with an older route table may still offer messages to its
    // closed mailbox. Therefore its counts are read on demand.
    struct Retired {
        std::size_t order = 0;
        WorkerMetrics metrics;
        std::shared_ptr<const WorkerHome> home;
    };

    // core.cpp
    void tick();
    [[nodiscard]] Nanos next_deadline() const;
    void set_deadline(WorkerEntry& entry, Nanos deadline);
    [[nodiscard]] std::vector<WorkerEntry*> take_late(Nanos now);
    void run_schedule();
    WorkerEntry* find(const std::string& worker);
    [[nodiscard]] HostMetrics collect() const;
    Envelope host_envelope(const std::string& payload);

    [[nodiscard]] bool is_ending() const { return ending_.has_value(); }

    // Returns why the host accepts no more requests, or none.
    [[nodiscard]] std::optional<Refusal> end_refusal() const;
    [[nodiscard]] Refusal absent(const std::string& worker) const;

    // revisions.cpp
    Answer<Revision> open_revision(std::shared_ptr<const WorkerPlan> plan);
    Answer<Done> open_library(WorkerEntry& entry);
    [[nodiscard]] std::set<pid_t> known_threads() const;

    // plan_change.cpp
    [[nodiscard]] std::optional<Refusal> refusal_of(const Plan& next, const Changes& changes);
    [[nodiscard]] std::optional<Refusal> swaps_refusal(const Plan& next,
                                                       const Changes& changes,
                                                       const PluginInfos& plugins);
    void adopt(std::shared_ptr<const Plan> plan);
    void remember_plan_before(const std::shared_ptr<const Plan>& next);
    [[nodiscard]] std::optional<Refusal> prepare(PlanChange& change,
                                                 const Changes& changes,
                                                 bool opens);
    void continue_change();
    void commit_change();
    void undo_change(const Refusal& why);
    void check_change(Nanos now);
    [[nodiscard]] std::string why_late(const WorkerEntry& late) const;
    [[nodiscard]] const WorkerEntry* full_receiver_of(const WorkerEntry& sender) const;
    [[nodiscard]] Nanos end_step(PlanChange& change) const;

    // swap.cpp
    [[nodiscard]] std::optional<Refusal> successor_refusal(const WorkerEntry& entry,
                                                           const WorkerPlan& plan,
                                                           const PluginInfo& plugin,
                                                           StateLoss loss) const;
    [[nodiscard]] std::optional<Refusal> begin_swap(WorkerEntry& entry,
                                                    std::shared_ptr<const WorkerPlan> plan,
                                                    const PlanChange& change);
    [[nodiscard]] std::optional<Refusal> begin_reconfiguration(
        WorkerEntry& entry, std::shared_ptr<const WorkerPlan> plan);
    [[nodiscard]] std::optional<Refusal> swap_refusal(const WorkerEntry& entry) const;
    [[nodiscard]] std::optional<Refusal> set_swap(WorkerEntry& entry, Swap swap);
    [[nodiscard]] PendingInstance pending_for(const WorkerEntry& entry) const;
    static void start_thread_of(PendingInstance& pending);
    void create_successors();
    void on_created(std::uint64_t change, std::vector<PendingInstance>& pending);
    void offer_successors();
    [[nodiscard]] std::deque<std::vector<WorkerEntry*>> waves_of(
        const std::vector<WorkerEntry*>& swaps) const;
    void offer_wave();
    void on_swapped(WorkerEntry& entry);
    void commit_swap(WorkerEntry& entry);
    void destroy_later(PendingInstance pending);
    void resume_swapped(WorkerEntry& entry);
    void adopt_version_of(const WorkerEntry& entry);
    void withdraw_swap(WorkerEntry& entry);

    // probation.cpp
    void on_reverted(WorkerEntry& entry);
    void recall_those_with(const WorkerEntry& failed);
    void begin_probation(WorkerEntry& entry);
    void end_probations(Nanos now);
    [[nodiscard]] static bool is_in_that_call(const WorkerEntry& entry);
    [[nodiscard]] std::optional<Nanos> look_at_call(WorkerEntry& entry, Nanos now);
    [[nodiscard]] bool roll_back_hung(WorkerEntry& entry, const std::string& error);
    void end_lost_calls();
    void end_probation(WorkerEntry& entry);
    void end_swap(WorkerEntry& entry);

    // lifecycle.cpp
    void set_state(WorkerEntry& entry, WorkerEvent event);
    [[nodiscard]] bool can(const WorkerEntry& entry, WorkerEvent event) const;
    WorkerEntry& add_entry(std::shared_ptr<const WorkerPlan> shared, std::shared_ptr<Pool> pool);
    void rewire();
    void start_worker(WorkerEntry& entry);
    void on_report(const WorkerReport& fact);
    void on_ready(WorkerEntry& entry);
    void release(WorkerEntry& entry);
    void send_command(WorkerEntry& entry);
    void on_ended(WorkerEntry& entry, bool has_failed, const std::string& error);
    void drain(WorkerEntry& entry);
    void drain_alone(WorkerEntry& entry);
    void stop_now(WorkerEntry& entry);
    void set_give_up(WorkerEntry& entry);
    void lose(WorkerEntry& entry);
    void retire(WorkerEntry& entry);

    // hangs.cpp
    void watch_for_hangs();
    void look_for_hangs(Nanos now);

    // ending.cpp
    void advance();
    void look_again();
    void drain_what_may();
    // Whether it found a worker to drain: one that is paused does not drain before the host ends.
    bool drain_groups(const std::vector<std::size_t>& groups);
    void drain_quiet(const DrainDecision& decided);
    void end_working();
    void retire_what_is_gone();
    [[nodiscard]] HostFacts host_facts() const;
    [[nodiscard]] std::vector<GroupFacts> group_facts();
    [[nodiscard]] bool note_finished(WorkerEntry& entry);
    [[nodiscard]] bool note_all_finished();
    [[nodiscard]] bool are_quiet(const std::vector<WorkerEntry*>& entries);
    [[nodiscard]] bool is_all_at_rest() const;

    // leaving.cpp
    void begin_leaving(const std::vector<std::string>& workers);
    [[nodiscard]] std::shared_ptr<const Plan> plan_with_leaving();
    [[nodiscard]] static bool is_fed_by_leaving(const EntryGroup& group);
    void drain_leaving();
    void drain_leaving_cycles(const std::vector<WorkerEntry*>& waiting);
    void end_leaving(const WorkerEntry& entry);

    // Constant after construction.
    Clock& clock_;
    Loader& loader_;
    const Manager::When ends_;
    const Manager::Limits limits_;
    ManagerObserver* const observer_;  // may be null
    const std::shared_ptr<Parker> parker_;
    const std::shared_ptr<EventQueue> queue_;
    const WorkerWorld world_;
    const std::shared_ptr<const Worker::Report> report_;

    // Used only by the manager's thread.
    std::shared_ptr<const Plan> plan_ = std::make_shared<const Plan>();
    ApplySteps steps_;                                      // of the plan in force
    std::deque<std::shared_ptr<const Plan>> plans_before_;  // the previous plan is last
    std::vector<EntryGroup> flow_;                          // as flow_groups()
    Rings rings_;
    PoolSet pools_;
    HelperThreads helpers_;
    std::optional<Nanos> next_hang_look_;  // for workers that hang in a call
    std::map<std::string, std::unique_ptr<WorkerEntry>> entries_;
    LibraryCache libraries_;
    std::deque<Retired> retired_;
    FlowCounts forgotten_accounting_;                 // of workers that no longer fit in retired_
    std::multimap<pid_t, std::string> lost_threads_;  // and their workers
    std::vector<Worker::LostCall> lost_calls_;        // that have not returned
    std::size_t entries_made_ = 0;
    std::optional<PlanChange> change_;
    std::uint64_t changes_begun_ = 0;

    // Probation deadlines, as (Swap::probation_end, worker name).
    std::set<std::pair<Nanos, std::string>> probations_;
    Nanos helpers_deadline_ = forever;     // at the end of the host: then they are abandoned
    Nanos earliest_deadline_ = forever;    // no entry has an earlier deadline
    std::deque<SchedulePlan> schedule_;    // the entries that are still pending
    std::optional<Nanos> schedule_start_;  // when the first plan ran
    std::uint64_t host_sequence_ = 0;
    std::optional<Ending> ending_;   // set when the end has begun
    Nanos stop_deadline_ = forever;  // of draining workers, once the end has begun
    Nanos give_up_at_ = forever;     // likewise, of workers that must stop now
    bool is_work_done_ = false;      // the verdict: the workers only have to drain
    // The state of the search for unfinished messages.
    std::optional<Nanos> next_look_;
    Nanos earliest_look_{0};                  // no look before this time
    std::optional<Nanos> looking_since_;      // without a result
    const WorkerEntry* last_busy_ = nullptr;  // the worker that had a message at the last look
    bool has_anything_ended_ = false;
    bool needs_advance_ = false;  // something has changed since the last advance()

    std::promise<Ending> ended_;
    const std::shared_future<Ending> ended_future_{ended_.get_future()};
};

}  // namespace skep::host
