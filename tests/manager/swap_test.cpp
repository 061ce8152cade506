// A running worker gets a successor: what is handed over, what stays, and what undoes it.
#include <atomic>
#include <future>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/scripted.hpp"

namespace skep::test {
namespace {

using host::Answer;
using host::Done;
using host::Manager;
using host::Refusal;
using host::WorkerState;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;
using testing::HasSubstr;

using Lines = std::vector<std::string>;

class Swap : public testing::Test {
protected:
    // A handler that notes "NAME message".
    Script noting(const std::string& name) {
        Script script;
        script.on_message = [this, name](skep::context&, const skep::message& message) {
            note(name + " " + std::string(message.text()));
        };
        script.destroy = [this, name] { note(name + " destroyed"); };
        return script;
    }

    // A loop worker that does the same, until it is told to stop.
    Script noting_loop(const std::string& name) {
        Script script;
        script.run = [this, name](skep::context& context) {
            note(name + " runs");
            for (auto got = context.receive(nanoseconds(-1)); got;
                 got = context.receive(nanoseconds(-1))) {
                note(name + " " + std::string((*got).text()));
            }
            note(name + " returns");
        };
        return script;
    }

    void note(const std::string& line) {
        const std::lock_guard lock(mutex);
        lines.push_back(line);
    }

    Lines noted() {
        world.clock.settle();
        const std::lock_guard lock(mutex);
        return lines;
    }

    // The next instance of `worker` shall do what `script` says.
    void change(const std::string& worker, Script script) {
        world.scripts[worker] = std::move(script);
        for (host::WorkerPlan& it : world.plan.workers) {
            if (it.name == worker) {
                it.config["text"] = host::ParamValue("version " + std::to_string(++versions));
            }
        }
    }

    Answer<Done> apply() { return manager.apply(world.plan); }

    std::future<Answer<Done>> apply_later() {
        return std::async(std::launch::async, [this] { return apply(); });
    }

    std::string refusal() {
        const Answer<Done> answer = apply();
        return answer ? "" : answer.error().message;
    }

    void send(const std::string& worker, const std::string& text) {
        ASSERT_TRUE(manager.send(worker, text));
    }

