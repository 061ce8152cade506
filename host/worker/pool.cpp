#include "host/worker/pool.hpp"

#include <algorithm>
#include <future>
#include <system_error>

#include <pthread.h>

#include "host/base/assert.hpp"

namespace skep::host {

namespace {

// Which thread of which pool the calling thread is.
thread_local void* current_thread = nullptr;
thread_local const void* current_pool = nullptr;

}  // namespace

// -- A seat. --

void PoolSeat::seat(std::shared_ptr<PoolTask> task) {
    {
        MutexLock lock(pool_.shared_->mutex);
        if (state_.load() != State::vacant) {
            successor_ = std::move(task);  // the last turn of the one before is not quite over
            return;
        }
        task_ = std::move(task);
        state_.store(State::queued, std::memory_order_release);
    }
    pool_.make_ready(*this);
}

void PoolSeat::give_up() {
    pool_.give_up(*this);
}

void PoolSeat::park(std::uint32_t /*ticket*/, Nanos /*deadline*/) {
    SKEP_ASSERT(false);
}

// Sequentially consistent: a waker makes its condition true, then looks at the state; the worker
// says that it is idle, then looks at the condition (in its next turn, if it has been notified).
void PoolSeat::unpark() {
    State seen = state_.load(std::memory_order_seq_cst);
    for (;;) {
        switch (seen) {
            case State::idle:
                if (state_.compare_exchange_weak(seen, State::queued)) {
                    pool_.make_ready(*this);
                    return;
                }
                break;
            case State::running:
                if (state_.compare_exchange_weak(seen, State::notified)) {
                    return;
                }
                break;
            default:
                return;
        }
    }
}

// -- The pool, from outside. --

Pool::Pool(Clock& clock, std::string name, std::size_t threads, Placement placement)
    : shared_(std::make_shared<Shared>(clock, std::move(name))),
      wanted_threads_(threads),
      placement_(std::move(placement)) {
    SKEP_ASSERT(threads > 0);
}

Pool::~Pool() {
    std::vector<Thread*> woken;
    {
        MutexLock lock(shared_->mutex);
        shared_->is_ending = true;
        woken = shared_->asleep;
    }
    for (Thread* const it : woken) {
        it->parker->unpark();
    }
    for (const auto& it : threads_) {
        if (it->is_abandoned.load()) {
            it->thread.detach();
        } else {
            it->thread.join();
        }
    }
}

Result<Done, std::string> Pool::start() {
    while (threads_.size() < wanted_threads_) {
        Result<Done, std::string> added = add_thread();
        if (!added) {
            return added;
        }
    }
    return Done{};
}

Result<Done, std::string> Pool::add_thread() {
    auto made = std::make_shared<Thread>();
    made->parker = shared_->clock.make_parker();
    std::promise<Result<Done, std::string>> placed;
    made->parker->attach();
    const std::string label = "p:" + shared_->name + "#" + std::to_string(threads_.size());
    try {
        made->thread = std::thread([this, made, &placed, label, shared = shared_] {
            pthread_setname_np(pthread_self(), label.substr(0, 15).c_str());
            const Result<Done, std::string> result = apply_placement(placement_);
            const bool is_well = static_cast<bool>(result);
            placed.set_value(result);
            if (is_well) {
                thread_main(shared, *made);
            }
            made->parker->detach();
        });
    } catch (const std::system_error& error) {
        made->parker->detach();
        return Unexpected<std::string>(std::string("no thread: ") + error.what());
    }
    Result<Done, std::string> result = placed.get_future().get();
    if (!result) {
        made->thread.join();
        return Unexpected<std::string>("pool '" + name() + "': " + result.error());
    }
    threads_.push_back(std::move(made));
    return result;
}

std::vector<Pool::Blocker> Pool::look_for_blockers() {
    std::vector<Blocker> found;
    std::vector<PoolSeat*> held_up;
    for (const auto& it : threads_) {
        const std::uint64_t turns = it->turns.load(std::memory_order_acquire);
        MutexLock lock(shared_->mutex);  // while it is held, no task leaves its seat
        PoolSeat* const seat = it->running.load(std::memory_order_acquire);
        const bool is_same = turns == std::exchange(it->turns_seen, turns);
        if (seat == nullptr || !is_same || seat->task_ == nullptr || it->is_abandoned.load()) {
            it->looks = 0;
            continue;
        }
        found.push_back({seat->task_->name(), ++it->looks});
        if (PoolSeat* const next = it->next.exchange(nullptr, std::memory_order_acq_rel)) {
            held_up.push_back(next);
        }
    }
    for (PoolSeat* const it : held_up) {
        push(*shared_, *it);
    }
    return found;
}

void Pool::give_up(PoolSeat& seat) {
    bool is_running = false;
    std::shared_ptr<PoolTask> task;  // freed without the lock
    {
        MutexLock lock(shared_->mutex);
        for (const auto& it : threads_) {
            if (it->running.load() == &seat) {
                it->is_abandoned.store(true);
                is_running = true;
            }
        }
        if (!is_running) {
            // It waits for a thread that did not come free in time.
            std::erase(shared_->ready, &seat);
            shared_->ready_count.store(shared_->ready.size(), std::memory_order_relaxed);
            shared_->timers.erase({seat.deadline_, &seat});
            for (const auto& it : threads_) {
                PoolSeat* waiting = &seat;
                (void)it->next.compare_exchange_strong(waiting, nullptr);
            }
            seat.state_.store(PoolSeat::State::vacant);
            task.swap(seat.task_);
        }
    }
    if (is_running) {
        (void)add_thread();  // without one the pool goes on with those that it has
    }
}

// -- Making a seat ready. [any-thread] --

void Pool::make_ready(PoolSeat& seat) {
    if (current_pool == shared_.get()) {
        PoolSeat* const before =
            static_cast<Thread*>(current_thread)->next.exchange(&seat, std::memory_order_acq_rel);
        if (before != nullptr) {
            push(*shared_, *before);
        }
        return;
    }
    push(*shared_, seat);
}

void Pool::push(Shared& shared, PoolSeat& seat) {
    std::shared_ptr<Parker> woken;
    {
        MutexLock lock(shared.mutex);
        shared.ready.push_back(&seat);
        shared.ready_count.store(shared.ready.size(), std::memory_order_relaxed);
        if (!shared.asleep.empty()) {
            woken = shared.asleep.back()->parker;
            shared.asleep.pop_back();
        }
    }
    if (woken != nullptr) {
        woken->unpark();
    }
}

// -- A thread of the pool. --

void Pool::thread_main(const std::shared_ptr<Shared>& shared, Thread& self) {
    current_thread = &self;
    current_pool = shared.get();
    {
        MutexLock lock(shared->mutex);
        shared->awake.push_back(&self);
    }
    while (!self.is_abandoned.load(std::memory_order_relaxed)) {
        PoolSeat* seat = take_next(*shared, self);
        if (seat == nullptr) {
            seat = steal(*shared, self);
        }
        if (seat != nullptr) {
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
    MutexLock lock(shared->mutex);
    std::erase(shared->awake, &self);
    std::erase(shared->asleep, &self);
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
            shared.ready_count.store(shared.ready.size(), std::memory_order_relaxed);
            return seat;
        }
    }
    return self.next.exchange(nullptr, std::memory_order_acq_rel);
}

PoolSeat* Pool::steal(Shared& shared, Thread& self) {
    MutexLock lock(shared.mutex);
    for (Thread* const other : shared.awake) {
        if (other != &self && other->next.load(std::memory_order_relaxed) != nullptr) {
            if (PoolSeat* const seat = other->next.exchange(nullptr, std::memory_order_acq_rel)) {
                return seat;
            }
        }
    }
    return nullptr;
}

std::vector<PoolSeat*> Pool::take_due(Shared& shared) {
    std::vector<PoolSeat*> due;
    const Nanos now = shared.timers.empty() ? Nanos(0) : shared.clock.now();
    while (!shared.timers.empty() && shared.timers.begin()->first <= now) {
        due.push_back(shared.timers.begin()->second);
        due.back()->deadline_ = forever;
        shared.timers.erase(shared.timers.begin());
    }
    return due;
}

void Pool::wake_due(Shared& shared) {
    std::vector<PoolSeat*> due;
    {
        MutexLock lock(shared.mutex);
        due = take_due(shared);
    }
    for (PoolSeat* const seat : due) {
        seat->unpark();
    }
}

void Pool::sleep(Shared& shared, Thread& self) {
    const std::uint32_t ticket = self.parker->prepare();
    self.clock_read = Nanos(0);
    wake_due(shared);
    Nanos deadline = forever;
    {
        MutexLock lock(shared.mutex);
        if (!shared.ready.empty() || shared.is_ending ||
            self.next.load(std::memory_order_relaxed) != nullptr) {
            return;
        }
        if (!shared.timers.empty()) {
            deadline = shared.timers.begin()->first;
        }
        if (std::any_of(shared.awake.begin(), shared.awake.end(), [&](const Thread* it) {
                return it != &self && it->running.load(std::memory_order_relaxed) != nullptr;
            })) {
            deadline = std::min(deadline, shared.clock.now() + steal_interval);
        }
        shared.asleep.push_back(&self);
    }
    self.parker->park(ticket, deadline);
    MutexLock lock(shared.mutex);
    std::erase(shared.asleep, &self);
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
            // Whoever sleeps may sleep for longer than that.
            if (shared.timers.begin()->second == &seat && !shared.asleep.empty()) {
                woken = shared.asleep.back()->parker;
                shared.asleep.pop_back();
            }
        }
    }
    if (woken != nullptr) {
        woken->unpark();
    }
}

