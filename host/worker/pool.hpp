// A pool: a fixed number of threads that run handler workers in turns.
//
// Each worker of a pool has a seat, which belongs to its name like the mailbox. The seat replaces
// the worker's thread: every event that would wake the thread (a message, a command, room in a
// ring) unparks the seat, and the seat queues up for a thread. A seat is in one state at a time,
// and only the step to `queued` queues it. Thus no worker is ever on two threads at once:
//
//   vacant --seat()--> queued --a thread--> running --> idle, vacant, or queued again
//                        ^                    | unpark()      |
//                        +----- notified <----+               |
//                        +--------------- unpark() -----------+
//
// Order of service. A thread first runs the worker that its current worker has just woken. The
// message is then still in the cache, and a chain of workers runs on one thread without a queue in
// between (the "run next" slot of Go's scheduler). All other workers wait in one queue, first come,
// first served. The slot is passed over after slot_runs turns, and a turn is at most one batch.
// Thus no worker starves while another has messages.
//
// The number of active threads. Waking a thread takes longer than hundreds of short turns, and
// messages that change cores cost several times as much as those that stay. So the pool wakes
// another thread only when the work in the queue would keep the active threads busy for
// worth_waking, by their measured turns. That estimate may be wrong, so one of the threads without
// work is the watcher. Every watch_interval it checks whether a thread is still in the same turn,
// and takes the work that waits behind that thread. The watcher stops when there was nothing to
// watch for a while: an idle pool sleeps.
//
// A turn never waits: a task that has to wait returns, and is unparked. A plugin that blocks
// nevertheless keeps its thread; look_for_blockers() names its worker.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "host/base/clock.hpp"
#include "host/base/mutex.hpp"
#include "host/base/placement.hpp"
#include "host/base/result.hpp"

namespace skep::host {

// The result of a turn: what the worker needs next.
struct Turn {
    enum class Kind {
        again,             // it has more to do
        wait_for_message,  // until a message, a command, or the deadline comes
        wait,              // the same, but messages do not end the wait
        ended,             // it needs no more turns
        elsewhere,         // the same: another place serves it
        left_behind,       // this thread was abandoned in the turn, and the seat has another one
    };
    Kind kind = Kind::again;
    Nanos deadline = forever;
};

// A task that a pool runs.
class PoolTask {
public:
    virtual ~PoolTask() = default;
    // [one thread of the pool at a time] Runs one turn. The task itself prepares its sleep, before
    // it returns wait_for_message. `now`: the current time, or that of a few turns ago.
    virtual Turn run_turn(Nanos now) = 0;
    [[nodiscard]] virtual const std::string& name() const = 0;
    // Adds CPU time that the thread running the task has measured for the task.
    virtual void add_cpu(Nanos used) = 0;
};

class PoolSeat;

class Pool {
public:
    // `threads`: at least 1.
    Pool(Clock& clock, std::string name, std::size_t threads, Placement placement);
    // Precondition: every seat is vacant, or its task is abandoned. Threads that are still in the
    // turn of an abandoned task are detached.
    ~Pool();
    Pool(const Pool&) = delete;
    Pool& operator=(const Pool&) = delete;

    // Fails if no thread can be created or the machine refuses the placement.
    [[nodiscard]] Result<Done, std::string> start();

    [[nodiscard]] const std::string& name() const { return shared_->name; }

    // [manager-thread, periodically] Frees the work that waits behind threads that are in the same
    // turn as at the last call. Returns the workers of these turns, and for how many calls each
    // turn has lasted.
    struct Blocker {
        std::string worker;
        std::uint32_t looks = 0;
    };

    std::vector<Blocker> look_for_blockers();

private:
    friend class PoolSeat;

    // A thread of the pool, and its current work.
    struct Thread {
        std::shared_ptr<Parker> parker;
        std::atomic<PoolSeat*> next{nullptr};     // the seat that its current worker has woken
        std::atomic<PoolSeat*> running{nullptr};  // the seat in whose turn it is
        std::atomic<std::uint64_t> turns{0};
        std::atomic<bool> is_abandoned{false};  // its worker was abandoned: it ends after the turn

        // Used only by the thread itself.
        std::uint32_t slot_runs = 0;
        std::uint32_t turns_per_clock = 1;  // it reads the clock once per this number of turns
        std::uint32_t turns_to_clock = 1;
        Nanos clock_read{0};              // 0: not since it slept
        std::uint64_t turns_watched = 0;  // the turns that the watcher last saw; under the mutex

        // Used only by the manager.
        std::uint64_t turns_seen = 0;
        std::uint32_t looks = 0;  // calls that found it in the same turn
        std::thread thread;
    };

    // The part of a pool that its threads use; it lives as long as the last of them.
    struct Shared {
        Shared(Clock& its_clock, std::string its_name)
            : clock(its_clock),
              name(std::move(its_name)) {}

