// What undoes a swap, before it is decided and on probation.
#include <atomic>
#include <stdexcept>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/swapping.hpp"

namespace skep::test {
namespace {

using host::Answer;
using host::Applied;
using host::Done;
using host::Manager;
using host::Refusal;
using host::WorkerState;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

using SwapUndone = Swapping;

TEST_F(SwapUndone, ASuccessorThatCannotBeMadeLeavesTheOldOneAtWork) {
    world.add("a", noting("old"));
    world.start();
    Script failing = noting("new");
    failing.create = [](skep::context&) { throw std::runtime_error("no such device"); };
    change("a", failing);
    EXPECT_THAT(refusal(), HasSubstr("worker 'a' failed: create: no such device"));
    send("a", "1");
    EXPECT_EQ(noted(), (Lines{"old 1"}));
    EXPECT_EQ(world.metrics("a").generation, 1U);
    EXPECT_EQ(world.metrics("a").swaps, 0U);
}

TEST_F(SwapUndone, AStateThatCannotBeSavedLeavesTheOldOneAtWork) {
    Script old = noting("old");
    old.save = []() -> std::string { throw std::runtime_error("disk full"); };
    world.add("a", old);
    world.start();
    change("a", noting("new"));
    EXPECT_THAT(refusal(), HasSubstr("worker 'a' keeps its instance: save_state: disk full"));
    send("a", "1");
    EXPECT_THAT(noted(), testing::UnorderedElementsAre("new destroyed", "old 1"));
}

TEST_F(SwapUndone, APluginThatCannotSucceedIsClosedAtOnce) {
    world.add("a", noting("old"));
    world.start();
    world.plan.workers.front().plugin_content = "another";
    world.loader.renames_ports = true;
    EXPECT_THAT(refusal(), HasSubstr("worker 'a' cannot get a successor: "));
    EXPECT_EQ(world.loader.closed, 1);
    EXPECT_EQ(world.loader.opened, 2);
}

TEST_F(SwapUndone, ThatAPluginCannotSucceedIsKnownBeforehand) {
    world.add("a", noting("old"));
    world.start();
    world.plan.workers.front().plugin_content = "another";
    host::PluginInfo info;
    info.types.emplace_back().name = "handler";
    const Answer<host::ChangeSummary> checked = manager.check(world.plan, {{"another", info}});
    ASSERT_FALSE(checked);
    EXPECT_THAT(checked.error().message,
                HasSubstr("worker 'a' cannot get a successor: its input 'in' was removed"));
    EXPECT_EQ(world.loader.opened, 1) << "nothing was opened for it";
    EXPECT_TRUE(manager.check(world.plan, {})) << "of what is not known nothing is said";
    ASSERT_TRUE(manager.stop("a"));
    EXPECT_TRUE(manager.check(world.plan, {{"another", info}})) << "it would start without state";
}

TEST_F(SwapUndone, ACheckWhileTheHostEndsIsRefusedOrFindsItsWorkersGone) {
    world.add("a", noting("old"));
    world.add("b", noting("old"));
    Script waiting = noting("last");
    waiting.on_drain = [this](skep::context&) { gate.wait_until_open(); };
    world.add("last", waiting).run.pool = "";  // its call would hold up a worker of its pool
    world.start();
    manager.request_stop(seconds(5));
    gate.wait_for_visitor();
    while (manager.metrics().workers.size() != 3 || manager.metrics("a") || manager.metrics("b")) {
    }
    world.plan.workers.erase(world.plan.workers.begin());
    EXPECT_TRUE(manager.check(world.plan, {}));
    change("b", noting("new"));
    EXPECT_EQ(manager.check(world.plan, {}).error().code, Refusal::Code::host_ended);
    gate.open();
}

TEST_F(SwapUndone, ACheckEndsNoProbation) {
    world.add("a", noting("old"));
    world.start();
    change("a", noting("new"));
    ASSERT_TRUE(apply());
    change("a", noting("third"));
    EXPECT_TRUE(manager.check(world.plan, {}));
    EXPECT_EQ(world.observer.probations, (Lines{"a@2 begins"}));
}

TEST_F(SwapUndone, AStateThatCannotBeLoadedLeavesTheOldOneAtWork) {
    world.add("a", noting("old"));
    world.start();
    Script next = noting("new");
    next.load = [](std::string_view) { throw std::runtime_error("what is this"); };
    change("a", next);
    EXPECT_THAT(refusal(), HasSubstr("worker 'a' keeps its instance: load_state: what is this"));
    send("a", "1");
    EXPECT_THAT(noted(), testing::UnorderedElementsAre("new destroyed", "old 1"));
    EXPECT_EQ(world.metrics("a").generation, 1U);
    EXPECT_EQ(world.state("a"), WorkerState::running);
}

TEST_F(SwapUndone, OfASetAllTakeOverOrNone) {
    for (const char* name : {"a", "b", "c"}) {
        world.add(name, noting(std::string("old ") + name));
    }
    world.start();
    for (const char* name : {"a", "b", "c"}) {
        change(name, noting(std::string("new ") + name));
    }
    world.scripts["b"].load = [](std::string_view) { throw std::runtime_error("no"); };
    EXPECT_THAT(refusal(), HasSubstr("worker 'b' keeps its instance"));
    for (const char* name : {"a", "b", "c"}) {
        send(name, "1");
    }
    for (const char* name : {"a", "b", "c"}) {
        EXPECT_THAT(noted(), testing::Contains(std::string("old ") + name + " 1"));
        EXPECT_THAT(noted(), testing::Contains(std::string("new ") + name + " destroyed"));
        EXPECT_EQ(world.metrics(name).generation, 1U);
    }
    world.scripts["b"].load = nullptr;
    ASSERT_TRUE(apply());
    for (const char* name : {"a", "b", "c"}) {
        send(name, "2");
        EXPECT_THAT(noted(), testing::Contains(std::string("new ") + name + " 2"));
    }
}

TEST_F(SwapUndone, ASuccessorThatFailsOnProbationIsReplacedByTheOneBefore) {
    world.add("a", noting("old"));
    world.start();
    Script next = noting("new");
    next.on_message = [this](skep::context&, const skep::message& message) {
        if (message.text() == "bad") {
            throw std::runtime_error("cannot divide");
        }
        note("new " + std::string(message.text()));
    };
    change("a", next);
    ASSERT_TRUE(apply());
    for (const char* text : {"1", "bad", "2"}) {
        send("a", text);
    }
    EXPECT_THAT(noted(), testing::UnorderedElementsAre("new 1", "old 2", "new destroyed"));
    const host::WorkerMetrics metrics = world.metrics("a");
    EXPECT_EQ(metrics.state, WorkerState::running);
    EXPECT_EQ(metrics.generation, 1U);
    EXPECT_EQ(metrics.rollbacks, 1U);
    EXPECT_EQ(metrics.errors, 1U);
    EXPECT_EQ(metrics.in.delivered, 2U);
    EXPECT_EQ(metrics.in.dead_lettered.crash, 1U);
    ASSERT_EQ(world.observer.all_reverted.size(), 1U);
    const host::ManagerObserver::Reverted& told = world.observer.all_reverted.front();
    EXPECT_EQ(told.worker, "a");
    EXPECT_EQ(told.failed, 2U);
    EXPECT_EQ(told.back, 1U);
    EXPECT_EQ(told.consumed, 1U);
    EXPECT_EQ(told.error, "on_message: cannot divide");
    EXPECT_EQ(world.observer.probations, (Lines{"a@2 begins"})) << "this one is never settled";
    world.expect_balanced_accounting();
    world.scripts["a"] = noting("third");
    ASSERT_TRUE(apply()) << "the plan in force is the one before, so this is a change";
    send("a", "3");
    EXPECT_THAT(noted(), testing::Contains("third 3"));
}

TEST_F(SwapUndone, APlanThatIsRefusedLeavesTheProbationAsItIs) {
    world.add("a", noting("old"));
    world.start();
    Script next = noting("new");
    next.on_message = [](skep::context&, const skep::message&) { throw std::runtime_error("no"); };
    change("a", next);
    ASSERT_TRUE(apply());
    change("a", noting("third"));
    world.plan.workers.front().plugin_content = "another";
    world.loader.refuses = true;
    EXPECT_THAT(refusal(), testing::HasSubstr("refused by the test"));
    send("a", "1");
    world.clock.settle();
    EXPECT_EQ(world.metrics("a").rollbacks, 1U);
    EXPECT_EQ(world.state("a"), WorkerState::running);
}

TEST_F(SwapUndone, ASuccessorThatFailsAfterTheProbationHasFailed) {
    world.add("a", noting("old")).on_failure = host::OnFailure::isolate;
    world.start();
    Script next = noting("new");
    next.on_message = [](skep::context&, const skep::message&) { throw std::runtime_error("no"); };
    change("a", next);
    ASSERT_TRUE(apply());
    world.clock.run_for(world.plan.probation);
    send("a", "1");
    world.clock.settle();
    EXPECT_EQ(world.state("a"), WorkerState::failed);
}

TEST_F(SwapUndone, OnTheWayTheHostCanEnd) {
    world.add("a", noting("old"));
    world.start();
    auto applied = apply_until_made("a", noting("new"));
    manager.request_stop(seconds(5));
    const Answer<Applied> answer = applied.get();
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, Refusal::Code::host_ended);
    gate.open();
    EXPECT_TRUE(world.end().lost.empty());
    EXPECT_THAT(lines, testing::UnorderedElementsAre("old destroyed", "new destroyed"));
    EXPECT_EQ(world.loader.closed, world.loader.opened);
}

TEST_F(SwapUndone, OnTheWayAWorkerCanBeStopped) {
    world.add("a", noting("old"));
    world.start();
    auto applied = apply_until_made("a", noting("new"));
    EXPECT_TRUE(manager.stop("a"));
    EXPECT_EQ(applied.get().error().message, "worker 'a' was stopped");
    gate.open();
    EXPECT_EQ(world.state("a"), WorkerState::stopped);
}

TEST_F(SwapUndone, OnTheWayAWorkerThatIsStoppedIsNotStarted) {
    world.add("a", noting("old a"));
    world.add("b", noting("old b"));
    world.start();
    ASSERT_TRUE(manager.stop("b"));
    change("b", noting("new b"));
    auto applied = apply_until_made("a", noting("new a"));
    EXPECT_EQ(manager.start("b").error().message, "a plan is being applied");
    gate.open();
    ASSERT_TRUE(applied.get());
    ASSERT_TRUE(manager.start("b"));
    send("b", "1");
    EXPECT_THAT(noted(), testing::Contains("new b 1"));
}

// -- By the real clock: somebody is stuck. --

class StuckSwap : public testing::Test {
protected:
    StuckSwap() { world.plan.probation = milliseconds(5); }

