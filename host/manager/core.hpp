// The manager's inside: its queue, its thread, its slots. See manager.hpp for what it promises.
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
#include "host/manager/slot.hpp"
#include "host/manager/wiring.hpp"
#include "host/topology/diff.hpp"

namespace skep::host {

class Core {
public:
    Core(Clock& clock,
         Loader& loader,
         Manager::When ends,
         const Manager::Limits& limits,
         Witness* witness);

    // [any-thread] Runs `action` on the manager's thread. False when that has ended.
    bool post(EventQueue::Action action) { return queue_->post(std::move(action)); }

    // [manager-thread] Until the host has ended.
    void loop();
    // [any-thread]
    Ending wait();

    // [manager-thread], all of them.
    void apply(std::shared_ptr<const Plan> next,
               bool starts,
               const Reply& reply,
               StateLoss loss = StateLoss::refused);
    void rollback(const Reply& reply, StateLoss loss);
    Answer<Done> check(const Plan& next, const PluginInfos& plugins);
    void create(WorkerPlan worker, const Reply& reply);
    void start(const std::string& worker, const Reply& reply);
    void pause(const std::string& worker, bool waits, const Reply& reply);
    void resume(const std::string& worker, const Reply& reply);
    void stop(const std::string& worker, const Reply& reply);
    void restart(const std::string& worker, const Reply& reply);
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
    struct Spare {
        std::string worker;
        std::shared_ptr<Worker> owner;
        std::unique_ptr<Instance> instance;
        WorkerPlace place;
        Placement placement;  // of its thread
        std::string error;    // why it cannot be created
    };

    // Successors that are created, one after the other, on a thread aside. Their names stay.
    struct Creation {
        std::vector<Spare> spares;
        std::atomic<std::size_t> at{0};  // the one in `create`; only shown, so any order will do
    };

    // A plan being applied, in two steps: instances are made, then successors take over. When all
    // have, the plan is in force; the first failure undoes what was begun, and it never was.
    struct Launch {
        std::uint64_t number = 0;
        std::shared_ptr<const Plan> next;
        std::vector<std::string> to_remove;
        StateLoss loss = StateLoss::refused;
        std::vector<Slot*> starts;  // receivers before their senders
        std::vector<Slot*> swaps;
        std::shared_ptr<const Creation> creation;  // null: no successor is to be created
        std::size_t making = 0;                    // how many have no instance yet
        std::size_t taking = 0;                // how many of those offered have not taken over yet
        std::deque<std::vector<Slot*>> waves;  // of swaps, that are to be offered yet
        Nanos deadline = forever;
        ApplySteps steps;  // each is set when it has ended
        Nanos step_begin{0};
        Reply reply;
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
    struct SlotGroup {
        std::vector<Slot*> slots;
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
    void set_deadline(Slot& slot, Nanos deadline);
    [[nodiscard]] std::vector<Slot*> take_late(Nanos now);
    void run_schedule();
    Slot* find(const std::string& worker);
    [[nodiscard]] HostMetrics collect() const;
    Envelope host_envelope(const std::string& payload);

    [[nodiscard]] bool is_ending() const { return ending_.has_value(); }

    // Why no more work is taken from outside.
    [[nodiscard]] std::optional<Refusal> end_refusal() const;
    [[nodiscard]] Refusal absent(const std::string& worker) const;

    // libraries.cpp
    [[nodiscard]] Answer<Done> check_pinned(const std::string& path);
    Answer<Version> open_version(std::shared_ptr<const WorkerPlan> plan);
    Answer<Done> open_library(Slot& slot);
    void close_unused_libraries();
    void close_library(std::shared_ptr<Library> library);

