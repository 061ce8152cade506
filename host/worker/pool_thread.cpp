// The threads of a pool: which thread runs which seat, and when. pool.hpp explains the order.
#include <algorithm>

#include "host/base/contains.hpp"
#include "host/worker/pool.hpp"

namespace skep::host {

namespace {

// The pool and the thread that the calling thread is.
thread_local void* current_thread = nullptr;
thread_local const void* current_pool = nullptr;

// Wakes a thread, if not null. Call without the lock.
void wake(const std::shared_ptr<Parker>& sleeper) {
    if (sleeper != nullptr) {
        sleeper->unpark();
    }
}

void unpark_all(const std::vector<PoolSeat*>& seats) {
    for (PoolSeat* const seat : seats) {
        seat->unpark();
    }
}

}  // namespace

// -- Making a seat ready. [any-thread] --

void Pool::make_ready(Shared& shared, PoolSeat& seat) {
    if (current_pool != &shared) {
        push(shared, seat);
        return;
    }
    PoolSeat* const before =
        static_cast<Thread*>(current_thread)->next.exchange(&seat, std::memory_order_acq_rel);
    if (before != nullptr) {
        push(shared, *before);
    }
    if (shared.wants_watcher.load(std::memory_order_relaxed)) {
        std::shared_ptr<Parker> woken;
        {
            MutexLock lock(shared.mutex);
            woken = call_watcher(shared);
        }
        wake(woken);
    }
}

void Pool::push(Shared& shared, PoolSeat& seat) {
    std::shared_ptr<Parker> woken;
    {
        MutexLock lock(shared.mutex);
        shared.ready.push_back(&seat);
        note_ready(shared);
        woken = call_helper(shared);
    }
    wake(woken);
}

// Returns the thread to wake for the work in the queue.
std::shared_ptr<Parker> Pool::call_helper(Shared& shared) {
    if (shared.asleep.empty()) {
        return nullptr;
    }
    const auto waiting = static_cast<std::int64_t>(shared.ready.size());
    const bool does_anyone_work = shared.asleep.size() + shared.stuck < shared.threads.size();
    if (does_anyone_work &&
        waiting * shared.turn_ns.load(std::memory_order_relaxed) < worth_waking.count()) {
        return call_watcher(shared);
    }
    Thread& called = *shared.asleep.back();
    leave_sleep(shared, called);
    return called.parker;
}

std::shared_ptr<Parker> Pool::call_watcher(Shared& shared) {
    if (shared.watcher != nullptr || shared.asleep.empty()) {
        return nullptr;
    }
    shared.watcher = shared.asleep.front();
    note_watcher(shared);
    return shared.watcher->parker;
}

void Pool::note_watcher(Shared& shared) {
    shared.wants_watcher.store(shared.watcher == nullptr && !shared.asleep.empty(),
                               std::memory_order_relaxed);
}

void Pool::note_ready(Shared& shared) {
    shared.ready_count.store(shared.ready.size(), std::memory_order_relaxed);
}

void Pool::leave_sleep(Shared& shared, Thread& self) {
    std::erase(shared.asleep, &self);
    if (shared.watcher == &self) {
        shared.watcher = nullptr;
    }
    note_watcher(shared);
}

// -- A thread of the pool. --

void Pool::thread_main(const std::shared_ptr<Shared>& shared, Thread& self) {
    current_thread = &self;
    current_pool = shared.get();
    {
        MutexLock lock(shared->mutex);
        shared->threads.push_back(&self);
    }
    while (!self.is_abandoned.load(std::memory_order_relaxed)) {
        if (PoolSeat* const seat = take_next(*shared, self)) {
            run(*shared, self, *seat);
            continue;
        }
        {
            MutexLock lock(shared->mutex);
            if (shared->is_ending) {
                break;
            }
        }
        sleep(*shared, self);
    }
    // An abandoned thread leaves the seat that its last turn has woken to the others.
    if (PoolSeat* const next = self.next.exchange(nullptr, std::memory_order_acq_rel)) {
        push(*shared, *next);
    }
    MutexLock lock(shared->mutex);
    std::erase(shared->threads, &self);
    leave_sleep(*shared, self);
}

PoolSeat* Pool::take_next(Shared& shared, Thread& self) {
    if (self.slot_runs < slot_runs && self.next.load(std::memory_order_relaxed) != nullptr) {
        if (PoolSeat* const seat = self.next.exchange(nullptr, std::memory_order_acq_rel)) {
            ++self.slot_runs;
            return seat;
        }
    }
    self.slot_runs = 0;
    if (shared.ready_count.load(std::memory_order_relaxed) > 0) {
        MutexLock lock(shared.mutex);
        if (!shared.ready.empty()) {
            PoolSeat* const seat = shared.ready.front();
            shared.ready.pop_front();
            note_ready(shared);
            return seat;
        }
    }
    return self.next.exchange(nullptr, std::memory_order_acq_rel);
}

std::vector<PoolSeat*> Pool::take_due(Shared& shared) {
    std::vector<PoolSeat*> due;
    const Nanos now = shared.timers.empty() ? Nanos(0) : shared.clock.now();
    while (!shared.timers.empty() && shared.timers.begin()->first <= now) {
        due.push_back(shared.timers.begin()->second);
        due.back()->deadline_ = forever;
        shared.timers.erase(shared.timers.begin());
    }
    note_timers(shared);
    return due;
}

void Pool::note_timers(Shared& shared) {
    const Nanos first = shared.timers.empty() ? forever : shared.timers.begin()->first;
    shared.first_timer_ns.store(first.count(), std::memory_order_relaxed);
}

void Pool::wake_due(Shared& shared) {
    std::vector<PoolSeat*> due;
    {
        MutexLock lock(shared.mutex);
        due = take_due(shared);
    }
    unpark_all(due);
}

// Sleeps until there is work: another thread called this one, a timer is due, or the watcher found
// work.
void Pool::sleep(Shared& shared, Thread& self) {
    self.clock_read = Nanos(0);
    self.turns_to_clock = 1;
    wake_due(shared);
    {
        MutexLock lock(shared.mutex);
        if (!shared.ready.empty() || self.next.load(std::memory_order_relaxed) != nullptr) {
            return;
        }
        shared.asleep.push_back(&self);
        if (shared.watcher == nullptr && shared.asleep.size() < shared.threads.size()) {
            shared.watcher = &self;
        }
        note_watcher(shared);
    }
    Nanos watch = watch_interval;
    for (;;) {
        const std::uint32_t ticket = self.parker->prepare();
        Nanos deadline = forever;
        if (!stays_asleep(shared, self, watch, deadline)) {
            return;
        }
        self.parker->park(ticket, deadline);
    }
}

bool Pool::stays_asleep(Shared& shared, Thread& self, Nanos& watch, Nanos& deadline) {
    std::vector<PoolSeat*> due;
    {
        MutexLock lock(shared.mutex);
        if (!contains(shared.asleep, &self)) {
            return false;
        }
        due = take_due(shared);
        if (shared.is_ending || !due.empty() ||
            (shared.watcher == &self && finds_held_up(shared, watch))) {
            leave_sleep(shared, self);
        } else {
            deadline = Nanos(shared.first_timer_ns.load(std::memory_order_relaxed));
            if (shared.watcher == &self) {
                deadline = std::min(deadline, shared.clock.now() + watch);
            }
            return true;
        }
    }
    unpark_all(due);
    return false;
}

// True if a thread is in the same turn as at the last look and work waits behind it.
bool Pool::finds_held_up(Shared& shared, Nanos& watch) {
    bool is_anyone_busy = false;
    shared.stuck = 0;
    for (Thread* const other : shared.threads) {
        const std::uint64_t turns = other->turns.load(std::memory_order_relaxed);
        const bool is_same = std::exchange(other->turns_watched, turns) == turns;
        if (other->running.load(std::memory_order_relaxed) == nullptr) {
            continue;
        }
        is_anyone_busy = true;
        if (!is_same) {
            continue;
        }
        ++shared.stuck;
        // The seat would wait longer in the slot than in the queue.
        if (PoolSeat* const next = other->next.exchange(nullptr, std::memory_order_acq_rel)) {
            shared.ready.push_back(next);
            note_ready(shared);
        }
    }
    if (shared.stuck > 0 && !shared.ready.empty()) {
        return true;
    }
    watch = is_anyone_busy ? watch_interval : 2 * watch;
    if (watch > longest_watch) {
        shared.watcher = nullptr;
        note_watcher(shared);
        watch = watch_interval;
    }
    return false;
}

void Pool::set_timer(Shared& shared, PoolSeat& seat, Nanos deadline) {
    std::shared_ptr<Parker> woken;
    {
        MutexLock lock(shared.mutex);
        if (seat.deadline_ != forever) {
            shared.timers.erase({seat.deadline_, &seat});
        }
        seat.deadline_ = deadline;
        if (deadline != forever) {
            shared.timers.insert({deadline, &seat});
            // The threads asleep may have set a later deadline.
            if (shared.timers.begin()->second == &seat && !shared.asleep.empty()) {
                woken = shared.asleep.back()->parker;
            }
        }
        note_timers(shared);
    }
    wake(woken);
}

// Called after a turn of the seat's task. Charges all time since the last reading to that task: a
// task with many turns is charged often.
void Pool::read_clock(Shared& shared, Thread& self, PoolSeat& seat) {
    const Nanos now = shared.clock.now();
    const Nanos passed = now - std::exchange(self.clock_read, now);
    seat.task_->add_cpu(passed);
    shared.turn_ns.store((passed / self.turns_per_clock).count(), std::memory_order_relaxed);
    if (passed > worth_waking || !shared.clock.is_real()) {
        self.turns_per_clock = 1;
    } else if (passed < worth_waking / 2 && self.turns_per_clock < most_turns_per_clock) {
        self.turns_per_clock *= 2;
    }
    self.turns_to_clock = self.turns_per_clock;
    if (now.count() >= shared.first_timer_ns.load(std::memory_order_relaxed)) {
        wake_due(shared);
    }
}

void Pool::run(Shared& shared, Thread& self, PoolSeat& seat) {
    using State = PoolSeat::State;
    self.running.store(&seat, std::memory_order_relaxed);
    self.turns.store(self.turns.load(std::memory_order_relaxed) + 1, std::memory_order_release);
    // Acquire pairs with the release of the thread that queued the seat: makes the reason visible.
    seat.state_.exchange(State::running, std::memory_order_acq_rel);
    if (self.clock_read == Nanos(0)) {
        self.clock_read = shared.clock.now();
    }
    const Turn turn = seat.task_->run_turn(self.clock_read);
    if (turn.kind == Turn::Kind::left_behind) {
        return;
    }
    if (--self.turns_to_clock == 0) {
        read_clock(shared, self, seat);
    }
    if (turn.kind == Turn::Kind::ended || turn.kind == Turn::Kind::elsewhere) {
        end_task(shared, self, seat);
        return;
    }
    self.running.store(nullptr, std::memory_order_relaxed);
    if (turn.kind == Turn::Kind::again) {
        seat.state_.store(State::queued, std::memory_order_release);
        push(shared, seat);
        return;
    }
    if (turn.deadline != forever || seat.is_timed_) {
        seat.is_timed_ = turn.deadline != forever;
        set_timer(shared, seat, turn.deadline);
    }
    State expected = State::running;
    if (!seat.state_.compare_exchange_strong(expected, State::idle)) {
        seat.state_.store(State::queued, std::memory_order_release);  // the seat was notified
        push(shared, seat);
    }
}

void Pool::end_task(Shared& shared, Thread& self, PoolSeat& seat) {
    using State = PoolSeat::State;
    std::shared_ptr<PoolTask> task;  // freed without the lock
    bool has_successor = false;
    set_timer(shared, seat, forever);
    seat.is_timed_ = false;
    {
        MutexLock lock(shared.mutex);
        task.swap(seat.task_);
        seat.task_ = std::exchange(seat.successor_, nullptr);
        has_successor = seat.task_ != nullptr;
        seat.state_.store(has_successor ? State::queued : State::vacant, std::memory_order_release);
        self.running.store(nullptr, std::memory_order_relaxed);
    }
    if (has_successor) {
        push(shared, seat);
    }
}

}  // namespace skep::host