    static Manager::Limits short_limits() {
        return {seconds(2), milliseconds(100)};  // the first start has to make it
    }

    Gate gate;
    std::atomic<int> handled_by_new{0};
    World<host::SteadyClock> world{Manager::When::asked, short_limits()};
    Manager& manager = *world.manager;
};

TEST_F(StuckSwap, AWorkerThatDoesNotComeToABoundaryInTimeKeepsItsInstance) {
    std::atomic<int> handled{0};
    Script old;
    old.on_message = [&](skep::context&, const skep::message&) {
        gate.wait_until_open();
        ++handled;
    };
    world.add("a", old);
    world.start();
    ASSERT_TRUE(manager.send("a", "1"));
    gate.wait_for_visitor();
    world.scripts["a"].on_message = [this](skep::context&, const skep::message&) {
        ++handled_by_new;
    };
    world.plan.workers[0].config["text"] = host::ParamValue(std::string("other"));
    const Answer<Applied> answer = manager.apply(world.plan);
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().message,
              "worker 'a' did not come to a boundary between two messages in time: it is inside "
              "'on_message' of its plugin; its 'quiesce' says how long it may take");
    gate.open();
    ASSERT_TRUE(manager.send("a", "2"));
    world.stop();
    EXPECT_EQ(handled, 2);
    EXPECT_EQ(handled_by_new, 0);
}