        Clock& clock;
        const std::string name;
        Mutex mutex;
        std::deque<PoolSeat*> ready GUARDED_BY(mutex);
        std::set<std::pair<Nanos, PoolSeat*>> timers GUARDED_BY(mutex);
        std::vector<Thread*> threads GUARDED_BY(mutex);
        // Threads without work; a thread that leaves has work.
        std::vector<Thread*> asleep GUARDED_BY(mutex);
        Thread* watcher GUARDED_BY(mutex) = nullptr;  // one of those in `asleep`
        // Threads in one turn for two looks of the watcher.
        std::size_t stuck GUARDED_BY(mutex) = 0;
        bool is_ending GUARDED_BY(mutex) = false;

        // Read without the lock.
        std::atomic<std::size_t> ready_count{0};
        std::atomic<bool> wants_watcher{false};  // none watches, and one could
        std::atomic<std::int64_t> first_timer_ns{forever.count()};
        std::atomic<std::int64_t> turn_ns{worth_waking.count()};  // the recent duration of a turn
    };

    // How many turns in a row a thread runs from its slot before it looks at the queue.
    static constexpr std::uint32_t slot_runs = 64;
    // See the head of this file.
    static constexpr Nanos worth_waking = std::chrono::microseconds(20);
    static constexpr Nanos watch_interval = std::chrono::milliseconds(1);
    // While no thread works, the watcher looks less and less often, and then stops.
    static constexpr Nanos longest_watch = std::chrono::milliseconds(64);
    // The clock is read at least once per this number of turns: reading it costs as much as a short
    // turn.
    static constexpr std::uint32_t most_turns_per_clock = 16;

    [[nodiscard]] Result<Done, std::string> add_thread();
    static void thread_main(const std::shared_ptr<Shared>& shared, Thread& self);
    static PoolSeat* take_next(Shared& shared, Thread& self);
    static std::vector<PoolSeat*> take_due(Shared& shared) REQUIRES(shared.mutex);
    static void wake_due(Shared& shared);
    static void sleep(Shared& shared, Thread& self);
    static bool stays_asleep(Shared& shared, Thread& self, Nanos& watch, Nanos& deadline);
    static bool finds_held_up(Shared& shared, Nanos& watch) REQUIRES(shared.mutex);
    static void leave_sleep(Shared& shared, Thread& self) REQUIRES(shared.mutex);
    static std::shared_ptr<Parker> call_helper(Shared& shared) REQUIRES(shared.mutex);
    static std::shared_ptr<Parker> call_watcher(Shared& shared) REQUIRES(shared.mutex);
    static void note_watcher(Shared& shared) REQUIRES(shared.mutex);
    static void note_ready(Shared& shared) REQUIRES(shared.mutex);
    static void read_clock(Shared& shared, Thread& self, PoolSeat& seat);
    static void run(Shared& shared, Thread& self, PoolSeat& seat);
    static void end_task(Shared& shared, Thread& self, PoolSeat& seat);
    static void set_timer(Shared& shared, PoolSeat& seat, Nanos deadline);
    static void note_timers(Shared& shared) REQUIRES(shared.mutex);
    static void push(Shared& shared, PoolSeat& seat);
    static void make_ready(Shared& shared, PoolSeat& seat);
    void give_up(PoolSeat& seat);
    bool abandon_thread_of(PoolSeat& seat, PoolSeat*& held_up) REQUIRES(shared_->mutex);
    void leave_thread_behind(PoolSeat& seat, bool continues);
    void vacate(PoolSeat& seat, std::shared_ptr<PoolTask>& task) REQUIRES(shared_->mutex);

    const std::shared_ptr<Shared> shared_;
    const std::size_t wanted_threads_;
    const Placement placement_;
    std::vector<std::shared_ptr<Thread>> threads_;  // used only by the manager
};

class PoolSeat final : public Parker {
public:
    explicit PoolSeat(Pool& pool);

    // [manager-thread] True if this is a seat of `pool`, and not of an earlier pool at the same
    // address.
    [[nodiscard]] bool is_in(const Pool& pool) const;

    // [manager-thread, or the place that has served the task] Puts a task on the seat and queues
    // it. Precondition: the previous task has said that it has ended. The previous task stays on
    // the seat until its last turn is over.
    void seat(std::shared_ptr<PoolTask> task);
    // [manager-thread] Abandons the task. If a thread is in its turn, the pool gets another thread
    // instead.
    void give_up();
    // [manager-thread] Abandons the thread that is in a turn of the task, which touches neither any
    // more: that turn is to end with left_behind. The task continues with its next turn here, or
    // leaves the seat.
    void leave_thread_behind(bool continues);

    // Never called: a task of a pool returns instead.
    void park(std::uint32_t ticket, Nanos deadline) override;
    void unpark() override;

private:
    friend class Pool;

    enum class State : std::uint8_t { vacant, idle, queued, running, notified };

    Pool& pool_;
    // Of the pool; a late unpark() may outlive the pool.
    const std::shared_ptr<Pool::Shared> shared_;
    std::atomic<State> state_{State::vacant};
    Nanos deadline_ = forever;  // in the pool's timers; guarded by its mutex
    bool is_timed_ = false;     // may be in the timers; used by the thread that runs the turn
    // Written under the pool's mutex, while no thread is in a turn of the task.
    std::shared_ptr<PoolTask> task_;
    std::shared_ptr<PoolTask> successor_;  // guarded by the pool's mutex
};

}  // namespace skep::host
