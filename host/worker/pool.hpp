// A pool: a fixed set of threads that take turns at handler workers.
//
// Each worker of a pool has a seat, which belongs to its name like the mailbox, and stands in for
// the thread that it does not have: whoever would wake the worker's thread (a message, a command,
// room in a ring) unparks the seat, and the seat queues up for a thread. A seat is in one state at
// a time and only the step to `queued` queues it, so no worker is ever on two threads at once:
//
//   vacant --seat()--> queued --a thread--> running --> idle, vacant, or queued again
//                        ^                    | unpark()      |
//                        +----- notified <----+               |
//                        +--------------- unpark() -----------+
//
// Order of service. A thread runs next whom its present worker has just woken: its message is still
// in the cache, and a chain of workers runs on one thread without a queue in between (the "run
// next" slot of Go's scheduler). All others wait in one queue, first come, first served. The slot
// is passed over after slot_runs turns, and a turn is at most one batch: no worker starves while
// another has messages.
//
// How many threads work. To wake a thread takes longer than hundreds of short turns, and messages
// that change cores are several times as dear as those that stay. So another thread is woken only
// when what waits in the queue would keep the present ones busy for worth_waking, by the turns that
// they have measured. That guess may be wrong, so one of the threads without work watches: every
// watch_interval it looks whether a thread is still in the same turn, and takes over what waits
// behind that one. It stops when there was nothing to watch for a while: an idle pool sleeps.
//
// A turn never waits: what has to wait returns, and is unparked. A plugin that blocks all the same
// keeps its thread; look_for_blockers() tells whom.
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

// What a worker says at the end of its turn.
struct Turn {
    enum class Kind {
        again,             // it has more to do
        wait_for_message,  // until there is one, a command, or the deadline
        wait,              // the same, but messages do not matter to it
        ended,             // it needs no turn at this seat any more
    };
    Kind kind = Kind::again;
    Nanos deadline = forever;
};

// What a pool runs.
class PoolTask {
public:
    virtual ~PoolTask() = default;
    // [one thread of the pool at a time] Falling asleep is the task's: it says wait_for_message
    // only after that. `now`: the time, or a few turns ago.
    virtual Turn run_turn(Nanos now) = 0;
    [[nodiscard]] virtual const std::string& name() const = 0;
    // The thread that runs the task has measured so much CPU time for it.
    virtual void add_cpu(Nanos used) = 0;
};

class PoolSeat;

class Pool {
public:
    // `threads`: at least 1.
    Pool(Clock& clock, std::string name, std::size_t threads, Placement placement);
    // Every seat is vacant, or its task is given up. Threads that are still in a task's turn are
    // left to themselves.
    ~Pool();
    Pool(const Pool&) = delete;
    Pool& operator=(const Pool&) = delete;

    // The error is the machine's: no thread to be had, or a placement that it refuses.
    [[nodiscard]] Result<Done, std::string> start();

    [[nodiscard]] const std::string& name() const { return shared_->name; }

    // [manager-thread, now and then] Frees what waits behind threads that have been in one turn
    // since the last call. Returns the workers whose turns these are, and since how many calls.
    struct Blocker {
        std::string worker;
        std::uint32_t looks = 0;
    };

    std::vector<Blocker> look_for_blockers();

private:
    friend class PoolSeat;

    // A thread of the pool, and what it does.
    struct Thread {
        std::shared_ptr<Parker> parker;
        std::atomic<PoolSeat*> next{nullptr};     // whom its present worker has woken
        std::atomic<PoolSeat*> running{nullptr};  // in whose turn it is
        std::atomic<std::uint64_t> turns{0};
        std::atomic<bool> is_abandoned{false};  // its worker was given up: it ends after the turn

        // The thread's own.
        std::uint32_t slot_runs = 0;
        std::uint32_t turns_per_clock = 1;  // it reads the clock every so many turns
        std::uint32_t turns_to_clock = 1;
        Nanos clock_read{0};              // 0: not since it slept
        std::uint64_t turns_watched = 0;  // of the watcher, under the mutex: what it saw last

        // The manager's.
        std::uint64_t turns_seen = 0;
        std::uint32_t looks = 0;  // that found it in the same turn
        std::thread thread;
    };

    // What threads need, also one that outlives the pool.
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
        std::vector<Thread*> asleep GUARDED_BY(mutex);  // without work; who leaves it has some
        Thread* watcher GUARDED_BY(mutex) = nullptr;    // one of those asleep
        std::size_t stuck GUARDED_BY(mutex) = 0;        // threads in one turn for two of its looks
        bool is_ending GUARDED_BY(mutex) = false;

        // For looks without the lock.
        std::atomic<std::size_t> ready_count{0};
        std::atomic<bool> wants_watcher{false};  // there is none, and there could be one
        std::atomic<std::int64_t> first_timer_ns{forever.count()};
        std::atomic<std::int64_t> turn_ns{worth_waking.count()};  // how long a turn takes of late
    };

    // How often in a row a thread runs whom its worker has woken, before it looks at the queue.
    static constexpr std::uint32_t slot_runs = 64;
    // See above.
    static constexpr Nanos worth_waking = std::chrono::microseconds(20);
    static constexpr Nanos watch_interval = std::chrono::milliseconds(1);
    // While nobody works it looks less and less often, and then not at all.
    static constexpr Nanos longest_watch = std::chrono::milliseconds(64);
    // The clock is read every so many turns at most: it costs as much as a short turn does.
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

    const std::shared_ptr<Shared> shared_;
    const std::size_t wanted_threads_;
    const Placement placement_;
    std::vector<std::shared_ptr<Thread>> threads_;  // the manager's
};

class PoolSeat final : public Parker {
public:
    explicit PoolSeat(Pool& pool);

    // [manager-thread] Not of another one that came to lie where its own had been.
    [[nodiscard]] bool is_in(const Pool& pool) const;

    // [manager-thread, or whoever has served the task] Puts a task on the seat and queues it, when
    // the one before has said that it has ended. The seat keeps it until its last turn is over.
    void seat(std::shared_ptr<PoolTask> task);
    // [manager-thread] The task is given up: if a thread is in its turn, the pool gets another one
    // for it.
    void give_up();

    // Never: a task of a pool returns instead.
    void park(std::uint32_t ticket, Nanos deadline) override;
    void unpark() override;

private:
    friend class Pool;

    enum class State : std::uint8_t { vacant, idle, queued, running, notified };

    Pool& pool_;
    const std::shared_ptr<Pool::Shared> shared_;  // of it; a late unpark() may outlive the pool
    std::atomic<State> state_{State::vacant};
    Nanos deadline_ = forever;  // among the pool's timers; guarded by its mutex
    bool is_timed_ = false;     // it may be among the timers; of the thread in whose turn it is
    // Written under the pool's mutex, while no thread is in a turn of the task.
    std::shared_ptr<PoolTask> task_;
    std::shared_ptr<PoolTask> successor_;  // guarded by the pool's mutex
};

}  // namespace skep::host
