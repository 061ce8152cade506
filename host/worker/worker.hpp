// A worker: what serves a name on its own thread, or on a pool, from its start to its end.
//
//   create -> WorkerReport::ready -> holds -> run, or turns of a handler -> destroy -> WorkerReport::ended
//
// Its instance may be exchanged on the way (handover.hpp), and with it the place where it is served
// (worker_thread.hpp, pool.hpp).
//
// A handler lives in turns: each looks at what is wanted, and does one thing. On its own thread the
// turns follow each other in a loop that sleeps in between; on a pool, whichever thread is free
// runs the next one.
//
// The object belongs to the manager and to its thread together: when the manager gives a thread up
// for lost, the thread keeps what it needs alive.
#pragma once

#include <atomic>
#include <ctime>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "host/base/mutex.hpp"
#include "host/base/result.hpp"
#include "host/loader/loader.hpp"
#include "host/topology/plan.hpp"
#include "host/worker/handover.hpp"
#include "host/worker/instance.hpp"
#include "host/worker/worker_context.hpp"
#include "host/worker/worker_thread.hpp"

namespace skep::host {

// What a worker tells the manager. A fact of an earlier start than the manager's is out of date.
struct WorkerReport {
    enum class Kind {
        ready,     // the instance is made; the worker holds
        held,      // it stands still for the command of `epoch`
        idle,      // a timer is gone that kept it from being at rest
        swapped,   // a hand-over is committed, tentative or refused
        reverted,  // the instance before is back
        ended,     // the thread is about to end; join() does not wait long
    };
    std::string worker;
    std::size_t order = 0;    // of its slot
    std::uint64_t start = 0;  // the generation that its thread began with
    Kind kind = Kind::ready;
    std::uint64_t epoch = 0;
    bool has_failed = false;
    std::string error;  // for a failure: which call, and the plugin's own words
};

class Worker : public PoolTask, public std::enable_shared_from_this<Worker> {
public:
    struct Spec {
        std::size_t order = 0;           // for its facts
        std::shared_ptr<PoolSeat> seat;  // null: it gets a thread of its own
        Placement placement;             // of that
        Instance::Spec instance;
    };

    // Called on the worker's thread; must not wait for the manager. One serves all workers.
    using Report = std::function<void(WorkerReport)>;

    Worker(const WorkerWorld& world,
           std::shared_ptr<const WorkerHome> home,
           Spec spec,
           std::shared_ptr<const Report> report);

    // [manager-thread] Starts the thread, or takes its seat in the pool. The error is the
    // machine's: there was no thread to be had.
    [[nodiscard]] Result<Done, std::string> start();
    // [manager-thread] Returns the epoch of the command.
    std::uint64_t request(Command wanted);

    // [manager-thread] An instance that can succeed the present one, not created yet. The worker
    // outlives it.
    [[nodiscard]] std::unique_ptr<Instance> make_successor(Instance::Spec spec) {
        return std::make_unique<Instance>(context_, std::move(spec));
    }

    // [manager-thread] Offers a successor that has been created, and says Command::swap. Only when
    // the hand-over before is refused, reverted or closed.
    void offer(std::shared_ptr<Handover> handover);

    // [manager-thread] The last that was offered is in stage recalled now.
    void recall() { (void)request(Command::swap); }

    // [manager-thread] A thread that can serve it instead of the present one; to be started with
    // start_standby(), on a thread that may wait for it, and then offered with a successor.
    [[nodiscard]] std::shared_ptr<WorkerThread> make_thread() {
        return std::make_shared<WorkerThread>(context_.clock());
    }

    [[nodiscard]] Result<Done, std::string> start_standby(WorkerThread& thread,
                                                          const Placement& placement);
    // [manager-thread] The place of a hand-over that has come to its end is the caller's: its
    // thread, if it has one, is to be ended.
    void dismiss(const WorkerPlace& place);

    // [manager-thread] After WorkerReport::ended.
    void join();
    // [manager-thread] The thread is not coming back: the context does nothing from now on, and
    // nobody will join it. A pool gets another thread for it.
    void give_up();

    // The generation that it began with.
    [[nodiscard]] std::uint64_t start_generation() const { return start_generation_; }