    // launch.cpp
    [[nodiscard]] std::optional<Refusal> refusal_of(const Plan& next, const Changes& changes);
    [[nodiscard]] std::optional<Refusal> swaps_refusal(const Plan& next,
                                                       const Changes& changes,
                                                       const PluginInfos& plugins);
    void adopt(std::shared_ptr<const Plan> plan);
    void remember_plan_before(const std::shared_ptr<const Plan>& next);
    [[nodiscard]] std::optional<Refusal> prepare(Launch& launch,
                                                 const Changes& changes,
                                                 bool opens);
    void continue_launch();
    void commit_launch();
    void undo_launch(const Refusal& why);
    void check_launch(Nanos now);
    [[nodiscard]] std::string why_late(const Slot& late) const;
    [[nodiscard]] const Slot* full_receiver_of(const Slot& sender) const;
    [[nodiscard]] Nanos end_step(Launch& launch) const;

    // swap.cpp
    [[nodiscard]] std::optional<Refusal> successor_refusal(const Slot& slot,
                                                           const WorkerPlan& plan,
                                                           const PluginInfo& plugin,
                                                           StateLoss loss) const;
    [[nodiscard]] std::optional<Refusal> begin_swap(Slot& slot,
                                                    std::shared_ptr<const WorkerPlan> plan,
                                                    const Launch& launch);
    [[nodiscard]] std::optional<Refusal> begin_reconfiguration(
        Slot& slot, std::shared_ptr<const WorkerPlan> plan);
    [[nodiscard]] std::optional<Refusal> swap_refusal(const Slot& slot) const;
    [[nodiscard]] std::optional<Refusal> set_swap(Slot& slot, Swap swap);
    [[nodiscard]] Spare spare_for(const Slot& slot) const;
    static void start_thread_of(Spare& spare);
    void create_successors();
    void on_created(std::uint64_t launch, std::vector<Spare>& spares);
    void offer_successors();
    [[nodiscard]] std::deque<std::vector<Slot*>> waves_of(const std::vector<Slot*>& swaps) const;
    void offer_wave();
    void on_swapped(Slot& slot);
    void commit_swap(Slot& slot);
    void resume_swapped(Slot& slot);
    void adopt_version_of(const Slot& slot);
    void withdraw_swap(Slot& slot);

    // probation.cpp
    void on_reverted(Slot& slot);
    void recall_those_with(const Slot& failed);
    void begin_probation(Slot& slot);
    void end_probations(Nanos now);
    [[nodiscard]] static bool is_in_that_call(const Slot& slot);
    [[nodiscard]] std::optional<Nanos> look_at_call(Slot& slot, Nanos now);
    void end_probation(Slot& slot);
    void end_swap(Slot& slot);

    // aside.cpp
    [[nodiscard]] Result<Done, std::string> try_aside(std::function<std::string()> what,
                                                      std::function<void()> work,
                                                      EventQueue::Action then);
    void aside(const std::function<std::string()>& what,
               const std::function<void()>& work,
               EventQueue::Action then);
    void discard(Spare spare);
    void give_up_asides();

    // lifecycle.cpp
    void set_state(Slot& slot, WorkerEvent event);
    [[nodiscard]] bool can(const Slot& slot, WorkerEvent event) const;
    Answer<Done> start_pools(const Plan& plan);
    [[nodiscard]] Answer<std::shared_ptr<Pool>> pool_of(const WorkerPlan& worker,
                                                        const Plan& plan) const;
    void drop_pools();
    void look_at_pools();
    Slot& add_slot(std::shared_ptr<const WorkerPlan> shared, std::shared_ptr<Pool> pool);
    [[nodiscard]] Placement placement_of(const RunPlan& run) const;
    void rewire();
    void launch(Slot& slot);
    void on_fact(const Fact& fact);
    void on_ready(Slot& slot);
    void release(Slot& slot);
    void obey_wish(Slot& slot);
    void on_ended(Slot& slot, bool has_failed, const std::string& error);
    void drain(Slot& slot);
    void drain_alone(Slot& slot);
    void stop_now(Slot& slot);
    void set_give_up(Slot& slot);
    void lose(Slot& slot);
    void retire(Slot& slot);

    // hangs.cpp
    void watch_for_hangs();
    void look_for_hangs(Nanos now);