    std::mutex mutex;
    Lines lines;
    int versions = 0;
    Gate gate;
    World<> world{Manager::When::asked};
    Manager& manager = *world.manager;
};

TEST_F(Swap, ASuccessorTakesOverAndTheOldInstanceIsDestroyedAfterTheProbation) {
    world.add("a", noting("old"));
    world.start();
    send("a", "1");
    EXPECT_EQ(noted(), (Lines{"old 1"}));
    change("a", noting("new"));
    ASSERT_TRUE(apply());
    send("a", "2");
    EXPECT_EQ(noted(), (Lines{"old 1", "new 2"}));
    const host::WorkerMetrics metrics = world.metrics("a");
    EXPECT_EQ(metrics.generation, 2U);
    EXPECT_EQ(metrics.swaps, 1U);
    EXPECT_EQ(metrics.state, WorkerState::running);
    EXPECT_EQ(metrics.in.delivered, 2U);
    EXPECT_EQ(metrics.blackout, host::Nanos(0)) << "on a clock that stands still";
    world.clock.run_for(Manager::Limits().probation);
    world.stop();
    EXPECT_EQ(lines, (Lines{"old 1", "new 2", "old destroyed", "new destroyed"}));
}

TEST_F(Swap, StateIsHandedOver) {
    Script old = noting("old");
    old.save = [] { return std::string("17 so far"); };
    Script next = noting("new");
    next.load = [this](std::string_view state) { note("new loads " + std::string(state)); };
    world.add("a", old);
    world.start();
    change("a", next);
    ASSERT_TRUE(apply());
    EXPECT_EQ(noted(), (Lines{"new loads 17 so far"}));
}

TEST_F(Swap, ALoopWorkerReturnsAndItsSuccessorRunsOnItsThread) {
    Script old = noting_loop("old");
    old.save = [] { return std::string("17"); };
    Script next = noting_loop("new");
    next.load = [this](std::string_view state) { note("new loads " + std::string(state)); };
    world.add("a", old);
    world.start();
    send("a", "1");
    EXPECT_EQ(noted(), (Lines{"old runs", "old 1"}));
    change("a", next);
    ASSERT_TRUE(apply());
    send("a", "2");
    EXPECT_EQ(noted(),
              (Lines{"old runs", "old 1", "old returns", "new loads 17", "new runs", "new 2"}));
    EXPECT_EQ(world.metrics("a").in.delivered + world.metrics("a").in.in_flight, 2U);
}

// It is told of nothing: it only sees that something is wanted.
TEST_F(Swap, ALoopWorkerThatReturnsByItselfHasEndedAndGetsNoSuccessor) {
    Script old;
    old.run = [this](skep::context& context) {
        gate.wait_until_open();
        while (!context.is_wanted()) {
        }
    };
    world.add("a", old);
    world.start();
    gate.open();
    gate.wait_for_visitor();
    change("a", noting_loop("new"));
    EXPECT_EQ(refusal(), "worker 'a' ended before its successor could take over");
    EXPECT_EQ(noted(), Lines{});
    EXPECT_EQ(world.state("a"), WorkerState::stopped);
}

TEST_F(Swap, WhatIsQueuedStaysWithTheWorkerInItsOrder) {
    Script old = noting("old");
    old.on_message = [this](skep::context&, const skep::message& message) {
        gate.wait_until_open();
        note("old " + std::string(message.text()));
    };
    world.add("a", old);
    world.start();
    for (const char* text : {"1", "2", "3"}) {
        send("a", text);
    }
    gate.wait_for_visitor();
    change("a", noting("new"));
    auto applied = apply_later();
    gate.open();
    ASSERT_TRUE(applied.get());
    send("a", "4");
    Lines texts;
    for (const std::string& line : noted()) {
        texts.push_back(line.substr(line.find(' ') + 1));
    }
    EXPECT_EQ(texts, (Lines{"1", "2", "3", "4"}));
    EXPECT_EQ(lines.back(), "new 4");
    world.expect_law();
}

TEST_F(Swap, ASuccessorThatCannotBeMadeLeavesTheOldOneAtWork) {
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

TEST_F(Swap, AStateThatCannotBeSavedLeavesTheOldOneAtWork) {
    Script old = noting("old");
    old.save = []() -> std::string { throw std::runtime_error("disk full"); };
    world.add("a", old);
    world.start();
    change("a", noting("new"));
    EXPECT_THAT(refusal(), HasSubstr("worker 'a' keeps its instance: save_state: disk full"));
    send("a", "1");
    EXPECT_THAT(noted(), testing::UnorderedElementsAre("new destroyed", "old 1"));
}

TEST_F(Swap, AStateThatCannotBeLoadedLeavesTheOldOneAtWork) {
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

TEST_F(Swap, OfASetAllTakeOverOrNone) {
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

TEST_F(Swap, ASuccessorThatFailsOnProbationIsReplacedByTheOneBefore) {
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
    world.expect_law();
    world.scripts["a"] = noting("third");
    ASSERT_TRUE(apply()) << "the plan in force is the one before, so this is a change";
    send("a", "3");
    EXPECT_THAT(noted(), testing::Contains("third 3"));
}

TEST_F(Swap, ASuccessorThatFailsAfterTheProbationHasFailed) {
    world.add("a", noting("old")).on_failure = host::OnFailure::isolate;
    world.start();
    Script next = noting("new");
    next.on_message = [](skep::context&, const skep::message&) { throw std::runtime_error("no"); };
    change("a", next);
    ASSERT_TRUE(apply());
    world.clock.run_for(Manager::Limits().probation);
    send("a", "1");
    world.clock.settle();
    EXPECT_EQ(world.state("a"), WorkerState::failed);
}

TEST_F(Swap, APausedWorkerStaysPaused) {
    world.add("a", noting("old"));
    world.start();
    ASSERT_TRUE(manager.pause("a", true));
    send("a", "1");
    change("a", noting("new"));
    ASSERT_TRUE(apply());
    EXPECT_EQ(noted(), Lines{});
    EXPECT_EQ(world.state("a"), WorkerState::paused);
    ASSERT_TRUE(manager.resume("a"));
    EXPECT_EQ(noted(), (Lines{"new 1"}));
}

TEST_F(Swap, APausedLoopWorkerStaysPaused) {
    world.add("a", noting_loop("old"));
    world.start();
    world.clock.settle();
    ASSERT_TRUE(manager.pause("a", true));
    send("a", "1");
    change("a", noting_loop("new"));
    ASSERT_TRUE(apply());
    EXPECT_EQ(noted(), (Lines{"old runs", "old returns"}));
    EXPECT_EQ(world.state("a"), WorkerState::paused);
    ASSERT_TRUE(manager.resume("a"));
    EXPECT_EQ(noted(), (Lines{"old runs", "old returns", "new runs", "new 1"}));
}

TEST_F(Swap, APauseMeanwhileIsObeyedByTheSuccessor) {
    world.add("a", noting("old"));
    world.start();
    Script next = noting("new");
    next.create = [this](skep::context&) { gate.wait_until_open(); };
    change("a", next);
    auto applied = apply_later();
    gate.wait_for_visitor();
    ASSERT_TRUE(manager.pause("a"));
    gate.open();
    ASSERT_TRUE(applied.get());
    send("a", "1");
    EXPECT_EQ(noted(), Lines{});
    EXPECT_EQ(world.state("a"), WorkerState::paused);
    ASSERT_TRUE(manager.resume("a"));
    EXPECT_EQ(noted(), (Lines{"new 1"}));
}

TEST_F(Swap, UnchangedWorkersNoticeNothing) {
    std::atomic<int> made{0};
    Script other = noting("other");
    other.create = [&made](skep::context&) { ++made; };
    world.add("a", noting("old"));
    world.add("other", other);
    world.start();
    change("a", noting("new"));
    world.add("added", noting("added"));
    world.route("other", "added");
    ASSERT_TRUE(apply());
    send("other", "1");
    EXPECT_THAT(noted(), testing::Contains("other 1"));
    EXPECT_EQ(made, 1);
    EXPECT_EQ(world.metrics("other").generation, 1U);
    EXPECT_EQ(world.metrics("other").swaps, 0U);
}

TEST_F(Swap, AWorkerThatHasFailedBeginsAgainWithTheNewPlan) {
    Script old = noting("old");
    old.on_message = [](skep::context&, const skep::message&) { throw std::runtime_error("no"); };
    world.add("a", old).on_failure = host::OnFailure::isolate;
    world.start();
    send("a", "1");
    world.clock.settle();
    ASSERT_EQ(world.state("a"), WorkerState::failed);
    change("a", noting("new"));
    ASSERT_TRUE(apply());
    world.clock.settle();
    send("a", "2");
    EXPECT_THAT(noted(), testing::Contains("new 2"));
    EXPECT_EQ(world.metrics("a").generation, 2U);
    EXPECT_EQ(world.metrics("a").swaps, 0U);
}

TEST_F(Swap, AWorkerThatAnOperatorStoppedStaysStoppedAndStartsWithTheNewPlan) {
    world.add("a", noting("old"));
    world.start();
    ASSERT_TRUE(manager.stop("a"));
    change("a", noting("new"));
    ASSERT_TRUE(apply());
    world.clock.settle();
    EXPECT_EQ(world.state("a"), WorkerState::stopped);
    ASSERT_TRUE(manager.start("a"));
    send("a", "1");
    EXPECT_THAT(noted(), testing::Contains("new 1"));
}

TEST_F(Swap, OnTheWayTheHostCanEnd) {
    world.add("a", noting("old"));
    world.start();
    Script next = noting("new");
    next.create = [this](skep::context&) { gate.wait_until_open(); };
    change("a", next);
    auto applied = apply_later();
    gate.wait_for_visitor();
    manager.request_stop(seconds(5));
    const Answer<Done> answer = applied.get();
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, Refusal::Code::host_ended);
    gate.open();
    EXPECT_TRUE(world.end().lost.empty());
    EXPECT_THAT(lines, testing::UnorderedElementsAre("old destroyed", "new destroyed"));
    EXPECT_EQ(world.loader.closed, world.loader.opened);
}

TEST_F(Swap, OnTheWayAWorkerCanBeStopped) {
    world.add("a", noting("old"));
    world.start();
    Script next = noting("new");
    next.create = [this](skep::context&) { gate.wait_until_open(); };
    change("a", next);
    auto applied = apply_later();
    gate.wait_for_visitor();
    EXPECT_TRUE(manager.stop("a"));
    EXPECT_EQ(applied.get().error().message, "worker 'a' was stopped");
    gate.open();
    EXPECT_EQ(world.state("a"), WorkerState::stopped);
}

TEST_F(Swap, InCreateAWorkerHasNoPlaceInTheTopologyYet) {
    std::vector<skep::send_result> results;
    Script script = noting("old");
    script.create = [&](skep::context& context) {
        results = {context.emit("x"), context.send("b", "x"), context.broadcast("x")};
        EXPECT_EQ(context.raw()->api->checkpoint(context.raw()), SKEP_E_STATE);
        context.set_timer(1, seconds(1));
    };
    script.on_timer = [this](skep::context&, std::uint32_t id) {
        note("timer " + std::to_string(id));
    };
    world.add("a", script);
    world.add("b", noting("b"));
    world.route("a", "b");
    world.start();
    EXPECT_EQ(results, std::vector(3, skep::send_result::failed));
    change("a", script);
    ASSERT_TRUE(apply());
    EXPECT_EQ(results, std::vector(3, skep::send_result::failed));
    world.clock.run_for(seconds(1));
    EXPECT_EQ(noted(), (Lines{"timer 1"})) << "the successor's, and no longer the old one's";
    EXPECT_EQ(manager.metrics().law.offered, 0U);
}

// -- By the real clock: somebody is stuck. --

class StuckSwap : public testing::Test {
protected:
    static Manager::Limits short_limits() {
        return {milliseconds(5), milliseconds(5), milliseconds(5)};
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
    const Answer<Done> answer = manager.apply(world.plan);
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().message,
              "worker 'a' did not come to a boundary between two messages in time");
    gate.open();
    ASSERT_TRUE(manager.send("a", "2"));
    world.stop();
    EXPECT_EQ(handled, 2);
    EXPECT_EQ(handled_by_new, 0);
}

TEST_F(StuckSwap, ASuccessorThatIsNotMadeInTimeIsRefusedAndNamedAtTheEnd) {
    world.add("a", Script{});
    world.start();
    world.scripts["a"].create = [this](skep::context&) { gate.wait_until_open(); };
    world.plan.workers[0].config["text"] = host::ParamValue(std::string("other"));
    const Answer<Done> answer = manager.apply(world.plan);
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().message, "the successor of worker 'a' was not made in time");
    ASSERT_TRUE(manager.send("a", "1"));
    EXPECT_EQ(world.stop().lost, std::vector<std::string>{"worker 'a' in create"});
    EXPECT_EQ(manager.metrics().law.delivered, 1U);
    gate.open();
}

}  // namespace
}  // namespace skep::test
