#include "host/base/clock.hpp"

#include <algorithm>
#include <climits>
#include <ctime>

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "host/base/assert.hpp"

namespace skep::host {

namespace {

// Sleeps on a futex word until it differs from `expected`, a waker wakes it, or CLOCK_MONOTONIC
// passes `deadline`.
void futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t expected, Nanos deadline) {
    timespec until{};
    const timespec* timeout = nullptr;
    if (deadline != forever) {
        const auto since_zero = std::max(deadline, Nanos(0));
        until.tv_sec = static_cast<time_t>(since_zero.count() / 1'000'000'000);
        until.tv_nsec = static_cast<long>(since_zero.count() % 1'000'000'000);
        timeout = &until;
    }
    // FUTEX_WAIT_BITSET takes an absolute time. FUTEX_WAIT takes a relative time that a signal
    // would restart.
    syscall(SYS_futex,
            reinterpret_cast<std::uint32_t*>(&word),
            FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG,
            expected,
            timeout,
            nullptr,
            FUTEX_BITSET_MATCH_ANY);
}

void futex_wake(std::atomic<std::uint32_t>& word) {
    syscall(SYS_futex,
            reinterpret_cast<std::uint32_t*>(&word),
            FUTEX_WAKE | FUTEX_PRIVATE_FLAG,
            INT_MAX,
            nullptr,
            nullptr,
            0);
}

class FutexParker : public Parker {
public:
    void park(std::uint32_t ticket, Nanos deadline) override {
        // Pairs with the two operations in unpark(): either the waker sees `sleeping` and wakes the
        // futex, or its increment came first and the kernel's compare of the word fails.
        sleeping_.store(true, std::memory_order_seq_cst);
        if (word_.load(std::memory_order_seq_cst) == ticket) {
            futex_wait(word_, ticket, deadline);
        }
        sleeping_.store(false, std::memory_order_relaxed);
    }

    void unpark() override {
        word_.fetch_add(1, std::memory_order_seq_cst);
        if (sleeping_.load(std::memory_order_seq_cst)) {
            futex_wake(word_);
        }
    }

    [[nodiscard]] bool is_asleep() const override {
        return sleeping_.load(std::memory_order_relaxed);
    }

private:
    std::atomic<bool> sleeping_{false};
};

}  // namespace

Nanos SteadyClock::now() const {
    timespec time{};
    clock_gettime(CLOCK_MONOTONIC, &time);
    return std::chrono::seconds(time.tv_sec) + Nanos(time.tv_nsec);
}

std::shared_ptr<Parker> SteadyClock::make_parker() {
    return std::make_shared<FutexParker>();
}

// One lock for the whole clock: exactness matters here, speed does not.
struct ManualClock::State {
    struct Sleeper {
        bool attached = false;
        bool asleep = true;
        Nanos deadline = forever;
    };

    Mutex mutex;
    Condition changed;
    std::atomic<std::int64_t> now_ns{0};  // written under mutex; read without it by now()
    std::vector<Sleeper*> sleepers GUARDED_BY(mutex);

    [[nodiscard]] bool all_asleep() const REQUIRES(mutex) {
        return std::all_of(
            sleepers.begin(), sleepers.end(), [](const Sleeper* it) { return it->asleep; });
    }
};

namespace {

class ManualParker : public Parker {
public:
    explicit ManualParker(ManualClock::State& state)
        : state_(state) {
        MutexLock lock(state_.mutex);
        state_.sleepers.push_back(&sleeper_);
    }

    ~ManualParker() override {
        MutexLock lock(state_.mutex);
        std::erase(state_.sleepers, &sleeper_);
        state_.changed.notify_all();
    }

    ManualParker(const ManualParker&) = delete;
    ManualParker& operator=(const ManualParker&) = delete;

    void attach() override {
        MutexLock lock(state_.mutex);
        sleeper_ = {true, false, forever};
    }

    void detach() override {
        MutexLock lock(state_.mutex);
        sleeper_ = {};
        state_.changed.notify_all();
    }

    void park(std::uint32_t ticket, Nanos deadline) override {
        MutexLock lock(state_.mutex);
        if (word_.load() != ticket || deadline.count() <= state_.now_ns.load()) {
            return;
        }
        sleeper_.asleep = true;
        sleeper_.deadline = deadline;
        state_.changed.notify_all();
        state_.changed.wait(state_.mutex,
                            [this]() REQUIRES(state_.mutex) { return !sleeper_.asleep; });
    }

    void unpark() override {
        MutexLock lock(state_.mutex);
        word_.fetch_add(1);
        // The waker marks the sleeper as awake, not the sleeper itself: otherwise all threads would
        // seem asleep for a moment.
        sleeper_.asleep = !sleeper_.attached;
        state_.changed.notify_all();
    }

private:
    ManualClock::State& state_;
    ManualClock::State::Sleeper sleeper_;  // guarded by state_.mutex
};

}  // namespace

ManualClock::ManualClock()
    : state_(std::make_unique<State>()) {}

ManualClock::~ManualClock() {
    MutexLock lock(state_->mutex);
    SKEP_ASSERT(state_->sleepers.empty());
}

Nanos ManualClock::now() const {
    return Nanos(state_->now_ns.load());
}

std::shared_ptr<Parker> ManualClock::make_parker() {
    return std::make_shared<ManualParker>(*state_);
}

void ManualClock::settle() {
    MutexLock lock(state_->mutex);
    state_->changed.wait(state_->mutex,
                         [this]() REQUIRES(state_->mutex) { return state_->all_asleep(); });
}

void ManualClock::run_until(Nanos until) {
    for (;;) {
        settle();
        MutexLock lock(state_->mutex);
        if (!state_->all_asleep()) {
            continue;
        }
        Nanos nearest = forever;
        for (const auto* sleeper : state_->sleepers) {
            nearest = std::min(nearest, sleeper->deadline);
        }
        state_->now_ns.store(std::max(std::min(nearest, until).count(), state_->now_ns.load()));
        if (nearest > until) {
            return;
        }
        for (auto* sleeper : state_->sleepers) {
            if (sleeper->deadline.count() <= state_->now_ns.load()) {
                sleeper->asleep = false;
            }
        }
        state_->changed.notify_all();
    }
}

}  // namespace skep::host
