// A successor that fails on probation, and those that came with it.
#include <algorithm>
#include <future>
#include <stdexcept>
#include <string>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/swapping.hpp"

namespace skep::test {
namespace {

using host::WorkerState;
using testing::Contains;
using testing::ElementsAre;
using testing::UnorderedElementsAre;

class SwapRecall : public Swapping {
protected:
    static Script failing() {
        Script script;
        script.on_message = [](skep::context&, const skep::message&) {
            throw std::runtime_error("cannot");
        };
        return script;
    }

    void add_old(const std::string& name) { world.add(name, noting("old " + name)); }

    void change_to_new(const std::string& name) { change(name, noting("new " + name)); }

    // "b" fails on its first message; `others` came with it.
    void apply_and_fail(const Lines& others) {
        for (const std::string& name : others) {
            change_to_new(name);
        }
        change("b", failing());
        ASSERT_EQ(refusal(), "");
        fail();
    }

    void fail() {
        send("b", "bad");
        world.clock.settle();  // so long that what is recalled has gone back
    }

    // Whose instance answers a message.
    std::string at_work(const std::string& worker) {
        send(worker, "?");
        const Lines all = noted();
        return std::find(all.begin(), all.end(), "old " + worker + " ?") != all.end() ? "old"
                                                                                      : "new";
    }
};

TEST_F(SwapRecall, WhatCameWithAWorkerThatFailsGoesBackWithItIfARouteJoinsThem) {
    for (const char* const name : {"a", "b", "c", "apart"}) {
        add_old(name);
    }
    world.route("a", "b");
    world.route("b", "c");
    world.start();
    apply_and_fail({"a", "c", "apart"});
    EXPECT_EQ(at_work("a"), "old");
    EXPECT_EQ(at_work("b"), "old");
    EXPECT_EQ(at_work("c"), "old");
    EXPECT_EQ(at_work("apart"), "new");
    EXPECT_EQ(world.metrics("a").generation, 1U);
    EXPECT_EQ(world.metrics("a").rollbacks, 1U);
    EXPECT_EQ(world.metrics("a").errors, 0U) << "it did nothing wrong";
    EXPECT_EQ(world.metrics("b").errors, 1U);
    const auto& told = world.observer.all_reverted;
    ASSERT_EQ(told.size(), 3U);
    EXPECT_EQ(told.front().worker, "b");
    EXPECT_EQ(told.front().with, "");
    EXPECT_EQ(told.at(1).with, "b");
    EXPECT_EQ(told.at(2).with, "b");
    EXPECT_EQ(told.at(1).error, "");
    world.expect_balanced_accounting();
}

TEST_F(SwapRecall, TheMessagesThatItHadFinishedAreCounted) {
    add_old("a");
    add_old("b");
    world.route("a", "b");
    world.start();
    change_to_new("a");
    change("b", failing());
    ASSERT_EQ(refusal(), "");
    send("a", "1");
    send("a", "2");
    world.clock.settle();
    fail();
    EXPECT_EQ(at_work("a"), "old");
    ASSERT_EQ(world.observer.all_reverted.size(), 2U);
    EXPECT_EQ(world.observer.all_reverted.back().consumed, 2U);
}

TEST_F(SwapRecall, WhoIsJoinedByWorkersAloneThatDidNotChangeStays) {
    for (const char* const name : {"a", "between", "b"}) {
        add_old(name);
    }
    world.route("a", "between");
    world.route("between", "b");
    world.start();
    apply_and_fail({"a"});
    EXPECT_EQ(at_work("a"), "new");
    EXPECT_EQ(at_work("b"), "old");
}

TEST_F(SwapRecall, WhatCameWithAnotherReloadStays) {
    add_old("a");
    add_old("b");
    world.route("a", "b");
    world.start();
    change_to_new("a");
    ASSERT_EQ(refusal(), "");
    apply_and_fail({});
    EXPECT_EQ(at_work("a"), "new");
    EXPECT_EQ(at_work("b"), "old");
}

TEST_F(SwapRecall, APausedWorkerGoesBackAndStaysPaused) {
    add_old("a");
    add_old("b");
    world.route("a", "b");
    world.start();
    ASSERT_TRUE(manager.pause("a", true));
    apply_and_fail({"a"});
    world.clock.settle();
    EXPECT_EQ(world.state("a"), WorkerState::paused);
    EXPECT_EQ(world.metrics("a").generation, 1U);
    ASSERT_TRUE(manager.resume("a"));
    EXPECT_EQ(at_work("a"), "old");
}

TEST_F(SwapRecall, ALoopWorkerReturnsAndTheOneBeforeRunsAgain) {
    world.add("a", noting_loop("old a"));
    add_old("b");
    world.route("b", "a");
    world.start();
    change("a", noting_loop("new a"));
    change("b", failing());
    ASSERT_EQ(refusal(), "");
    (void)noted();
    fail();
    EXPECT_EQ(at_work("a"), "old");
    EXPECT_THAT(noted(), Contains("new a returns"));
}

TEST_F(SwapRecall, WhatIsRecalledGivesUpWhatOnlyOneCanHave) {
    add_old("b");
    Script exclusive = noting("old a");
    std::string owner;
    exclusive.acquire = [&](skep::context&) { owner = "old"; };
    exclusive.release = [&] { owner = "nobody"; };
    world.add("a", exclusive);
    world.route("a", "b");
    world.start();
    exclusive.acquire = [&](skep::context&) { owner = "new"; };
    change("a", exclusive);
    change("b", failing());
    ASSERT_EQ(refusal(), "");
    EXPECT_EQ(owner, "new");
    fail();
    EXPECT_EQ(owner, "old");
}

TEST_F(SwapRecall, TheNextReloadFindsThePlanThatIsAtWork) {
    add_old("a");
    add_old("b");
    world.route("a", "b");
    world.start();
    const host::Plan before = world.plan;
    apply_and_fail({"a"});
    EXPECT_EQ(at_work("a"), "old");
    EXPECT_EQ(**manager.plan(), before);
    change_to_new("b");
    change_to_new("a");
    ASSERT_EQ(refusal(), "");
    EXPECT_EQ(world.metrics("a").swaps, 2U);
}

// By the real clock: "a" is in the midst of a message when it is recalled.
class SwapRecallInRealTime : public testing::Test {
protected:
    void SetUp() override {
        world.add("a", Script{});
        world.add("b", Script{});
        world.route("a", "b");
        world.start();
        world.scripts["a"].on_message = [this](skep::context&, const skep::message&) {
            gate.wait_until_open();
        };
        world.scripts["b"].on_message = [](skep::context&, const skep::message&) {
            throw std::runtime_error("cannot");
        };
        for (const char* const name : {"a", "b"}) {
            world.plan_of(name).config["text"] = host::ParamValue(std::string("new"));
        }
        const host::Answer<host::Applied> answer = manager.apply(world.plan);
        ASSERT_TRUE(answer) << answer.error().message;
        ASSERT_TRUE(manager.send("a", "long"));
        gate.wait_for_visitor();
    }