TEST_F(StuckSwap, TheReceiverThatHoldsASenderUpIsNamed) {
    Script stuck;
    stuck.on_message = [this](skep::context&, const skep::message&) { gate.wait_until_open(); };
    Script source;
    source.run = [](skep::context& context) {
        while (context.checkpoint()) {
            (void)context.emit("x");
        }
    };
    world.add("source", source);
    world.add("stuck", stuck);
    world.route("source", "stuck").queue = 1;
    world.start();
    gate.wait_for_visitor();
    while (world.metrics("stuck").in.queued == 0) {
    }
    for (host::WorkerPlan& worker : world.plan.workers) {
        worker.config["text"] = host::ParamValue(std::string("other"));
    }
    const Answer<Applied> answer = manager.apply(world.plan);
    ASSERT_FALSE(answer);
    EXPECT_THAT(answer.error().message, testing::StartsWith("worker 'stuck' did not come to a"));
    gate.open();
    world.stop();
}

// Though a swap that stands alone is otherwise its worker's own affair.
TEST_F(StuckSwap, AStateThatIsNeverLoadedIsRefusedInTimeAndTheOldInstanceGoesOn) {
    std::atomic<int> handled{0};
    Script old;
    old.on_message = [&](skep::context&, const skep::message&) { ++handled; };
    old.save = [] { return std::string("state"); };
    world.add("a", old);
    world.start();
    Script next;
    next.save = old.save;
    next.load = [this](std::string_view) { gate.wait_until_open(); };
    next.on_message = [this](skep::context&, const skep::message&) { ++handled_by_new; };
    world.scripts["a"] = next;
    world.plan.workers[0].config["text"] = host::ParamValue(std::string("other"));
    const Answer<Applied> answer = manager.apply(world.plan);
    ASSERT_FALSE(answer);
    EXPECT_THAT(answer.error().message, HasSubstr("in time: it is inside 'load_state'"));
    gate.open();
    ASSERT_TRUE(manager.send("a", "1"));
    while (handled == 0) {
    }
    world.stop();
    EXPECT_EQ(handled_by_new, 0);
}