    // ending.cpp
    void advance();
    void look_again();
    void drain_what_may();
    void drain_groups(const std::vector<std::size_t>& groups);
    void drain_quiet(const DrainDecision& decided);
    void end_working();
    void retire_what_is_gone();
    [[nodiscard]] HostFacts host_facts() const;
    [[nodiscard]] std::vector<GroupFacts> group_facts();
    [[nodiscard]] bool note_finished(Slot& slot);
    [[nodiscard]] bool note_all_finished();
    [[nodiscard]] bool are_quiet(const std::vector<Slot*>& slots);
    [[nodiscard]] bool is_all_at_rest() const;

    // leaving.cpp
    void begin_leaving(const std::vector<std::string>& workers);
    [[nodiscard]] std::shared_ptr<const Plan> plan_with_leaving();
    [[nodiscard]] static bool is_fed_by_leaving(const SlotGroup& group);
    void drain_leaving();
    void drain_leaving_cycles(const std::vector<Slot*>& waiting);
    void end_leaving(const Slot& slot);

    // Constant after construction.
    Clock& clock_;
    Loader& loader_;
    const Manager::When ends_;
    const Manager::Limits limits_;
    Witness* const witness_;  // may be null
    const std::shared_ptr<Parker> parker_;
    const std::shared_ptr<EventQueue> queue_;
    const WorkerWorld world_;
    const std::shared_ptr<const Worker::Report> report_;

    // The manager's thread alone.
    std::shared_ptr<const Plan> plan_ = std::make_shared<const Plan>();
    ApplySteps steps_;                                      // by which it came into force
    std::deque<std::shared_ptr<const Plan>> plans_before_;  // the last that was in force is last
    std::vector<SlotGroup> flow_;                           // as flow_groups()
    Rings rings_;
    std::vector<StartedPool> pools_;       // those that the plan has, or a worker is in
    std::optional<Nanos> next_pool_look_;  // for workers that block a thread
    std::optional<Nanos> next_hang_look_;  // for workers that hang in a call
    std::vector<int> own_cpus_;            // those that the process may use
    std::map<std::string, std::unique_ptr<Slot>> slots_;
    std::map<std::pair<std::string, std::string>, std::shared_ptr<Library>>
        libraries_;                      // by path and content
    std::set<const Library*> on_pools_;  // of these, those of which a plan had a worker on a pool
    std::deque<Retired> retired_;
    FlowCounts forgotten_law_;                        // of those that no longer fit into retired_
    std::multimap<pid_t, std::string> lost_threads_;  // and the workers that they were
    std::size_t slots_made_ = 0;
    std::optional<Launch> launch_;
    std::uint64_t launches_ = 0;

    // Until when the swap of whom is on probation: Swap::probation_end of each.
    std::set<std::pair<Nanos, std::string>> probations_;
    std::map<std::uint64_t, Aside> asides_;
    std::uint64_t asides_made_ = 0;
    Nanos asides_deadline_ = forever;      // at the end: then they are given up
    Nanos earliest_deadline_ = forever;    // no slot has one before that
    std::deque<SchedulePlan> schedule_;    // what is still to come
    std::optional<Nanos> schedule_start_;  // when the first plan ran
    std::uint64_t host_sequence_ = 0;
    std::optional<Ending> ending_;   // set when the end has begun
    Nanos stop_deadline_ = forever;  // of what drains, once the end has begun
    Nanos give_up_at_ = forever;     // likewise, of what was told to stop now
    bool is_work_done_ = false;      // the verdict: all that is left to do is to drain
    // Looking whether all messages are finished.
    std::optional<Nanos> next_look_;
    Nanos earliest_look_{0};              // it is not worth it before
    std::optional<Nanos> looking_since_;  // without a result
    const Slot* last_busy_ = nullptr;     // that had a message when it was last looked for one
    bool has_anything_ended_ = false;
    bool needs_advance_ = false;  // something has changed since the last advance()

    std::promise<Ending> ended_;
    const std::shared_future<Ending> ended_future_{ended_.get_future()};
};

}  // namespace skep::host
