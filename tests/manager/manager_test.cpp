// The requests of the manager: what each does, and what each refuses in which words.
#include "host/manager/manager.hpp"

#include <future>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/scripted.hpp"

namespace skep::test::manager_test {
namespace {

using host::Answer;
using host::Done;
using host::Ending;
using host::Refusal;
using host::WorkerState;
using std::chrono::milliseconds;
using std::chrono::seconds;

// A loop worker that does one item a second until it is stopped.
Script ticking() {
    Script script;
    script.run = [](skep::context& context) {
        while (context.sleep(seconds(1))) {
            context.items_done();
        }
    };
    return script;
}

class Manager : public testing::Test {
protected:
    void expect_refused(const Answer<Done>& answer,
                        Refusal::Code code,
                        const std::string& message) {
        ASSERT_FALSE(answer);
        EXPECT_EQ(answer.error().code, code);
        EXPECT_EQ(answer.error().message, message);
    }

    World<> world{host::Manager::When::asked};
    host::Manager& manager = *world.manager;
};

TEST_F(Manager, CreatesAWorkerThatDoesNotRunBeforeItIsStarted) {
    ASSERT_TRUE(manager.create(world.worker("a", ticking())));
    EXPECT_EQ(world.state("a"), WorkerState::created);
    EXPECT_EQ(world.metrics("a").generation, 0U);
    ASSERT_TRUE(manager.start("a"));
    EXPECT_EQ(world.state("a"), WorkerState::running);
    EXPECT_EQ(world.metrics("a").plugin, "org.skep.scripted 1.0.0");
}

TEST_F(Manager, RefusesADuplicateName) {
    ASSERT_TRUE(manager.create(world.worker("a", ticking())));
    expect_refused(manager.create(world.worker("a", ticking())),
                   Refusal::Code::duplicate_worker,
                   "worker 'a' exists already");
}

TEST_F(Manager, RefusesAnUnknownNameInEveryRequest) {
    const std::string said = "no worker 'x'";
    expect_refused(manager.start("x"), Refusal::Code::unknown_worker, said);
    expect_refused(manager.pause("x"), Refusal::Code::unknown_worker, said);
    expect_refused(manager.resume("x"), Refusal::Code::unknown_worker, said);
    expect_refused(manager.stop("x"), Refusal::Code::unknown_worker, said);
    expect_refused(manager.send("x", "hello"), Refusal::Code::unknown_worker, said);
    const auto metrics = manager.metrics("x");
    ASSERT_FALSE(metrics);
    EXPECT_EQ(metrics.error().message, said);
}

TEST_F(Manager, NamesVerbAndStateOfAnIllegalRequest) {
    ASSERT_TRUE(manager.create(world.worker("a", ticking())));
    expect_refused(
        manager.pause("a"), Refusal::Code::illegal_state, "cannot pause worker 'a': it is created");
    ASSERT_TRUE(manager.start("a"));
    expect_refused(
        manager.start("a"), Refusal::Code::illegal_state, "cannot start worker 'a': it is running");
    ASSERT_TRUE(manager.stop("a"));
    expect_refused(manager.resume("a"),
                   Refusal::Code::illegal_state,
                   "cannot resume worker 'a': it is stopped");
    expect_refused(
        manager.stop("a"), Refusal::Code::illegal_state, "cannot stop worker 'a': it is stopped");
    EXPECT_EQ(world.state("a"), WorkerState::stopped);
}

TEST_F(Manager, PauseWithWaitAnswersWhenTheWorkerStandsStill) {
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

TEST_F(Manager, PauseDuringALongPieceOfWorkWaitsForItsCheckpoint) {
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

TEST_F(Manager, AWaitingPauseIsRefusedWhenTheWorkerEndsInstead) {
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
    expect_refused(
        stands_still.get(), Refusal::Code::illegal_state, "cannot pause worker 'a': it is stopped");
}

TEST_F(Manager, AMailboxGoesOnFillingWhileItsWorkerIsPaused) {
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

TEST_F(Manager, ASendToAFullMailboxIsRefusedAndCounted) {
    world.add("a", Script{}).mailbox = 1;
    world.start();
    ASSERT_TRUE(manager.pause("a", true));
    ASSERT_TRUE(manager.send("a", "one"));
    expect_refused(
        manager.send("a", "two"), Refusal::Code::mailbox_full, "the mailbox of worker 'a' is full");
    EXPECT_EQ(world.metrics("a").in.rejected.full, 1U);
}

TEST_F(Manager, AStoppedWorkerIsStartedAgainAsANewGenerationWithItsCounts) {
    world.add("a", ticking());
    world.start();
    world.clock.run_for(seconds(2));
    ASSERT_TRUE(manager.stop("a"));
    ASSERT_TRUE(manager.start("a"));
    world.clock.run_for(seconds(2));
    EXPECT_EQ(world.metrics("a").generation, 2U);
    EXPECT_EQ(world.metrics("a").items, 4U);
}

TEST_F(Manager, StoppingOneWorkerFinishesWhatIsQueuedFirst) {
    world.add("a", Script{});
    world.start();
    ASSERT_TRUE(manager.pause("a", true));
    ASSERT_TRUE(manager.send("a", "one"));
    ASSERT_TRUE(manager.stop("a"));
    EXPECT_EQ(world.metrics("a").in.delivered, 1U);
    EXPECT_EQ(world.state("a"), WorkerState::stopped);
}

TEST_F(Manager, MetricsAreValuesWithMonotonicTimes) {
    world.add("a", ticking());
    world.start();
    world.clock.run_for(seconds(3));
    host::WorkerMetrics it = world.metrics("a");
    EXPECT_EQ(it.items, 3U);
    EXPECT_EQ(it.started, std::chrono::nanoseconds(0));
    EXPECT_FALSE(it.ended);
    EXPECT_EQ(it.checkpoint_age, std::chrono::nanoseconds(0));
    it.items = 99;
    EXPECT_EQ(world.metrics("a").items, 3U);
    ASSERT_TRUE(manager.stop("a"));
    EXPECT_EQ(world.metrics("a").ended, seconds(3));
    EXPECT_TRUE(world.metrics("a").ended_wall);
}

TEST_F(Manager, CpuTimeIsThatOfTheWorkersThread) {
    Script script;
    script.run = [](skep::context&) {
        const clock_t until = clock() + CLOCKS_PER_SEC / 100;
        while (clock() < until) {
        }
    };
    world.add("busy", script);
    world.add("idle", returning());
    world.start();
    world.clock.settle();
    EXPECT_GT(world.metrics("busy").cpu, world.metrics("idle").cpu);
}

TEST_F(Manager, AFailedInstanceUndoesTheWholePlan) {
    Script failing;
    failing.create = [](skep::context&) { throw std::runtime_error("no such device"); };
    bool has_run = false;
    Script source = returning();
    source.run = [&has_run](skep::context&) { has_run = true; };
    world.add("good", source);
    world.add("bad", failing);
    expect_refused(manager.apply(world.plan),
                   Refusal::Code::bad_plan,
                   "worker 'bad' failed: create: no such device");
    world.clock.settle();
    EXPECT_FALSE(has_run);
    expect_refused(manager.start("good"), Refusal::Code::unknown_worker, "no worker 'good'");
    EXPECT_EQ(world.loader.closed, 1);
}

TEST_F(Manager, APluginThatCannotBeOpenedChangesNothing) {
    world.add("a", ticking());
    world.loader.refuses = true;
    expect_refused(
        manager.apply(world.plan), Refusal::Code::bad_plan, "scripted: refused by the test");
    world.loader.refuses = false;
    EXPECT_TRUE(manager.metrics().workers.empty());
    world.start();
    EXPECT_EQ(world.state("a"), WorkerState::running);
}

TEST_F(Manager, AWorkerThatAPlanNoLongerHasDrainsAndGoes) {
    world.add("stays", ticking());
    world.add("goes", Script{});
    world.start();
    ASSERT_TRUE(manager.send("goes", "last"));
    host::Plan next = world.plan;
    next.workers.pop_back();
    ASSERT_TRUE(manager.apply(next));
    world.clock.settle();
    EXPECT_EQ(world.state("stays"), WorkerState::running);
    EXPECT_EQ(world.metrics("stays").generation, 1U);
    EXPECT_FALSE(manager.metrics("goes"));
    const auto all = manager.metrics();
    ASSERT_EQ(all.workers.size(), 2U);  // what it did is still told
    EXPECT_EQ(all.workers[1].in.delivered, 1U);
}

TEST_F(Manager, WorkersOfOnePluginShareOneLibraryThatIsClosedWithTheLast) {
    world.add("a", ticking());
    world.add("b", ticking());
    world.start();
    EXPECT_EQ(world.loader.opened, 1);
    world.stop();
    EXPECT_EQ(world.loader.closed, 1);
}

TEST_F(Manager, AfterTheEndRequestsAreRefusedAndMetricsStillAnswer) {
    world.add("a", ticking());
    world.start();
    world.clock.run_for(seconds(2));
    world.stop();
    expect_refused(manager.start("a"), Refusal::Code::host_ended, "the host has ended");
    expect_refused(manager.send("a", "x"), Refusal::Code::host_ended, "the host has ended");
    EXPECT_FALSE(manager.broadcast("x"));
    EXPECT_EQ(world.metrics("a").items, 2U);
    EXPECT_EQ(manager.metrics().workers.size(), 1U);
}

TEST_F(Manager, AFailureStopsTheHostWhenItsWorkerSaysSo) {
    Script failing;
    failing.on_message = [](skep::context&, const skep::message&) {
        throw std::runtime_error("bad row");
    };
    world.add("a", ticking());
    world.add("b", failing);
    world.start();
    ASSERT_TRUE(manager.send("b", "x"));
    const Ending ending = world.end();
    EXPECT_EQ(ending.cause, Ending::Cause::failed);
    EXPECT_EQ(ending.reason, "worker 'b' failed: on_message: bad row");
    EXPECT_EQ(world.state("a"), WorkerState::stopped);
    EXPECT_EQ(world.metrics("b").in.dead_lettered.crash, 1U);
}

TEST_F(Manager, AnIsolatedFailureLeavesTheOthersAlone) {
    Script failing;
    failing.on_message = [](skep::context&, const skep::message&) { throw 42; };
    world.add("a", ticking());
    world.add("b", failing).on_failure = host::OnFailure::isolate;
    world.start();
    ASSERT_TRUE(manager.send("b", "x"));
    while (world.state("b") != WorkerState::failed) {
    }
    EXPECT_EQ(world.metrics("b").error,
              "on_message: threw an exception that is not a std::exception");
    EXPECT_EQ(world.state("a"), WorkerState::running);
    expect_refused(manager.send("b", "y"),
                   Refusal::Code::mailbox_closed,
                   "cannot send to worker 'b': it is failed");
    ASSERT_TRUE(manager.start("b"));
    EXPECT_EQ(world.state("b"), WorkerState::running);
}

}  // namespace
}  // namespace skep::test::manager_test
