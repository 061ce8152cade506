// A worker serves a name on its own thread, or on a pool, from its start to its end.
//
//   create -> WorkerReport::ready -> hold -> run, or turns of a handler -> destroy
//          -> WorkerReport::ended
//
// A swap may replace its instance on the way (handover.hpp), and a relocation also the place where
// it is served (worker_thread.hpp, pool.hpp).
//
// A handler runs in turns: each turn reads the command, and does one thing. On its own thread the
// turns follow each other in a loop that sleeps in between. On a pool, any free thread runs the
// next turn.
//
// The manager and the thread share ownership of the object: when the manager abandons a thread,
// that thread keeps alive what it needs.
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

// A report from a worker to the manager. A report of an earlier start than the manager's is out of
// date.
struct WorkerReport {
    enum class Kind {
        ready,     // the instance is created; the worker holds
        held,      // the worker stands still for the command of `epoch`
        idle,      // a timer that kept the worker from coming to rest is gone
        swapped,   // a handover is committed, tentative or refused
        reverted,  // the predecessor is active again
        left,      // the call of a LostCall is over
        ended,     // the thread is about to end; join() returns soon
    };
    std::string worker;
    std::size_t order = 0;    // of its entry
    std::uint64_t start = 0;  // the generation with which its thread started
    Kind kind = Kind::ready;
    std::uint64_t epoch = 0;
    bool has_failed = false;
    std::string error;  // for a failure: the call, and the plugin's text
};

class Worker : public PoolTask, public std::enable_shared_from_this<Worker> {
public:
    struct Spec {
        std::size_t order = 0;           // for its reports
        std::shared_ptr<PoolSeat> seat;  // null: the worker gets its own thread
        Placement placement;             // of that thread
        Instance::Spec instance;
    };

    // Called on the worker's thread; must not wait for the manager. One function serves all
    // workers.
    using Report = std::function<void(WorkerReport)>;

    Worker(const WorkerWorld& world,
           std::shared_ptr<const WorkerHome> home,
           Spec spec,
           std::shared_ptr<const Report> report);

    // [manager-thread] Starts the thread, or takes the seat in the pool. Fails if no thread can be
    // created.
    [[nodiscard]] Result<Done, std::string> start();
    // [manager-thread] Sends a command. Returns its epoch.
    std::uint64_t request(Command wanted);

    // [manager-thread] Makes an instance that can succeed the current one, without creating its
    // object yet. The worker must outlive it.
    [[nodiscard]] std::unique_ptr<Instance> make_successor(Instance::Spec spec) {
        return std::make_unique<Instance>(context_, std::move(spec));
    }

    // [manager-thread] Offers a created successor, and sends Command::swap. Precondition: the
    // previous handover is refused, reverted or closed.
    void offer(std::shared_ptr<Handover> handover);

    // [manager-thread] Rolls back the last handover, which is in phase recalled now.
    void recall() { (void)request(Command::swap); }

    // A thread that hangs in a call of a failed successor, and what it may still use. When the call
    // is over, the thread ends, and the worker reports `left`.
    struct LostCall {
        std::shared_ptr<Worker> worker;
        std::unique_ptr<Instance> instance;
        WorkerContext::LeftBehind left;
        std::shared_ptr<WorkerThread> thread;  // null: a thread of a pool
        pid_t thread_id = 0;                   // 0: likewise

        // True if the thread has returned from the call.
        [[nodiscard]] bool is_over() const { return left.lease->has_left(); }
    };

    // [manager-thread] Rolls back the last handover, whose successor hangs in a call: leaves its
    // thread behind, and lets the predecessor continue on another thread, which then reports
    // `reverted`. `handover` is in phase committed or recalled; `placement` is that of the
    // predecessor, for a new thread; `error` tells of the hang. Fails, and changes nothing, if the
    // thread has left the call, if no thread can be created, or if the kernel cannot revoke leases.
    [[nodiscard]] std::optional<LostCall> roll_back_hung(Handover& handover,
                                                         const Placement& placement,
                                                         std::string error);

    // [manager-thread] Makes a thread that can serve the worker instead of the current one. Start
    // it with start_standby(), on a thread that may wait for it. Then offer it with a successor.
    [[nodiscard]] std::shared_ptr<WorkerThread> make_thread() {
        return std::make_shared<WorkerThread>(context_.clock());
    }

