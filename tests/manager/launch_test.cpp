// How plans begin: all of a plan or nothing of it, whatever happens on the way.
#include <future>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <pthread.h>

#include "tests/support/scripted.hpp"

namespace skep::test {
namespace {

using host::Answer;
using host::Applied;
using host::Done;
using host::Ending;
using host::Manager;
using host::Refusal;
using host::WorkerState;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

// A loop worker that waits until it has to stop.
Script waiting() {
    Script script;
    script.run = [](skep::context& context) { (void)context.sleep(seconds(1'000'000)); };
    return script;
}

class Launch : public testing::Test {
protected:
    // A worker that takes until `made` opens to make its instance.
    Script slow() {
        Script script = waiting();
        script.create = [this](skep::context&) { made.wait_until_open(); };
        return script;
    }

    // Applies the world's plan on another thread, and returns when "slow" is being made.
    std::future<Answer<Applied>> apply() {
        auto applied = std::async(std::launch::async, [this] { return manager.apply(world.plan); });
        made.wait_for_visitor();
        return applied;
    }

    Gate made;  // outlives the workers
    World<> world{Manager::When::asked};
    Manager& manager = *world.manager;
};

TEST_F(Launch, NothingOfAPlanRunsBeforeAllOfItIsMade) {
    std::atomic<bool> has_run{false};
    Script quick;
    quick.run = [&has_run](skep::context&) { has_run = true; };
    world.add("quick", quick);
    world.add("slow", slow());
    auto applied = apply();
    EXPECT_EQ(world.state("quick"), WorkerState::starting);
    EXPECT_FALSE(has_run);
    made.open();
    EXPECT_TRUE(applied.get());
    EXPECT_EQ(world.state("slow"), WorkerState::running);
    world.clock.settle();
    EXPECT_TRUE(has_run);
}

TEST_F(Launch, OnePlanIsAppliedAtATime) {
    world.add("slow", slow());
    auto applied = apply();
    const Answer<Applied> second = manager.apply(host::Plan{});
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error(), (Refusal{Refusal::Code::illegal_state, "a plan is being applied"}));
    made.open();
    EXPECT_TRUE(applied.get());
}

TEST_F(Launch, AnUndonePlanLeavesThePlanBeforeInForce) {
    std::vector<std::string> seen;
    world.add("a", waiting());
    world.start();
    Script failing;
    failing.create = [](skep::context&) { throw std::runtime_error("not today"); };
    const host::Plan before = world.plan;
    world.add("b", failing);
    EXPECT_FALSE(manager.apply(world.plan));
    world.clock.settle();
    EXPECT_FALSE(manager.metrics("b"));
    EXPECT_EQ(world.state("a"), WorkerState::running);
    ASSERT_TRUE(manager.apply(before));
    world.scripts["b"] = waiting();
    world.start();
    EXPECT_EQ(world.state("b"), WorkerState::running);
    EXPECT_EQ(world.metrics("a").generation, 1U);
}

TEST_F(Launch, AnUndonePlanTakesNobodyAway) {
    world.add("a", waiting());
    world.add("b", waiting());
    world.start();
    Script failing;
    failing.create = [](skep::context&) { throw std::runtime_error("not today"); };
    host::Plan next = world.plan;
    next.workers[1] = world.worker("bad", failing);
    EXPECT_FALSE(manager.apply(next));
    world.clock.run_for(seconds(100));
    EXPECT_EQ(world.state("b"), WorkerState::running);
}

TEST_F(Launch, AWorkerThatIsStoppedBeforeItRanUndoesItsPlan) {
    world.add("quick", waiting());
    world.add("slow", slow());
    auto applied = apply();
    auto stopped = std::async(std::launch::async, [this] { return manager.stop("quick"); });
    EXPECT_TRUE(stopped.get());
    made.open();
    const Answer<Applied> answer = applied.get();
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().message, "cannot run worker 'quick': it is stopped");
    world.clock.settle();
    EXPECT_FALSE(manager.metrics("slow"));
}

TEST(LaunchInRealTime, WhatAPlanNoLongerHasWaitsForALongLaunchWithoutHarm) {
    World<host::SteadyClock> world(Manager::When::asked);
    Manager& manager = *world.manager;
    world.plan.stop_grace = milliseconds(1);
    world.start();
    for (const char* name : {"never_ran", "has_ended"}) {
        ASSERT_TRUE(manager.create(world.worker(name, waiting())));
    }
    ASSERT_TRUE(manager.start("has_ended"));
    ASSERT_TRUE(manager.stop("has_ended"));
    Gate made;
    Script slow = waiting();
    slow.create = [&made](skep::context&) { made.wait_until_open(); };
    world.add("slow", slow);
    auto applied = std::async(std::launch::async, [&] { return manager.apply(world.plan); });
    made.wait_for_visitor();
    const host::Nanos grace_is_over = world.clock.now() + milliseconds(2);
    while (world.clock.now() < grace_is_over || manager.metrics().workers.empty()) {
    }
    EXPECT_EQ(manager.metrics().workers.size(), 3U);
    made.open();
    EXPECT_TRUE(applied.get());
    while (manager.metrics("never_ran") || manager.metrics("has_ended")) {
    }
}

