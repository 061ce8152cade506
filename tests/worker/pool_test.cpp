// The threads of a pool, with tasks that are not workers. What workers do on a pool is tested by
// the tests of the host, which run again with every handler on one.
#include "host/worker/pool.hpp"

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/scripted.hpp"

namespace skep::host::pool_test {
namespace {

using test::Gate;

// A task that runs a script each turn, until it reports that it has ended.
class ScriptedTask final : public PoolTask {
public:
    explicit ScriptedTask(std::function<Turn()> turn)
        : turn_(std::move(turn)) {}

    Turn run_turn(Nanos /*now*/) override { return turn_(); }

    [[nodiscard]] const std::string& name() const override { return name_; }

    void add_cpu(Nanos /*used*/) override {}

private:
    const std::function<Turn()> turn_;
    const std::string name_ = "task";
};

class Pool : public testing::Test {
protected:
    std::unique_ptr<host::Pool> make_pool(std::size_t threads) { return make_pool(threads, clock); }

    static std::unique_ptr<host::Pool> make_pool(std::size_t threads, Clock& its_clock) {
        auto pool = std::make_unique<host::Pool>(its_clock, "test", threads, Placement{});
        EXPECT_TRUE(pool->start());
        return pool;
    }

    // Nothing in a turn takes any time on this clock, so nothing is ever late.
    ManualClock clock;
};

// For tests whose last thread may outlive them, and main: it is never destroyed.
SteadyClock& lasting_clock() {
    static SteadyClock& clock = *new SteadyClock;
    return clock;
}

constexpr Turn rest{Turn::Kind::wait};
constexpr Turn ended{Turn::Kind::ended};

TEST_F(Pool, RunsAChainOfTasksOnOneThread) {
    constexpr int count = 500;
    auto pool = make_pool(3);
    std::vector<std::unique_ptr<PoolSeat>> seats;
    std::vector<std::thread::id> threads(count);
    std::vector<bool> has_run(count);
    Gate started;
    Gate done;
    for (int i = 0; i < count; ++i) {
        seats.push_back(std::make_unique<PoolSeat>(*pool));
    }
    for (int i = 0; i < count; ++i) {
        seats[i]->seat(std::make_shared<ScriptedTask>([&, i, is_first = true]() mutable {
            if (std::exchange(is_first, false)) {
                if (i == count - 1) {
                    started.open();
                }
                return rest;
            }
            threads[i] = std::this_thread::get_id();
            if (i + 1 < count) {
                seats[i + 1]->unpark();
            } else {
                done.open();
            }
            return ended;
        }));
    }
    started.wait_until_open();
    clock.settle();
    seats[0]->unpark();
    done.wait_until_open();
    EXPECT_EQ(std::set<std::thread::id>(threads.begin(), threads.end()).size(), 1U);
    pool.reset();  // before the seats that its threads may still be at
}

TEST_F(Pool, TakesOverWhatWaitsBehindATaskThatKeepsItsThread) {
    auto pool = make_pool(2, lasting_clock());
    PoolSeat blocker(*pool);
    PoolSeat follower(*pool);
    Gate follows;
    Gate over;
    follower.seat(std::make_shared<ScriptedTask>([&, is_first = true]() mutable {
        if (std::exchange(is_first, false)) {
            blocker.seat(std::make_shared<ScriptedTask>([&] {
                follower.unpark();
                follows.wait_until_open();  // which nobody opens but the follower
                over.open();
                return ended;
            }));
            return rest;
        }
        follows.open();
        return ended;
    }));
    over.wait_until_open();
    pool.reset();  // before the seats that its threads may still be at
}

TEST_F(Pool, NeverHasOneTaskOnTwoThreads) {
    auto pool = make_pool(3, lasting_clock());
    constexpr int wakers = 3;
    constexpr int each = 20'000;
    PoolSeat seat(*pool);
    std::atomic<int> inside{0};
    std::atomic<int> most{0};
    std::atomic<int> wanted{0};
    int served = 0;  // without a lock: one thread at a time
    Gate all;
    seat.seat(std::make_shared<ScriptedTask>([&] {
        most.store(std::max(most.load(), inside.fetch_add(1) + 1));
        const int seen = wanted.load();
        served += seen - served;
        inside.fetch_sub(1);
        if (served == wakers * each) {
            all.open();
            return ended;
        }
        return rest;
    }));
    std::vector<std::thread> threads;
    for (int i = 0; i < wakers; ++i) {
        threads.emplace_back([&] {
            for (int k = 0; k < each; ++k) {
                wanted.fetch_add(1);
                seat.unpark();
            }
        });
    }
    for (std::thread& it : threads) {
        it.join();
    }
    all.wait_until_open();
    EXPECT_EQ(most.load(), 1);
    pool.reset();  // before the seats that its threads may still be at
}

TEST_F(Pool, WakesATaskAtItsDeadline) {
    auto pool = make_pool(2);
    PoolSeat seat(*pool);
    std::vector<Nanos> at;
    seat.seat(std::make_shared<ScriptedTask>([&]() -> Turn {
        at.push_back(clock.now());
        if (at.size() == 3) {
            return ended;
        }
        return {Turn::Kind::wait, clock.now() + std::chrono::seconds(1)};
    }));
    clock.run_until(std::chrono::seconds(5));
    using std::chrono::seconds;
    EXPECT_EQ(at, (std::vector<Nanos>{seconds(0), seconds(1), seconds(2)}));
    pool.reset();  // before the seats that its threads may still be at
}

TEST_F(Pool, NamesATaskThatKeepsItsThread) {
    auto pool = make_pool(2);
    PoolSeat seat(*pool);
    Gate gate;
    seat.seat(std::make_shared<ScriptedTask>([&] {
        gate.wait_until_open();
        return ended;
    }));
    gate.wait_for_visitor();
    (void)pool->look_for_blockers();
    const std::vector<host::Pool::Blocker> found = pool->look_for_blockers();
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found.front().worker, "task");
    gate.open();
    pool.reset();  // before the seats that its threads may still be at
}

TEST_F(Pool, WhomATaskHasWokenIsNotLostWithItsThread) {
    auto pool = make_pool(1, lasting_clock());
    Gate rests;
    Gate stuck;
    Gate early;
    Gate late;
    PoolSeat lost(*pool);
    PoolSeat before(*pool);
    PoolSeat after(*pool);
    const auto second_turn_opens = [](Gate& gate, Gate* first) {
        return std::make_shared<ScriptedTask>([&gate, first, is_first = true]() mutable {
            if (std::exchange(is_first, false)) {
                if (first != nullptr) {
                    first->open();
                }
                return rest;
            }
            gate.open();
            return ended;
        });
    };
    before.seat(second_turn_opens(early, nullptr));
    after.seat(second_turn_opens(late, &rests));
    rests.wait_until_open();
    lost.seat(std::make_shared<ScriptedTask>([&] {
        before.unpark();
        stuck.wait_until_open();
        after.unpark();
        return ended;
    }));
    stuck.wait_for_visitor();
    lost.give_up();
    early.wait_until_open();
    stuck.open();
    late.wait_until_open();
    pool.reset();  // before the seats that its threads may still be at
}

TEST_F(Pool, ATaskThatIsGivenUpCostsThePoolNoThread) {
    auto pool = make_pool(1, lasting_clock());
    const auto stuck = std::make_shared<Gate>();
    Gate other;
    // The task, which may end after the pool, keeps what its thread needs; workers do so too.
    const auto seat = std::make_shared<PoolSeat>(*pool);
    PoolSeat next(*pool);
    seat->seat(std::make_shared<ScriptedTask>([stuck, seat] {
        stuck->wait_until_open();
        return ended;
    }));
    stuck->wait_for_visitor();
    next.seat(std::make_shared<ScriptedTask>([&] {
        other.open();
        return ended;
    }));
    seat->give_up();
    other.wait_until_open();
    stuck->open();
    pool.reset();  // before the seats that its threads may still be at
}

}  // namespace
}  // namespace skep::host::pool_test
