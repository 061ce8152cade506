// Pause and resume: when a worker stands still, what it keeps, and which states refuse them.
#include <future>
#include <string>

#include <gtest/gtest.h>

#include "tests/support/scripted.hpp"

namespace skep::test {
namespace {

using host::Answer;
using host::Done;
using host::Manager;
using host::Refusal;
using host::WorkerState;
using std::chrono::seconds;

class Pause : public testing::Test {
protected:
    // A loop worker that does one item a second until it is stopped.
    static Script ticking() {
        Script script;
        script.run = [](skep::context& context) {
            while (context.sleep(seconds(1))) {
                context.items_done();
            }
        };
        return script;
    }

    World<> world{Manager::When::asked};
    Manager& manager = *world.manager;
};

TEST_F(Pause, WithWaitAnswersWhenTheWorkerStandsStill) {
    world.add("a", ticking());
    world.start();
    world.clock.settle();  // it has begun to sleep
    ASSERT_TRUE(manager.pause("a", true));
    EXPECT_EQ(world.state("a"), WorkerState::paused);
    world.clock.run_for(seconds(10));
    EXPECT_EQ(world.metrics("a").items, 0U);
    ASSERT_TRUE(manager.resume("a"));
    world.clock.run_for(seconds(3));
    EXPECT_EQ(world.metrics("a").items, 4U);  // the one it had slept through, and three more
}

TEST_F(Pause, DuringALongPieceOfWorkWaitsForItsCheckpoint) {
    Gate busy;
    Script script;
    script.run = [&busy](skep::context& context) {
        busy.wait_until_open();
        while (context.checkpoint()) {
            (void)context.receive(seconds(1));
        }
    };
    world.add("a", script);
    world.start();
    busy.wait_for_visitor();
    ASSERT_TRUE(manager.pause("a"));
    EXPECT_EQ(world.state("a"), WorkerState::pausing);
    auto stands_still = std::async(std::launch::async, [this] { return manager.pause("a", true); });
    busy.open();
    EXPECT_TRUE(stands_still.get());
    EXPECT_EQ(world.state("a"), WorkerState::paused);
}

TEST_F(Pause, ThatWaitsIsRefusedWhenTheWorkerEndsInstead) {
    Gate busy;
    Script script;
    script.run = [&busy](skep::context&) { busy.wait_until_open(); };
    world.add("a", script);
    world.start();
    busy.wait_for_visitor();
    auto stands_still = std::async(std::launch::async, [this] { return manager.pause("a", true); });
    while (world.state("a") != WorkerState::pausing) {
    }
    busy.open();
    const Answer<Done> refused = stands_still.get();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Refusal::Code::illegal_state);
    EXPECT_EQ(refused.error().message, "cannot pause worker 'a': it is stopped");
}

TEST_F(Pause, LetsTheMailboxGoOnFilling) {
    world.add("a", Script{});
    world.start();
    ASSERT_TRUE(manager.pause("a", true));
    ASSERT_TRUE(manager.send("a", "one"));
    ASSERT_TRUE(manager.send("a", "two"));
    world.clock.settle();
    EXPECT_EQ(world.metrics("a").in.queued, 2U);
    ASSERT_TRUE(manager.resume("a"));
    world.clock.settle();
    EXPECT_EQ(world.metrics("a").in.delivered, 2U);
}

// Original defect S19.
TEST_F(Pause, BeforeTheWorkerRunsIsNotForgotten) {
    Gate slow;
    bool has_run = false;
    Script script;
    script.create = [&slow](skep::context&) { slow.wait_until_open(); };
    script.run = [&has_run](skep::context&) { has_run = true; };
    ASSERT_TRUE(manager.create(world.worker("a", script)));
    auto started = std::async(std::launch::async, [this] { return manager.start("a"); });
    slow.wait_for_visitor();
    ASSERT_TRUE(manager.pause("a"));
    slow.open();
    ASSERT_TRUE(started.get());
    world.clock.settle();
    EXPECT_EQ(world.state("a"), WorkerState::paused);
    EXPECT_FALSE(has_run);
    ASSERT_TRUE(manager.resume("a"));
    world.clock.settle();
    EXPECT_TRUE(has_run);
}

// Original defect S20.
TEST_F(Pause, IsRefusedOnceTheWorkerHasEndedAndSoIsResume) {
    world.add("a", receiving());
    world.start();
    ASSERT_TRUE(manager.stop("a"));
    EXPECT_FALSE(manager.pause("a"));
    EXPECT_FALSE(manager.resume("a"));
    EXPECT_EQ(world.state("a"), WorkerState::stopped);
    EXPECT_TRUE(world.metrics("a").ended);
}

// Original defect S21.
TEST_F(Pause, ResumeDoesNotRunAWorkerWithoutAThread) {
    ASSERT_TRUE(manager.create(world.worker("a", receiving())));
    EXPECT_FALSE(manager.resume("a"));
    EXPECT_EQ(world.state("a"), WorkerState::created);
}

// Original defect S23.
TEST_F(Pause, AndResumeInQuickSuccessionAreNotLost) {
    world.add("a", receiving());
    world.start();
    for (int i = 0; i < 2000; ++i) {
        ASSERT_TRUE(manager.pause("a", true));
        ASSERT_EQ(world.state("a"), WorkerState::paused);
        ASSERT_TRUE(manager.resume("a"));
    }
    // And in quick succession the last word counts.
    ASSERT_TRUE(manager.pause("a"));
    ASSERT_TRUE(manager.resume("a"));
    ASSERT_TRUE(manager.pause("a", true));
    EXPECT_EQ(world.state("a"), WorkerState::paused);
}

// Original defect S24.
TEST_F(Pause, IsNeitherDelayedNorOvertakenByTheMailbox) {
    Gate first;
    int handled = 0;
    Script slow;
    slow.on_message = [&](skep::context&, const skep::message&) {
        ++handled;
        first.wait_until_open();
    };
    world.add("a", slow);
    world.start();
    for (int i = 0; i < 20; ++i) {
        ASSERT_TRUE(manager.send("a", "x"));
    }
    first.wait_for_visitor();
    ASSERT_TRUE(manager.pause("a"));
    first.open();
    ASSERT_TRUE(manager.pause("a", true));
    EXPECT_EQ(handled, 1);
    EXPECT_EQ(world.metrics("a").in.queued, 19U);
    ASSERT_TRUE(manager.resume("a"));
    world.clock.settle();
    EXPECT_EQ(handled, 20);
}

// Original defect S25.
TEST_F(Pause, ResumeWakesOnlyItsOwnWorker) {
    for (const char* name : {"a", "b"}) {
        world.add(name, Script{});
    }
    world.start();
    ASSERT_TRUE(manager.pause("a", true));
    ASSERT_TRUE(manager.pause("b", true));
    const auto before = world.metrics("b");
    world.clock.run_for(seconds(1));
    ASSERT_TRUE(manager.resume("a"));
    world.clock.settle();
    EXPECT_EQ(world.state("b"), WorkerState::paused);
    EXPECT_EQ(world.metrics("b").checkpoint_age, *before.checkpoint_age + seconds(1));
}

}  // namespace
}  // namespace skep::test
