// The manager's inside: its queue, its thread, its entries. See manager.hpp for what it promises.
//
// The queue is the only thing here that other threads touch. Everything else belongs to the
// manager's thread: a request is a closure that runs there, a fact from a worker is another.
//
//   core.cpp        the queue, the loop, requests, time
//   launch.cpp      a plan being applied
//   swap.cpp        workers that get a successor
//   probation.cpp   how that ends
//   libraries.cpp   the plugins, as long as somebody needs them
//   pools.cpp       the pools, likewise
//   hangs.cpp       calls of plugins that hang
//   aside.cpp       what calls plugins, on threads of its own
//   lifecycle.cpp   what happens to one worker: start, facts, ends
//   ending.cpp      the order in which workers drain, and the end of the host
//   leaving.cpp     the workers that a reload removes, until they have ended
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
#include <thread>
#include <utility>
#include <vector>

#include "host/manager/drain_order.hpp"
#include "host/manager/event_queue.hpp"
#include "host/manager/flow.hpp"
#include "host/manager/manager.hpp"
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

    // [any-thread] Runs `action` on the manager's thread. False when that has ended.
    bool post(EventQueue::Action action) { return queue_->post(std::move(action)); }

    // [manager-thread] Until the host has ended.
    void loop();
    // [any-thread]
    Ending wait();

    // [manager-thread], all of them.
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
    // A successor that is to be created, or an instance that is to be destroyed, with its place if
    // it has one to itself. Its worker outlives it.
    struct PendingInstance {
        std::string worker;
        std::shared_ptr<Worker> owner;
        std::unique_ptr<Instance> instance;
        WorkerPlace place;
        Placement placement;  // of its thread
        std::string error;    // why it cannot be created
    };

    // Successors that are created, one after the other, on a thread aside. Their names stay.
    struct Creation {
        std::vector<PendingInstance> pending;
        std::atomic<std::size_t> at{0};  // the one in `create`; only shown, so any order will do
    };

    // A plan being applied, in two steps: instances are made, then successors take over. When all
    // have, the plan is in force; the first failure undoes what was begun, and it never was.
    struct PlanChange {
        std::uint64_t number = 0;
        std::shared_ptr<const Plan> next;
        std::vector<std::string> to_remove;
        StateLoss loss = StateLoss::refused;
        std::vector<WorkerEntry*> starts;  // receivers before their senders
        std::vector<WorkerEntry*> swaps;
        std::shared_ptr<const Creation> creation;  // null: no successor is to be created
        std::size_t making = 0;                    // how many have no instance yet
        std::size_t taking = 0;  // how many of those offered have not taken over yet
        std::deque<std::vector<WorkerEntry*>> waves;  // of swaps, that are to be offered yet
        Nanos deadline = forever;
        ApplySteps steps;  // each is set when it has ended
        Nanos step_begin{0};
        Completion reply;
    };

    // There may be another of the same name: one with other settings is another pool.
    struct StartedPool {
        PoolPlan plan;
        std::shared_ptr<Pool> pool;
    };

    // A thread of its own that calls plugins.
    struct Aside {
        std::thread thread;
        std::shared_ptr<std::atomic<pid_t>> id;
        std::function<std::string()> what;  // for people
        std::function<void()> keeps;
    };

    // A group of the plan's workers. Null: one that is gone.
    struct EntryGroup {
        std::vector<WorkerEntry*> entries;
        std::vector<std::size_t> upstream;
        bool is_cycle = false;
    };

    // A worker that is gone. Whoever still has the routes of a plan before may offer to its
    // mailbox, which is closed; its counts are therefore read when they are asked for.
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

    // Why no more work is taken from outside.
    [[nodiscard]] std::optional<Refusal> end_refusal() const;
    [[nodiscard]] Refusal absent(const std::string& worker) const;

    // libraries.cpp
    [[nodiscard]] Answer<Done> check_pinned(const std::string& path);
    Answer<Revision> open_revision(std::shared_ptr<const WorkerPlan> plan);
    Answer<Done> open_library(WorkerEntry& entry);
    void close_unused_libraries();
    void close_library(std::shared_ptr<Library> library);

    // launch.cpp
    [[nodiscard]] std::optional<Refusal> refusal_of(const Plan& next, const Changes& changes);
    [[nodiscard]] std::optional<Refusal> swaps_refusal(const Plan& next,
                                                       const Changes& changes,
                                                       const PluginInfos& plugins);
    void adopt(std::shared_ptr<const Plan> plan);
    void remember_plan_before(const std::shared_ptr<const Plan>& next);
    [[nodiscard]] std::optional<Refusal> prepare(PlanChange& launch,
                                                 const Changes& changes,
                                                 bool opens);
    void continue_change();
    void commit_change();
    void undo_change(const Refusal& why);
    void check_change(Nanos now);
    [[nodiscard]] std::string why_late(const WorkerEntry& late) const;
    [[nodiscard]] const WorkerEntry* full_receiver_of(const WorkerEntry& sender) const;
    [[nodiscard]] Nanos end_step(PlanChange& launch) const;

    // swap.cpp
    [[nodiscard]] std::optional<Refusal> successor_refusal(const WorkerEntry& entry,
                                                           const WorkerPlan& plan,
                                                           const PluginInfo& plugin,
                                                           StateLoss loss) const;
    [[nodiscard]] std::optional<Refusal> begin_swap(WorkerEntry& entry,
                                                    std::shared_ptr<const WorkerPlan> plan,
                                                    const PlanChange& launch);
    [[nodiscard]] std::optional<Refusal> begin_reconfiguration(
        WorkerEntry& entry, std::shared_ptr<const WorkerPlan> plan);
    [[nodiscard]] std::optional<Refusal> swap_refusal(const WorkerEntry& entry) const;
    [[nodiscard]] std::optional<Refusal> set_swap(WorkerEntry& entry, Swap swap);
    [[nodiscard]] PendingInstance pending_for(const WorkerEntry& entry) const;
    static void start_thread_of(PendingInstance& pending);
    void create_successors();
    void on_created(std::uint64_t launch, std::vector<PendingInstance>& pending);
    void offer_successors();
    [[nodiscard]] std::deque<std::vector<WorkerEntry*>> waves_of(
        const std::vector<WorkerEntry*>& swaps) const;
    void offer_wave();
    void on_swapped(WorkerEntry& entry);
    void commit_swap(WorkerEntry& entry);
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
    void end_probation(WorkerEntry& entry);
    void end_swap(WorkerEntry& entry);

    // aside.cpp
    [[nodiscard]] Result<Done, std::string> try_aside(std::function<std::string()> what,
                                                      std::function<void()> work,
                                                      EventQueue::Action then);
    void aside(const std::function<std::string()>& what,
               const std::function<void()>& work,
               EventQueue::Action then);
    void destroy_later(PendingInstance pending);
    void give_up_asides();

    // lifecycle.cpp
    void set_state(WorkerEntry& entry, WorkerEvent event);
    [[nodiscard]] bool can(const WorkerEntry& entry, WorkerEvent event) const;
    Answer<Done> start_pools(const Plan& plan);
    [[nodiscard]] Answer<std::shared_ptr<Pool>> pool_of(const WorkerPlan& worker,
                                                        const Plan& plan) const;
    void drop_pools();
    void look_at_pools();
    WorkerEntry& add_entry(std::shared_ptr<const WorkerPlan> shared, std::shared_ptr<Pool> pool);
    [[nodiscard]] Placement placement_of(const RunPlan& run) const;
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

    // The manager's thread alone.
    std::shared_ptr<const Plan> plan_ = std::make_shared<const Plan>();
    ApplySteps steps_;                                      // by which it came into force
    std::deque<std::shared_ptr<const Plan>> plans_before_;  // the last that was in force is last
    std::vector<EntryGroup> flow_;                          // as flow_groups()
    Rings rings_;
    std::vector<StartedPool> pools_;       // those that the plan has, or a worker is in
    std::optional<Nanos> next_pool_look_;  // for workers that block a thread
    std::optional<Nanos> next_hang_look_;  // for workers that hang in a call
    std::vector<int> own_cpus_;            // those that the process may use
    std::map<std::string, std::unique_ptr<WorkerEntry>> entries_;
    std::map<std::pair<std::string, std::string>, std::shared_ptr<Library>>
        libraries_;                      // by path and content
    std::set<const Library*> on_pools_;  // of these, those of which a plan had a worker on a pool
    std::deque<Retired> retired_;
    FlowCounts forgotten_accounting_;                 // of those that no longer fit into retired_
    std::multimap<pid_t, std::string> lost_threads_;  // and the workers that they were
    std::size_t entries_made_ = 0;
    std::optional<PlanChange> change_;
    std::uint64_t changes_begun_ = 0;

    // Until when the swap of whom is on probation: Swap::probation_end of each.
    std::set<std::pair<Nanos, std::string>> probations_;
    std::map<std::uint64_t, Aside> asides_;
    std::uint64_t asides_made_ = 0;
    Nanos asides_deadline_ = forever;      // at the end: then they are given up
    Nanos earliest_deadline_ = forever;    // no entry has one before that
    std::deque<SchedulePlan> schedule_;    // what is still to come
    std::optional<Nanos> schedule_start_;  // when the first plan ran
    std::uint64_t host_sequence_ = 0;
    std::optional<Ending> ending_;   // set when the end has begun
    Nanos stop_deadline_ = forever;  // of what drains, once the end has begun
    Nanos give_up_at_ = forever;     // likewise, of what was told to stop now
    bool is_work_done_ = false;      // the verdict: all that is left to do is to drain
    // Looking whether all messages are finished.
    std::optional<Nanos> next_look_;
    Nanos earliest_look_{0};                  // it is not worth it before
    std::optional<Nanos> looking_since_;      // without a result
    const WorkerEntry* last_busy_ = nullptr;  // that had a message when it was last looked for one
    bool has_anything_ended_ = false;
    bool needs_advance_ = false;  // something has changed since the last advance()

    std::promise<Ending> ended_;
    const std::shared_future<Ending> ended_future_{ended_.get_future()};
};

}  // namespace skep::host
