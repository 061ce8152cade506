// Senders that wait for room while their receiver is paused or the host ends, and when they are
// paused, stopped or fail themselves.
#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <string>

#include <gtest/gtest.h>

#include "tests/support/paced.hpp"

namespace skep::test {
namespace {

using host::Nanos;
using host::WhenFull;
using host::WorkerState;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

// -- A receiver that is paused. --

TEST_F(WaitingSender, GoesOnInOrderWhenThePauseEnds) {
    gated_source(40);
    sink("b", seconds(1));
    route("a", "b", 4);
    fill_b();
    for (int i = 0; i < 10; ++i) {
        const int before = sent;
        world.clock.run_for(hours(1));
        EXPECT_EQ(sent, before);
        EXPECT_EQ(in("b").queued, 4U);
        ASSERT_TRUE(manager().resume("b"));
        world.clock.run_for(milliseconds(2500));
        ASSERT_TRUE(manager().pause("b", true));
    }
    ASSERT_TRUE(manager().resume("b"));
    world.clock.run_for(seconds(40));
    world.stop();
    EXPECT_EQ(seen_by("b"), from_to(1, 40));
}

class PausedReceiver : public Paced<host::ManualClock>,
                       public testing::WithParamInterface<WhenFull> {};

INSTANTIATE_TEST_SUITE_P(Policies,
                         PausedReceiver,
                         testing::Values(WhenFull::block,
                                         WhenFull::drop_newest,
                                         WhenFull::drop_oldest));

TEST_P(PausedReceiver, GetsWhatThePolicyKept) {
    source("a", [this](skep::context& context) {
        for (const int first : {1, 11}) {
            (void)context.sleep(seconds(1));
            emit(context, first, first + 9);
        }
    });
    sink("b");
    route("a", "b", 4, GetParam());
    world.start();
    for (int i = 1; i <= 2; ++i) {
        ASSERT_TRUE(manager().pause("b", true));
        world.clock.run_until(seconds(i));
        EXPECT_EQ(in("b").queued, 4U);
        ASSERT_TRUE(manager().resume("b"));
        world.clock.settle();
    }
    world.end_while_time_passes();
    switch (GetParam()) {
        case WhenFull::block:
            EXPECT_EQ(seen_by("b"), from_to(1, 20));
            break;
        case WhenFull::drop_newest:
            EXPECT_EQ(seen_by("b"), (Numbers{1, 2, 3, 4, 11, 12, 13, 14}));
            break;
        case WhenFull::drop_oldest:
            EXPECT_EQ(seen_by("b"), (Numbers{7, 8, 9, 10, 17, 18, 19, 20}));
            break;
    }
    EXPECT_EQ(in("b").dropped.total(), GetParam() == WhenFull::block ? 0U : 12U);
}

TEST_F(WaitingSender, IsReleasedWhenAPausedReceiverIsStopped) {
    gated_source(100);
    sink("b");
    route("a", "b", 4);
    fill_b();
    ASSERT_TRUE(manager().stop("b"));
    world.clock.settle();
    EXPECT_EQ(sent, 100);
    EXPECT_EQ(seen_by("b"), from_to(1, 4));
    EXPECT_EQ(in("b").rejected.closed, 96U);
    world.stop();
}

TEST_F(WaitingSender, IsReleasedByAStopWithoutGraceAndWhatWaitedIsDeadLetters) {
    gated_source(100);
    sink("b", hours(1));
    route("a", "b", 4);
    fill_b();
    ASSERT_TRUE(manager().resume("b"));
    world.clock.settle();  // it has taken four and rests after the first; four wait
    world.stop(Nanos(0));
    EXPECT_EQ(seen_by("b"), from_to(1, 1));
    EXPECT_EQ(in("b").delivered, 1U);
    EXPECT_EQ(in("b").dead_lettered.stop, 7U);
    EXPECT_GE(in("b").rejected.stopping + in("b").rejected.closed, 1U);
}

// -- The sender itself. --

class StoppedSender : public WaitingSender, public testing::WithParamInterface<bool> {
protected:
    void wait_for_room_at_b() {
        gated_source(100);
        sink("b");
        route("a", "b", 4);
        if (GetParam()) {
            crowd("a", "b");
        }
        fill_b();
    }
};

INSTANTIATE_TEST_SUITE_P(RingOrQueue, StoppedSender, testing::Bool());

TEST_P(StoppedSender, GivesUpWhenItsGraceIsOverAndLosesThatOneMessage) {
    world.plan.stop_grace = seconds(3);
    wait_for_room_at_b();
    EXPECT_TRUE(stop("a"));
    EXPECT_GE(world.clock.now(), seconds(2)) << "as long as it may, it waits";
    EXPECT_EQ(sent, 4);
    EXPECT_EQ(in("b").rejected.stopping, 1U);
    ASSERT_TRUE(manager().resume("b"));
    world.stop();
    EXPECT_EQ(seen_by("b"), from_to(1, 4));
    EXPECT_EQ(in("b").offered, 5U);
}

TEST_P(StoppedSender, IsPausedWhileItWaitsAndSendsNothingUntilItIsResumed) {
    wait_for_room_at_b();
    ASSERT_TRUE(manager().pause("a", true));
    ASSERT_TRUE(manager().resume("b"));
    world.clock.settle();
    EXPECT_EQ(seen_by("b"), from_to(1, 4));
    ASSERT_TRUE(manager().resume("a"));
    world.clock.settle();
    world.stop();
    EXPECT_EQ(seen_by("b"), from_to(1, 100));
}

TEST_F(WaitingSender, DoesNotMindThatAnotherFailed) {
    gated_source(50);
    source("failing", [this](skep::context& context) {
        begin.wait_until_open();
        for (int i = 1001; i <= 1003; ++i) {
            context.emit(std::to_string(i));
        }
        throw std::runtime_error("had enough");
    });
    world.plan.workers.back().on_failure = host::OnFailure::isolate;
    sink("b", milliseconds(10));
    route("a", "b", 4);
    route("failing", "b", 4);
    fill_b();
    EXPECT_EQ(world.state("failing"), WorkerState::failed);
    ASSERT_TRUE(manager().resume("b"));
    world.clock.run_for(seconds(1));
    world.stop();
    Numbers all = seen_by("b");
    const auto of_failing =
        std::stable_partition(all.begin(), all.end(), [](int number) { return number <= 1000; });
    EXPECT_EQ(Numbers(all.begin(), of_failing), from_to(1, 50));
    EXPECT_EQ(Numbers(of_failing, all.end()), from_to(1001, 1003)) << "what it sent arrives";
}

}  // namespace
}  // namespace skep::test
