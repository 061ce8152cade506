// A running worker gets a successor: what is handed over, what stays, and what undoes it.
#include <atomic>
#include <stdexcept>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/swapping.hpp"

namespace skep::test {
namespace {

using host::Manager;
using host::WorkerState;
using std::chrono::seconds;

using Swap = Swapping;

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
    EXPECT_EQ(metrics.last_swap, host::SwapMetrics{}) << "on a clock that stands still";
    EXPECT_EQ(world.observer.probations, (Lines{"a@2 begins"}));
    world.clock.run_for(world.plan.probation);
    world.stop();
    EXPECT_EQ(world.observer.probations, (Lines{"a@2 begins", "a@2 settled"}));
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

// Nothing calls it: it only sees that a command is set.
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
    EXPECT_EQ(refusal(), "worker 'a' ended before its successor became active");
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
    world.expect_balanced_accounting();
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
    auto applied = apply_until_made("a", noting("new"));
    ASSERT_TRUE(manager.pause("a"));
    gate.open();
    ASSERT_TRUE(applied.get());
    send("a", "1");
    EXPECT_EQ(noted(), Lines{});
    EXPECT_EQ(world.state("a"), WorkerState::paused);
    ASSERT_TRUE(manager.resume("a"));
    EXPECT_EQ(noted(), (Lines{"new 1"}));
}

// "c" would stand still while "a" waits for room at "b", which waits for room at "c".
TEST_F(Swap, WhoSendsTakesOverBeforeWhoReceives) {
    Script source = noting_loop("a");
    source.run = [](skep::context& context) {
        while (context.checkpoint()) {
            context.emit("x");
        }
    };
    Script relay;
    relay.on_message = [](skep::context& context, const skep::message& message) {
        context.emit(message.text());
    };
    Script sink;
    sink.on_message = [](skep::context&, const skep::message&) {};
    world.add("c", sink);
    world.add("b", relay);
    world.add("a", source);
    world.route("a", "b").queue = 1;
    world.route("b", "c").queue = 1;
    world.start();
    for (int i = 0; i < 20; ++i) {
        change("a", source);
        change("c", sink);
        ASSERT_TRUE(apply());
    }
    world.stop();
    EXPECT_EQ(world.metrics("a").swaps, 20U);
    EXPECT_EQ(world.metrics("c").swaps, 20U);
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

TEST_F(Swap, OfAWorkerThatIsStoppedThePluginBeforeIsClosedAtOnce) {
    world.add("a", noting("old"));
    world.start();
    ASSERT_TRUE(manager.stop("a"));
    world.plan.workers[0].plugin_content = "another";
    ASSERT_TRUE(apply());
    world.clock.settle();
    EXPECT_EQ(world.loader.opened, 2);
    EXPECT_EQ(world.loader.closed, 1);
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
    const host::FlowCounts accounting = manager.metrics().accounting;
    EXPECT_EQ(accounting.accepted, 0U);
    EXPECT_EQ(accounting.offered, 6U) << "what the two instances tried, of which nothing was taken";
    EXPECT_EQ(accounting.rejected.misuse, 6U);
}

}  // namespace
}  // namespace skep::test