TEST_F(Launch, AStopOfTheHostAnswersWhoeverWaitsForAPlan) {
    world.add("quick", waiting());
    world.add("slow", slow());
    auto applied = apply();
    manager.request_stop(seconds(5));
    const Answer<Applied> answer = applied.get();
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, Refusal::Code::host_ended);
    made.open();
    EXPECT_TRUE(world.end().lost.empty());
}

TEST_F(Launch, AResumeTakesBackAPauseThatCameBeforeTheWorkerRan) {
    world.add("slow", slow());
    auto applied = apply();
    ASSERT_TRUE(manager.pause("slow"));
    auto stands_still =
        std::async(std::launch::async, [this] { return manager.pause("slow", true); });
    while (stands_still.wait_for(seconds(0)) != std::future_status::ready) {
        ASSERT_TRUE(manager.resume("slow"));
    }
    const Answer<Done> paused = stands_still.get();
    ASSERT_FALSE(paused);
    EXPECT_EQ(paused.error().message, "worker 'slow' was resumed before it paused");
    made.open();
    EXPECT_TRUE(applied.get());
    EXPECT_EQ(world.state("slow"), WorkerState::running);
}

TEST_F(Launch, AStartedWorkerIsFreeOfWhatWasWantedOfTheOneBefore) {
    int runs = 0;
    Script failing;
    failing.run = [this, &runs](skep::context& context) {
        if (++runs == 1) {
            made.wait_until_open();
            throw std::runtime_error("while it was told to pause");
        }
        (void)context.sleep(seconds(1'000'000));
    };
    world.add("a", failing).on_failure = host::OnFailure::isolate;
    world.start();
    made.wait_for_visitor();
    ASSERT_TRUE(manager.pause("a"));
    made.open();
    while (world.state("a") != WorkerState::failed) {
    }
    EXPECT_EQ(world.metrics("a").error, "run: while it was told to pause");
    ASSERT_TRUE(manager.start("a"));
    EXPECT_EQ(world.state("a"), WorkerState::running);
    EXPECT_EQ(world.metrics("a").error, "");
    EXPECT_FALSE(world.metrics("a").ended);
    world.clock.settle();
}

TEST(LaunchAgain, AfterAStopMakesAWorkerEndForGoodWhenItsWorkIsDone) {
    World<> world;
    Script source;
    source.run = [](skep::context& context) { (void)context.sleep(seconds(1)); };
    world.add("source", source);
    world.add("sink", Script{});
    world.route("source", "sink");
    world.start();
    ASSERT_TRUE(world.manager->stop("source"));
    ASSERT_TRUE(world.manager->start("source"));
    world.clock.run_for(seconds(1));
    EXPECT_EQ(world.end().cause, Ending::Cause::finished);
}

TEST_F(Launch, ASchedulesClockStartsWithTheFirstPlanAlone) {
    std::vector<std::string> seen;
    Script noting;
    noting.on_message = [&seen](skep::context&, const skep::message& message) {
        seen.emplace_back(message.text());
    };
    world.add("a", noting);
    world.plan.schedule = {{seconds(1), host::ScheduleAction::send, "a", "once"}};
    world.start();
    world.clock.run_until(seconds(2));
    world.add("b", waiting());
    world.start();
    world.clock.run_until(seconds(5));
    EXPECT_EQ(seen, std::vector<std::string>{"once"});
}

// A stack that no address space has room for is how a machine without threads looks.
TEST_F(Launch, APlanForWhichThereIsNoThreadIsUndone) {
    world.add("a", waiting());
    world.add("b", waiting());
    world.add("c", waiting());
    pthread_attr_t usual, impossible;
    ASSERT_EQ(pthread_getattr_default_np(&usual), 0);
    ASSERT_EQ(pthread_attr_init(&impossible), 0);
    ASSERT_EQ(pthread_attr_setstacksize(&impossible, std::size_t{1} << 60), 0);
    ASSERT_EQ(pthread_setattr_default_np(&impossible), 0);
    const Answer<Applied> answer = manager.apply(world.plan);
    ASSERT_EQ(pthread_setattr_default_np(&usual), 0);
    pthread_attr_destroy(&usual);
    pthread_attr_destroy(&impossible);
    ASSERT_FALSE(answer);
    EXPECT_NE(answer.error().message.find("failed: cannot create a thread: "), std::string::npos);
    world.clock.settle();
    world.start();
    EXPECT_EQ(world.state("c"), WorkerState::running);
}

// Original defect S34.
TEST_F(Launch, AWorkerForWhichThereIsNoThreadFailsAndCanBeStartedLater) {
    host::WorkerPlan plan = world.worker("a", receiving());
    plan.on_failure = host::OnFailure::isolate;
    ASSERT_TRUE(manager.create(plan));
    pthread_attr_t usual;
    ASSERT_EQ(pthread_getattr_default_np(&usual), 0);
    pthread_attr_t absurd = usual;
    ASSERT_EQ(pthread_attr_setstacksize(&absurd, std::size_t{1} << 46U), 0);
    ASSERT_EQ(pthread_setattr_default_np(&absurd), 0);
    const auto refused = manager.start("a");
    ASSERT_EQ(pthread_setattr_default_np(&usual), 0);
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message.find("cannot create a thread"), std::string::npos);
    EXPECT_EQ(world.state("a"), WorkerState::failed);
    ASSERT_TRUE(manager.start("a"));
    EXPECT_EQ(world.state("a"), WorkerState::running);
}

}  // namespace
}  // namespace skep::test