void Pool::run(Shared& shared, Thread& self, PoolSeat& seat) {
    using State = PoolSeat::State;
    self.running.store(&seat, std::memory_order_relaxed);
    self.turns.store(self.turns.load(std::memory_order_relaxed) + 1, std::memory_order_release);
    // Acquire pairs with whoever queued the seat: what it was queued for is seen.
    seat.state_.exchange(State::running, std::memory_order_acq_rel);
    const Turn turn = seat.task_->run_turn();
    if (++self.clock_turns % turns_per_clock == 0) {
        const Nanos now = shared.clock.now();
        if (self.clock_read != Nanos(0)) {
            seat.task_->add_cpu(now - self.clock_read);
        }
        self.clock_read = now;
        wake_due(shared);
    }
    if (turn.kind == Turn::Kind::ended) {
        std::shared_ptr<PoolTask> task;  // freed without the lock
        bool has_successor = false;
        set_timer(shared, seat, forever);
        {
            MutexLock lock(shared.mutex);
            task.swap(seat.task_);
            seat.task_ = std::exchange(seat.successor_, nullptr);
            has_successor = seat.task_ != nullptr;
            seat.state_.store(has_successor ? State::queued : State::vacant,
                              std::memory_order_release);
            self.running.store(nullptr, std::memory_order_relaxed);
        }
        if (has_successor) {
            push(shared, seat);
        }
        return;
    }
    self.running.store(nullptr, std::memory_order_relaxed);
    if (turn.kind == Turn::Kind::again) {
        seat.state_.store(State::queued, std::memory_order_release);
        push(shared, seat);
        return;
    }
    if (turn.deadline != forever || seat.deadline_ != forever) {
        set_timer(shared, seat, turn.deadline);
    }
    State expected = State::running;
    if (!seat.state_.compare_exchange_strong(expected, State::idle)) {
        seat.state_.store(State::queued, std::memory_order_release);  // it was notified
        push(shared, seat);
    }
}

}  // namespace skep::host