    void recall() {
        ASSERT_TRUE(manager.send("b", "bad"));
        wait_until([this] { return world.metrics("b").rollbacks == 1; });
    }

    template <typename Condition>
    static void wait_until(Condition&& holds) {
        while (!holds()) {
            std::this_thread::yield();
        }
    }

    Gate gate;
    World<host::SteadyClock> world{host::Manager::When::asked};
    host::Manager& manager = *world.manager;
};

TEST_F(SwapRecallInRealTime, AWorkerThatIsJustBeingPausedGoesBackAndIsPaused) {
    ASSERT_TRUE(manager.pause("a"));
    recall();
    EXPECT_EQ(world.state("a"), WorkerState::pausing);
    gate.open();
    wait_until([this] { return world.state("a") == WorkerState::paused; });
    wait_until([this] { return world.metrics("a").rollbacks == 1; });
    EXPECT_EQ(world.metrics("a").generation, 1U);
    ASSERT_TRUE(manager.pause("a", true)) << "it stands still";
    ASSERT_TRUE(manager.resume("a"));
    world.stop();
    EXPECT_EQ(manager.metrics().accounting.delivered, 1U);
}

TEST_F(SwapRecallInRealTime, AWorkerThatIsPausedMeanwhileGoesBackAndIsPaused) {
    recall();
    ASSERT_TRUE(manager.pause("a"));
    gate.open();
    ASSERT_TRUE(manager.pause("a", true)) << "it stands still";
    EXPECT_EQ(world.metrics("a").generation, 1U);
    ASSERT_TRUE(manager.resume("a"));
    world.stop();
}

TEST_F(SwapRecallInRealTime, AWorkerThatEndsBeforeItGoesBackHasEnded) {
    recall();
    auto stopped = std::async(std::launch::async, [this] { return manager.stop("a"); });
    wait_until([this] { return world.state("a") == WorkerState::draining; });
    gate.open();
    EXPECT_TRUE(stopped.get());
    EXPECT_EQ(world.state("a"), WorkerState::stopped);
    EXPECT_TRUE(manager.start("a"));
    world.stop();
    EXPECT_EQ(world.loader.opened, world.loader.closed);
}

}  // namespace
}  // namespace skep::test