TEST_F(StuckSwap, ASuccessorThatIsNotMadeInTimeIsRefusedAndNamedAtTheEnd) {
    Gate& never = *new Gate;  // outlives a thread that is given up
    world.add("a", Script{});
    world.start();
    world.scripts["a"].create = [&never](skep::context&) { never.wait_until_open(); };
    world.plan.workers[0].config["text"] = host::ParamValue(std::string("other"));
    const Answer<Applied> answer = manager.apply(world.plan);
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().message,
              "the successor of worker 'a' was not created in time: it is inside 'create' of its "
              "plugin");
    never.wait_for_visitor();  // what it reads on the way there it has read
    ASSERT_TRUE(manager.send("a", "1"));
    EXPECT_EQ(world.stop().lost, std::vector<std::string>{"worker 'a' in create"});
    EXPECT_EQ(manager.metrics().accounting.delivered, 1U);
}

// Step 15: the host goes on, and keeps what may still be called.
TEST(SwapThatCannotEnd, AnInstanceThatIsNeverDestroyedKeepsItsLibraryAndIsNamedAtTheEnd) {
    Gate& never = *new Gate;  // outlives a thread that is given up
    World<host::SteadyClock> world(Manager::When::asked);
    world.plan.probation = std::chrono::nanoseconds(1);
    Script old;
    old.destroy = [&never] { never.wait_until_open(); };
    world.add("a", old);
    world.start();
    std::atomic<int> handled{0};
    Script next;
    next.on_message = [&](skep::context&, const skep::message&) { ++handled; };
    world.scripts["a"] = next;
    for (const char* const version : {"second", "third"}) {
        world.plan.workers[0].config["text"] = host::ParamValue(std::string(version));
        world.plan.workers[0].plugin_content = version;
        ASSERT_TRUE(world.manager->apply(world.plan));
        never.wait_for_visitor();
    }
    ASSERT_TRUE(world.manager->send("a", "1"));
    EXPECT_EQ(world.stop().lost, std::vector<std::string>{"worker 'a' in destroy"});
    EXPECT_EQ(handled, 1);
    EXPECT_EQ(world.loader.opened, 3);
    world.manager.reset();
    EXPECT_EQ(world.loader.closed, 2) << "all but that of the first";
}

}  // namespace
}  // namespace skep::test
