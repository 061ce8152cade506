#include "host/worker/worker_thread.hpp"

#include <ctime>
#include <future>
#include <system_error>
#include <utility>

#include <pthread.h>
#include <unistd.h>

#include "host/base/crash_report.hpp"
#include "host/worker/thread_census.hpp"

namespace skep::host {

namespace {

Nanos read_clock(clockid_t clock) {
    timespec time{};
    clock_gettime(clock, &time);
    return std::chrono::seconds(time.tv_sec) + Nanos(time.tv_nsec);
}

}  // namespace

template <typename Main>
Result<Done, std::string> WorkerThread::start_as(Part part, Main main) {
    part_.store(part, std::memory_order_relaxed);
    try {
        thread_ = std::thread([self = shared_from_this(), main = std::move(main)] {
            const SignalStack signal_stack;
            self->id_.store(gettid(), std::memory_order_relaxed);
            main();
        });
    } catch (const std::system_error& error) {
        return Unexpected<std::string>(std::string("cannot create a thread: ") + error.what());
    }
    return Done{};
}

Result<Done, std::string> WorkerThread::start(const Placement& placement, Serve serve) {
    const auto is_placed = std::make_shared<std::promise<void>>();
    parker_ = clock_.make_parker();
    parker_->attach();
    auto started =
        start_as(Part::stands_by, [this, is_placed, placement, serve = std::move(serve)] {
            pthread_setname_np(pthread_self(), standing_by_name);
            placed_ = apply_placement(placement);
            is_placed->set_value();
            main(serve);
        });
    if (!started) {
        parker_->detach();
        return started;
    }
    is_placed->get_future().wait();
    return placed_;
}

Result<Done, std::string> WorkerThread::start_serving(const Placement& placement, Serve serve) {
    return start_as(Part::serves, [this, placement, serve = std::move(serve)] {
        placed_ = apply_placement(placement);
        main(serve);
    });
}

Result<Done, std::string> WorkerThread::start_standing_by(const Placement& placement, Serve serve) {
    parker_ = clock_.make_parker();
    parker_->attach();
    Result<Done, std::string> started =
        start_as(Part::stands_by, [this, placement, serve = std::move(serve)] {
            placed_ = apply_placement(placement);
            main(serve);
        });
    if (!started) {
        parker_->detach();
    }
    return started;
}

void WorkerThread::main(const Serve& serve) {
    while (is_to_serve() && !serve(*this)) {
    }
}

bool WorkerThread::is_to_serve() {
    for (;;) {
        const std::uint32_t ticket = parker_ != nullptr ? parker_->prepare() : 0;
        // Acquire pairs with go_on(): makes the work of the previous thread visible.
        const Part part = part_.load(std::memory_order_acquire);
        if (part == Part::stands_by) {
            parker_->park(ticket, forever);
            continue;
        }
        if (part == Part::over) {
            note_end();
        }
        if (parker_ != nullptr) {
            parker_->detach();
        }
        return part == Part::serves;
    }
}

void WorkerThread::stand_by() {
    if (parker_ == nullptr) {
        parker_ = clock_.make_parker();
    }
    parker_->attach();
    Part part = Part::serves;  // or over already: end() does not wait for this
    (void)part_.compare_exchange_strong(part, Part::stands_by, std::memory_order_relaxed);
}

void WorkerThread::go_on() {
    part_.store(Part::serves, std::memory_order_release);
    parker_->unpark();
}

void WorkerThread::note_end() {
    cpu_ns_.store(read_clock(CLOCK_THREAD_CPUTIME_ID).count(), std::memory_order_release);
    pthread_setname_np(pthread_self(), ended_thread_name);
}

void WorkerThread::end() {
    part_.store(Part::over, std::memory_order_release);
    if (parker_ != nullptr) {
        parker_->unpark();
    }
    if (thread_.joinable()) {  // false if it was never started, or abandoned
        thread_.join();
    }
}

Nanos WorkerThread::cpu() const {
    if (const std::int64_t ended = cpu_ns_.load(std::memory_order_acquire); ended >= 0) {
        return Nanos(ended);
    }
    clockid_t clock{};
    auto& thread = const_cast<std::thread&>(thread_);
    if (!thread.joinable() || pthread_getcpuclockid(thread.native_handle(), &clock) != 0) {
        return Nanos(0);
    }
    return read_clock(clock);
}

}  // namespace skep::host