    [[nodiscard]] Result<Done, std::string> start_standby(WorkerThread& thread,
                                                          const Placement& placement);
    // [manager-thread] Releases the place of a finished handover. The caller must end its thread,
    // if the place has one.
    void dismiss(const WorkerPlace& place);

    // [manager-thread] Call after WorkerReport::ended.
    void join();
    // [manager-thread] Abandons the thread, which did not end in time: its context refuses all
    // calls from now on, and no thread will join it. A pool gets another thread instead.
    void give_up();

    // Returns the generation with which the worker started.
    [[nodiscard]] std::uint64_t start_generation() const { return start_generation_; }

    // [any-thread]
    [[nodiscard]] CallSight sight() const { return context_.sight(); }

    // [manager-thread] A handler on its own thread has been in one call for `in_call`. Asks it once
    // to return after the current message, so that a batch of slow messages does not look like a
    // hang.
    void ask_to_return(Nanos in_call);

    [[nodiscard]] Nanos last_checkpoint() const { return context_.last_checkpoint(); }

    // [any-thread] Returns what the worker may still do without another message: bits of Activity.
    [[nodiscard]] std::uint32_t activity() const { return context_.activity().bits(); }

    // Returns the id of the thread that serves the worker; 0 until that runs, and on a pool.
    // [any-thread]
    [[nodiscard]] pid_t thread_id() const { return thread_id_.load(std::memory_order_relaxed); }

    // Returns the threads that serve the worker or stand by: those that may have its name.
    // [manager-thread]
    [[nodiscard]] const std::vector<std::shared_ptr<WorkerThread>>& threads() const {
        return threads_;
    }

    // Returns the CPU time used so far; on a pool an estimate from samples. [manager-thread]
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
    [[nodiscard]] bool serve_while_it_may(WorkerThread& self);
    [[nodiscard]] Turn run_turn_while_it_may(Nanos now);
    void note_left();
    bool make();
    [[nodiscard]] bool can_leave(Handover& handover);
    [[nodiscard]] bool can_enter(Handover& handover);
    void exchange(Handover& handover);
    void come_back();
    void leave(const WorkerPlace& self);
    void let_serve(WorkerPlace next);
    [[nodiscard]] bool sends_what_waits();

    // Which place serves the worker after a step of a handover. `elsewhere`: the calling thread has
    // passed the worker on, and must touch nothing of it any more.
    enum class Served : std::uint8_t { here, elsewhere };

    [[nodiscard]] Served run_turns();
    [[nodiscard]] Served run_loop();
    [[nodiscard]] Served arrive(bool is_pooled);
    [[nodiscard]] std::optional<Command> await_command(std::optional<Nanos> now = std::nullopt);
    [[nodiscard]] Served take_over(std::uint64_t epoch);
    [[nodiscard]] Served end_take_over();
    [[nodiscard]] Served go_back();
    [[nodiscard]] Served undo(Handover::Phase from);
    [[nodiscard]] Served bring_back();
    [[nodiscard]] std::optional<Served> roll_back();

    // `now` is given on a pool, by its thread.
    Turn turn(std::optional<Nanos> now = std::nullopt);
    Turn end_turns(Command wanted);
    void publish_beginning();
    void publish_activity(std::uint32_t more = 0);
    bool fire_timer();
    void handle(skep_batch& batch);
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
    Mutex offer_mutex_;  // an offer may come while the worker still sees the previous swap
    std::shared_ptr<Handover> offered_ GUARDED_BY(offer_mutex_);

    // Used only by the worker's thread.
    std::unique_ptr<Instance> instance_;
    std::shared_ptr<Handover> handover_;  // the last that the worker has taken
    bool is_to_hold_ = false;             // as the last offer demands
    bool is_well_ = true;
    bool has_drained_ = false;
    bool was_timer_turn_ = false;  // a timer and a batch of messages alternate
    std::string error_;            // an error of the machine; an instance has its own

    WorkerPlace place_;         // where the worker is served
    bool is_arriving_ = false;  // the place has just started to serve

    // Used only by the manager: the places that serve the worker or stand by.
    std::vector<std::shared_ptr<WorkerThread>> threads_;
    std::vector<std::shared_ptr<PoolSeat>> seats_;
    Nanos cpu_before_{0};  // of threads that were dismissed
    bool is_asked_to_return_ = false;

    std::atomic<pid_t> thread_id_{0};
    std::atomic<std::int64_t> cpu_ns_{0};  // on a pool
};

}  // namespace skep::host
