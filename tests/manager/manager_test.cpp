// The requests of the manager: what each does, and what each refuses in which words.
#include "host/manager/manager.hpp"

#include <atomic>
#include <future>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/scripted.hpp"

namespace skep::test::manager_test {
namespace {

using host::Answer;
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
    template <typename T>
    void expect_refused(const Answer<T>& answer, Refusal::Code code, const std::string& message) {
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

// Original defect S40.
TEST_F(Manager, RefusesAnUnknownNameInEveryRequest) {
    for (const std::string name : {"x", ""}) {
        SCOPED_TRACE("'" + name + "'");
        const std::string said = "no worker '" + name + "'";
        expect_refused(manager.start(name), Refusal::Code::unknown_worker, said);
        expect_refused(manager.pause(name), Refusal::Code::unknown_worker, said);
        expect_refused(manager.resume(name), Refusal::Code::unknown_worker, said);
        expect_refused(manager.stop(name), Refusal::Code::unknown_worker, said);
        expect_refused(manager.send(name, "hello"), Refusal::Code::unknown_worker, said);
        const auto metrics = manager.metrics(name);
        ASSERT_FALSE(metrics);
        EXPECT_EQ(metrics.error().message, said);
    }
}

TEST_F(Manager, NamesVerbAndStateOfAnIllegalRequest) {
    ASSERT_TRUE(manager.create(world.worker("a", ticking())));
    expect_refused(
        manager.pause("a"), Refusal::Code::illegal_state, "cannot pause worker 'a': it is created");
    ASSERT_TRUE(manager.start("a"));
    // Original defect S33.
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

TEST_F(Manager, ASendToAFullMailboxIsRefusedAndCounted) {
    world.add("a", Script{}).mailbox = 1;
    world.start();
    ASSERT_TRUE(manager.pause("a", true));
    ASSERT_TRUE(manager.send("a", "one"));
    expect_refused(
        manager.send("a", "two"), Refusal::Code::mailbox_full, "the mailbox of worker 'a' is full");
    EXPECT_EQ(world.metrics("a").in.rejected.full, 1U);
}

// Original defect S36.
TEST_F(Manager, AnUnreadMailboxIsBounded) {
    world.add("a", Script{}).mailbox = 100;
    world.start();
    ASSERT_TRUE(manager.pause("a", true));
    int taken = 0;
    for (int i = 0; i < 1000; ++i) {
        taken += manager.send("a", "x") ? 1 : 0;
    }
    EXPECT_EQ(taken, 100);
    EXPECT_EQ(world.metrics("a").queue_high, 100U);
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

// Original defect S29 and S30.
TEST_F(Manager, ANameCanBeStartedAgainTheMomentItsWorkerHasEnded) {
    std::vector<std::string> seen;
    world.add("a", collecting(seen));
    world.start();
    for (int i = 0; i < 200; ++i) {
        ASSERT_TRUE(manager.stop("a"));
        ASSERT_TRUE(manager.start("a"));
        ASSERT_TRUE(manager.send("a", "x"));
    }
    world.clock.settle();
    EXPECT_EQ(seen.size(), 200U);
    EXPECT_EQ(world.metrics("a").generation, 201U);
}

// Original defect S31.
TEST_F(Manager, TheEndOfAnOldGenerationLeavesTheNextAlone) {
    world.add("a", receiving());
    world.start();
    ASSERT_TRUE(manager.stop("a"));
    ASSERT_TRUE(manager.start("a"));
    world.clock.run_for(seconds(1));
    EXPECT_EQ(world.state("a"), WorkerState::running);
    EXPECT_FALSE(world.metrics("a").ended);
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

// Original defects S41 and S42.
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
    it.errors = 99;
    it.state = WorkerState::failed;
    EXPECT_EQ(world.metrics("a").items, 3U);
    EXPECT_EQ(world.metrics("a").errors, 0U);
    EXPECT_EQ(world.state("a"), WorkerState::running);
    ASSERT_TRUE(manager.stop("a"));
    EXPECT_EQ(world.metrics("a").ended, seconds(3));
    EXPECT_TRUE(world.metrics("a").ended_wall);
}

// Original defect S32.
TEST_F(Manager, ListsWorkersWhileOthersAreCreated) {
    std::atomic<bool> is_done{false};
    std::thread making([this, &is_done] {
        for (int i = 0; i < 100; ++i) {
            EXPECT_TRUE(manager.create(world.worker("w" + std::to_string(i), Script{})));
        }
        is_done = true;
    });
    while (!is_done) {
        EXPECT_LE(manager.metrics().workers.size(), 100U);
        EXPECT_EQ(*manager.broadcast("x"), 0U);
    }
    making.join();
}

// Original defect S43.
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
    EXPECT_GT(world.metrics("busy").cpu, milliseconds(1));
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

// Original defect S16.
TEST_F(Manager, AWorkerThatWasNeverStartedCannotStartAfterTheEnd) {
    ASSERT_TRUE(manager.create(world.worker("a", receiving())));
    world.stop();
    const auto started = manager.start("a");
    ASSERT_FALSE(started);
    EXPECT_EQ(started.error().code, Refusal::Code::host_ended);
}

// Original defect S17.
TEST_F(Manager, NothingIsAcceptedIntoAHostThatHasEnded) {
    world.stop();
    for (const auto& answer :
         {manager.create(world.worker("a", receiving())), manager.start("a")}) {
        ASSERT_FALSE(answer);
        EXPECT_EQ(answer.error().code, Refusal::Code::host_ended);
    }
    const auto applied = manager.apply(world.plan);
    ASSERT_FALSE(applied);
    EXPECT_EQ(applied.error().code, Refusal::Code::host_ended);
    EXPECT_FALSE(manager.broadcast("x"));
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

// Original defect S22.
TEST_F(Manager, AFailureCannotBeHiddenByALaterRequest) {
    Script failing;
    failing.run = [](skep::context&) { throw std::runtime_error("lost the disk"); };
    world.add("a", failing).on_failure = host::OnFailure::isolate;
    world.start();
    world.clock.settle();
    EXPECT_FALSE(manager.pause("a"));
    EXPECT_FALSE(manager.resume("a"));
    EXPECT_FALSE(manager.stop("a"));
    EXPECT_EQ(world.state("a"), WorkerState::failed);
    EXPECT_EQ(world.metrics("a").error, "run: lost the disk");
}

// Original defect S27.
TEST_F(Manager, MessagesToADeadWorkerAreNeverSilentlyLost) {
    Script failing;
    failing.on_message = [](skep::context&, const skep::message&) {
        throw std::runtime_error("poison");
    };
    world.add("a", failing).on_failure = host::OnFailure::isolate;
    world.start();
    ASSERT_TRUE(manager.pause("a", true));
    for (int i = 0; i < 5; ++i) {
        ASSERT_TRUE(manager.send("a", "x"));
    }
    ASSERT_TRUE(manager.resume("a"));
    world.clock.settle();
    EXPECT_FALSE(manager.send("a", "too late"));
    const host::FlowCounts in = world.metrics("a").in;
    EXPECT_EQ(in.dead_lettered.crash, 1U);
    EXPECT_EQ(in.dead_lettered.stop, 4U);
    EXPECT_EQ(in.rejected.closed, 1U);
    EXPECT_TRUE(in.is_balanced());
}

// Original defect S35.
TEST_F(Manager, EveryWayOutOfAWorkerYieldsAResult) {
    Script throwing;
    throwing.run = [](skep::context&) { throw 7; };
    world.add("a", throwing).on_failure = host::OnFailure::isolate;
    world.start();
    world.clock.settle();
    const auto it = world.metrics("a");
    EXPECT_EQ(it.state, WorkerState::failed);
    EXPECT_EQ(it.errors, 1U);
    EXPECT_TRUE(it.ended);
}

}  // namespace
}  // namespace skep::test::manager_test
