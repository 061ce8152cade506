#include "host/worker/pool.hpp"

#include <algorithm>
#include <future>
#include <system_error>

#include <pthread.h>

#include "host/base/assert.hpp"
#include "host/base/crash_report.hpp"

namespace skep::host {

// -- A seat. --

PoolSeat::PoolSeat(Pool& pool)
    : pool_(pool),
      shared_(pool.shared_) {}

bool PoolSeat::is_in(const Pool& pool) const {
    return shared_ == pool.shared_;
}

void PoolSeat::seat(std::shared_ptr<PoolTask> task) {
    {
        MutexLock lock(shared_->mutex);
        if (state_.load() != State::vacant) {
            successor_ = std::move(task);  // the last turn of the previous task is not quite over
            return;
        }
        task_ = std::move(task);
        state_.store(State::queued, std::memory_order_release);
    }
    Pool::make_ready(*shared_, *this);
}

void PoolSeat::give_up() {
    pool_.give_up(*this);
}

void PoolSeat::leave_thread_behind(bool continues) {
    pool_.leave_thread_behind(*this, continues);
}

void PoolSeat::park(std::uint32_t /*ticket*/, Nanos /*deadline*/) {
    SKEP_ASSERT(false);
}

// Sequentially consistent: a waker makes its condition true, then reads the state. The worker sets
// its state to idle, then checks the condition (in its next turn, if it was notified).
void PoolSeat::unpark() {
    State seen = state_.load(std::memory_order_seq_cst);
    for (;;) {
        switch (seen) {
            case State::idle:
                if (state_.compare_exchange_weak(seen, State::queued)) {
                    Pool::make_ready(*shared_, *this);
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
            const SignalStack signal_stack;
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
        return Unexpected<std::string>(std::string("cannot create a thread: ") + error.what());
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
        MutexLock lock(shared_->mutex);  // while the lock is held, no task leaves its seat
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

// Abandons the thread that is in a turn of the seat. Returns false if there is none. `held_up`: the
// seat that waits for that thread, or null.
bool Pool::abandon_thread_of(PoolSeat& seat, PoolSeat*& held_up) {
    for (const auto& it : threads_) {
        if (it->running.load() == &seat && !it->is_abandoned.exchange(true)) {
            std::erase(shared_->threads, it.get());  // no other thread relies on it any more
            held_up = it->next.exchange(nullptr, std::memory_order_acq_rel);
            return true;
        }
    }
    return false;
}

void Pool::leave_thread_behind(PoolSeat& seat, bool continues) {
    PoolSeat* held_up = nullptr;
    std::shared_ptr<PoolTask> task;  // freed without the lock
    {
        MutexLock lock(shared_->mutex);
        (void)abandon_thread_of(seat, held_up);
        if (!continues) {
            vacate(seat, task);
        } else {
            seat.state_.store(PoolSeat::State::queued, std::memory_order_release);
        }
    }
    if (held_up != nullptr) {
        push(*shared_, *held_up);
    }
    (void)add_thread();  // on failure the pool continues with its other threads
    if (continues) {
        push(*shared_, seat);
    }
}

// The seat is in no thread's turn any more. Moves its task to `task`.
void Pool::vacate(PoolSeat& seat, std::shared_ptr<PoolTask>& task) {
    shared_->timers.erase({seat.deadline_, &seat});
    note_timers(*shared_);
    seat.deadline_ = forever;
    seat.is_timed_ = false;
    seat.state_.store(PoolSeat::State::vacant);
    task.swap(seat.task_);
}

void Pool::give_up(PoolSeat& seat) {
    bool is_running = false;
    PoolSeat* held_up = nullptr;
    std::shared_ptr<PoolTask> task;  // freed without the lock
    {
        MutexLock lock(shared_->mutex);
        is_running = abandon_thread_of(seat, held_up);
        if (!is_running) {
            // The task waits for a thread that did not become free in time.
            std::erase(shared_->ready, &seat);
            note_ready(*shared_);
            for (const auto& it : threads_) {
                PoolSeat* waiting = &seat;
                (void)it->next.compare_exchange_strong(waiting, nullptr);
            }
            vacate(seat, task);
        }
    }
    if (held_up != nullptr) {
        push(*shared_, *held_up);
    }
    if (is_running) {
        (void)add_thread();  // on failure the pool continues with its other threads
    }
}

}  // namespace skep::host
