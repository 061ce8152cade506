// Receivers that fail, are stopped, are started again or never come back, and those beside them on
// the same output.
#include <algorithm>
#include <chrono>
#include <functional>
#include <future>
#include <ostream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/paced.hpp"

namespace skep::test {
namespace {

using host::FlowCounts;
using host::Manager;
using host::WhenFull;
using host::WorkerState;
using std::chrono::milliseconds;
using std::chrono::seconds;

struct Sibling {
    const char* name;
    WhenFull when_full;     // of the route to the one that dies
    std::size_t its_queue;  // 4, as the sibling's: they share a ring
    bool is_crowded = false;
};

void PrintTo(const Sibling& it, std::ostream* to) {
    *to << it.name;
}

class DeadReceiver : public WaitingSender, public testing::WithParamInterface<Sibling> {
protected:
    void routes() {
        route("a", "b", GetParam().its_queue, GetParam().when_full);
        route("a", "sibling", 4);
        if (GetParam().is_crowded) {
            crowd("a", "b");
        }
    }
};

INSTANTIATE_TEST_SUITE_P(Routes,
                         DeadReceiver,
                         testing::Values(Sibling{"shared", WhenFull::block, 4},
                                         Sibling{"apart", WhenFull::block, 5},
                                         Sibling{"crowded", WhenFull::block, 4, true},
                                         Sibling{"newest", WhenFull::drop_newest, 16},
                                         Sibling{"oldest", WhenFull::drop_oldest, 16}),
                         [](const auto& it) { return it.param.name; });

TEST_P(DeadReceiver, IsRejectedAfterItFailedAndItsSiblingGetsEverything) {
    source("a", [this](skep::context& context) {
        emit(context, 1, 4);
        (void)context.sleep(seconds(1));
        emit(context, 5, 100);
    });
    mortal_sink("b", 2, milliseconds(500));  // by then 3 and 4 have arrived
    sink("sibling", milliseconds(10));
    routes();
    world.start();
    world.clock.run_for(seconds(5));
    EXPECT_EQ(world.state("b"), WorkerState::failed);
    EXPECT_EQ(sent, 100);
    EXPECT_EQ(seen_by("sibling"), from_to(1, 100));
    EXPECT_EQ(seen_by("b"), from_to(1, 2));
    const FlowCounts b = in("b");
    EXPECT_EQ(b.delivered, 1U);
    EXPECT_EQ(b.dead_lettered.crash, 1U);
    EXPECT_EQ(b.dead_lettered.stop, 2U);
    EXPECT_EQ(b.rejected.closed, 96U);
    EXPECT_EQ(world.metrics("a").out, 104U) << "what was accepted";
    world.stop();
}

TEST_P(DeadReceiver, IsRejectedAfterItWasStoppedAndItsSiblingGetsEverything) {
    source("a", [this](skep::context& context) {
        emit(context, 1, 4);
        (void)context.sleep(seconds(1));
        emit(context, 5, 100);
    });
    sink("b");
    sink("sibling", milliseconds(10));
    routes();
    world.start();
    world.clock.settle();
    ASSERT_TRUE(manager().stop("b"));
    world.clock.run_for(seconds(5));
    EXPECT_EQ(seen_by("sibling"), from_to(1, 100));
    EXPECT_EQ(seen_by("b"), from_to(1, 4));
    EXPECT_EQ(in("b").rejected.closed, 96U);
    EXPECT_EQ(in("b").dead_lettered.total(), 0U);
    world.stop();
}

// It fails on its first message, with the sender waiting for room at it or dropping there.
TEST_P(DeadReceiver, LetsASenderGoThatWaitedForRoomThere) {
    gated_source(100);
    mortal_sink("b", GetParam().when_full == WhenFull::drop_oldest ? 85 : 1, seconds(1));
    sink("sibling");
    routes();
    fill_b();
    const bool blocks = GetParam().when_full == WhenFull::block;
    const auto queue = static_cast<int>(GetParam().its_queue);
    EXPECT_EQ(sent, blocks ? queue : 100);
    ASSERT_TRUE(manager().resume("b"));
    world.clock.run_for(milliseconds(999));
    EXPECT_EQ(sent, blocks ? 2 * queue : 100);
    world.clock.run_for(seconds(1));
    EXPECT_EQ(sent, 100);
    EXPECT_EQ(seen_by("sibling"), from_to(1, 100));
    const FlowCounts b = in("b");
    EXPECT_EQ(b.dead_lettered.crash, 1U);
    EXPECT_EQ(b.dead_lettered.stop, (blocks ? 2U : 1U) * GetParam().its_queue - 1);
    EXPECT_EQ(b.rejected.closed, blocks ? 100 - 2 * GetParam().its_queue : 0U);
    EXPECT_EQ(b.dropped.total(), blocks ? 0U : 84U);
    world.stop();
}

// One message each 10 ms. At 45 ms it has the second and the third in hand, and the fourth waits.
TEST_P(DeadReceiver, GetsNothingMoreFromTheMomentItIsStopped) {
    source("a", [this](skep::context& context) {
        for (int i = 1; i <= 100; ++i) {
            (void)context.sleep(milliseconds(10));
            emit(context, i, i);
        }
    });
    sink("b", milliseconds(25));
    sink("sibling");
    routes();
    world.start();
    world.clock.run_for(milliseconds(45));
    EXPECT_EQ(in("b").accepted, 4U);
    auto stopped = std::async(std::launch::async, [&] { return manager().stop("b"); });
    while (world.state("b") == WorkerState::running) {
    }
    world.clock.run_for(milliseconds(100));
    EXPECT_EQ(world.state("b"), WorkerState::stopped) << "though its sender goes on";
    world.clock.run_for(seconds(5));
    EXPECT_TRUE(stopped.get());
    EXPECT_EQ(seen_by("sibling"), from_to(1, 100));
    EXPECT_EQ(seen_by("b"), from_to(1, 4));
    EXPECT_EQ(in("b").delivered, 4U);
    EXPECT_EQ(in("b").rejected.closed, 96U);
    world.stop();
}

// The sibling, which is slow, holds messages of before the start while those of after it come.
TEST_P(DeadReceiver, GetsMessagesAgainWhenItIsStartedAndEveryoneStaysInOrder) {
    source("a", 300);
    mortal_sink("b", 3);
    sink("sibling", milliseconds(10));
    routes();
    world.start();
    world.clock.run_for(milliseconds(200));
    ASSERT_EQ(world.state("b"), WorkerState::failed);
    world.scripts["b"].on_message = [this](skep::context&, const skep::message& message) {
        keep("b again", number_in(message));
    };
    for (int i = 0; i < 10; ++i) {
        const std::size_t before = seen_by("b again").size();
        const int next = sent + 2;  // one waits for room at the sibling, by the routes of before
        ASSERT_TRUE(manager().start("b"));
        world.clock.run_for(milliseconds(200));
        Numbers again = seen_by("b again");
        again.erase(again.begin(), again.begin() + static_cast<std::ptrdiff_t>(before));
        ASSERT_FALSE(again.empty());
        EXPECT_EQ(again, from_to(next, again.back()));
        ASSERT_TRUE(manager().stop("b"));
        world.clock.run_for(milliseconds(50));
    }
    world.clock.run_for(seconds(5));
    EXPECT_EQ(seen_by("sibling"), from_to(1, 300));
    EXPECT_EQ(in("b").offered, 300U);
    EXPECT_EQ(in("b").dropped.total(), 0U);
    world.stop();
}

// -- The same with threads that nobody holds. --

class WaitingSenderInRealTime : public Paced<host::SteadyClock> {
protected:
    WaitingSenderInRealTime()
        : Paced(Manager::When::asked) {}