    // [any-thread]
    [[nodiscard]] CallSight sight() const { return context_.sight(); }

    // [manager-thread] A handler on a thread of its own has been in one call for that long. Asks it
    // once to return after the message that it has in hand, so that a batch of slow messages does
    // not look as one that hangs.
    void ask_to_return(Nanos in_call);

    [[nodiscard]] Nanos last_checkpoint() const { return context_.last_checkpoint(); }

    // [any-thread] What it may still do by itself: bits of Activity.
    [[nodiscard]] std::uint32_t activity() const { return context_.activity().bits(); }

    // Of the thread that serves it; 0 until that runs, and on a pool. [any-thread]
    [[nodiscard]] pid_t thread_id() const { return thread_id_.load(std::memory_order_relaxed); }

    // Of all that serve it or stand by: those that may go by its name. [manager-thread]
    [[nodiscard]] const std::vector<std::shared_ptr<WorkerThread>>& threads() const {
        return threads_;
    }

    // CPU time that it has used so far; on a pool an estimate, from samples. [manager-thread]
    [[nodiscard]] Nanos cpu() const;

    // -- PoolTask. --
    Turn run_turn(Nanos now) override;

    [[nodiscard]] const std::string& name() const override { return home_.name; }

    void add_cpu(Nanos used) override {
        cpu_ns_.fetch_add(used.count(), std::memory_order_relaxed);
    }

private:
    [[nodiscard]] WorkerThread::Serve server();
    [[nodiscard]] bool serve(WorkerThread& self);
    void run_turns();
    void arrive(bool is_pooled);
    bool make();
    Command await_command(std::optional<Nanos> now = std::nullopt);
    void take_over(std::uint64_t epoch);
    void end_take_over();
    [[nodiscard]] bool can_leave(Handover& handover);
    [[nodiscard]] bool can_enter(Handover& handover);
    void exchange(Handover& handover);
    void go_back();
    void come_back();
    void leave(const WorkerPlace& self);
    void let_serve(WorkerPlace next);
    bool undo(Handover::Phase from);
    void bring_back();
    [[nodiscard]] bool roll_back();
    [[nodiscard]] bool sends_what_waits();
    // `now`: on a pool, from its thread.
    Turn turn(std::optional<Nanos> now = std::nullopt);
    Turn end_turns(Command wanted);
    void publish_beginning();
    void publish_activity(std::uint32_t more = 0);
    bool fire_timer();
    void handle(skep_batch& batch);
    void run_loop();
    void unmake();
    void report_end();

    void report(WorkerReport::Kind kind) const { (*report_)(report_of(kind)); }

    [[nodiscard]] WorkerReport report_of(WorkerReport::Kind kind) const;

    const std::shared_ptr<const WorkerHome> shared_home_;
    const WorkerHome& home_;
    const std::size_t order_;
    const Placement placement_;  // of its first thread
    const std::uint64_t start_generation_;
    const std::shared_ptr<const Report> report_;
    WorkerContext context_;
    Mutex offer_mutex_;  // an offer may come while the worker still sees the swap before it
    std::shared_ptr<Handover> offered_ GUARDED_BY(offer_mutex_);

    // The worker's thread alone.
    std::unique_ptr<Instance> instance_;
    std::shared_ptr<Handover> handover_;  // the last that was taken
    bool is_to_hold_ = false;             // what the last that was offered says
    bool is_well_ = true;
    bool has_drained_ = false;
    bool was_timer_turn_ = false;  // a timer and a batch of messages take turns
    std::string error_;            // of the machine; an instance has its own

    WorkerPlace place_;         // where it is served
    bool is_arriving_ = false;  // it has just been told to serve

    // The manager's alone. Where it is served, and what stands by.
    std::vector<std::shared_ptr<WorkerThread>> threads_;
    std::vector<std::shared_ptr<PoolSeat>> seats_;
    Nanos cpu_before_{0};  // of threads that were dismissed
    bool is_asked_to_return_ = false;

    std::atomic<pid_t> thread_id_{0};
    std::atomic<std::int64_t> cpu_ns_{0};  // on a pool
};

}  // namespace skep::host