    void expect_ascending(const std::string& name) {
        const Numbers got = seen_by(name);
        EXPECT_TRUE(std::is_sorted(got.begin(), got.end(), std::less_equal<>())) << name;
    }
};

TEST_F(WaitingSenderInRealTime, FeedsTheSiblingsOfOneThatNeverComesBack) {
    Gate back;
    std::promise<void> gone;
    Script stuck;
    stuck.on_message = [&back](skep::context&, const skep::message&) { back.wait_until_open(); };
    stuck.destroy = [&gone] { gone.set_value(); };
    tail = " " + std::string(1000, 'x');
    source("a", 10'000);
    world.add("stuck", stuck);
    sink("sibling");
    sink("picky");
    route("a", "stuck", 8);
    route("a", "sibling", 8);
    route("a", "picky", 8, WhenFull::drop_newest);
    world.plan.stop_grace = milliseconds(1);
    world.start();
    back.wait_for_visitor();
    EXPECT_FALSE(manager().stop("stuck"));
    ASSERT_EQ(world.state("stuck"), WorkerState::lost);
    while (world.state("a") != WorkerState::stopped) {
    }
    const FlowCounts lost = in("stuck");
    EXPECT_GE(lost.in_flight, 1U);
    EXPECT_EQ(lost.accepted, lost.in_flight + lost.dead_lettered.stop);
    EXPECT_EQ(lost.accepted + lost.rejected.closed, 10'000U);
    EXPECT_LE(lost.accepted, 16U);
    EXPECT_EQ(world.stop().lost, std::vector<std::string>{"stuck"});
    EXPECT_EQ(seen_by("sibling"), from_to(1, 10'000));
    EXPECT_EQ(in("picky").accepted, 10'000U);
    expect_ascending("picky");
    back.open();
    gone.get_future().wait();
}

TEST_F(WaitingSenderInRealTime, LosesNothingWhileReceiversPauseFailStopAndStart) {
    source("a", [this](skep::context& context) {
        for (int i = 1; context.checkpoint(); ++i) {
            emit(context, i, i);
        }
    });
    sink("b");
    sink("sibling");
    mortal_sink("mortal", 500);
    sink("picky");
    route("a", "b", 8);
    route("a", "sibling", 8);
    route("a", "mortal", 16);
    route("a", "picky", 8, WhenFull::drop_oldest);
    world.start();
    for (int i = 0; i < 40; ++i) {
        (void)manager().pause("sibling", true);
        (void)manager().stop("b");
        (void)manager().resume("sibling");
        (void)manager().pause("a", true);
        (void)manager().start("b");
        (void)manager().start("mortal");
        (void)manager().resume("a");
        (void)manager().pause("picky", true);
        (void)manager().resume("picky");
        const int before = sent;
        while (sent < before + 200) {
        }
    }
    EXPECT_TRUE(manager().stop("a"));
    world.stop();
    const auto offered = static_cast<std::size_t>(sent);
    EXPECT_EQ(seen_by("sibling"), from_to(1, sent));
    for (const char* name : {"b", "sibling", "mortal", "picky"}) {
        expect_ascending(name);
        EXPECT_EQ(in(name).offered, offered) << name;
        EXPECT_EQ(in(name).delivered + in(name).dead_lettered.crash, seen_by(name).size()) << name;
        EXPECT_EQ(in(name).rejected.closed, in(name).rejected.total()) << name;
    }
    EXPECT_EQ(in("sibling").delivered, offered);
    EXPECT_EQ(in("mortal").dead_lettered.crash, 1U);
}

}  // namespace
}  // namespace skep::test
