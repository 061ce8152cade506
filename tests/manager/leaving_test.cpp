// Workers that a reload removes: they keep their routes until they have ended.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/scripted.hpp"

namespace skep::test {
namespace {

using host::Answer;
using host::Applied;
using host::Ending;
using host::Manager;
using host::Plan;
using host::Refusal;
using host::WorkerState;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;

using Texts = std::vector<std::string>;

class Leaving : public testing::Test {
protected:
    // Notes what it gets, hands it on, and says at its end that it has.
    Script relay(const std::string& name) {
        Script script;
        script.on_message = [this, name](skep::context& context, const skep::message& message) {
            note(name, std::string(message.text()));
            (void)context.emit(message.text());
        };
        script.on_drain = [this, name](skep::context& context) {
            note(name, "end of " + name);
            (void)context.emit("end of " + name);
        };
        return script;
    }

    // The same, and its end waits for the gate.
    Script held_relay(const std::string& name, Gate& gate) {
        Script script = relay(name);
        script.on_drain = [end = script.on_drain, &gate](skep::context& context) {
            gate.wait_until_open();
            end(context);
        };
        return script;
    }

    void note(const std::string& worker, const std::string& what) {
        const host::MutexLock lock(mutex_);
        seen_[worker].push_back(what);
    }

    Texts seen(const std::string& worker) {
        const host::MutexLock lock(mutex_);
        return seen_[worker];
    }

    static Plan without(const Plan& plan, const std::vector<std::string>& workers) {
        const auto is_gone = [&](const std::string& name) {
            return std::find(workers.begin(), workers.end(), name) != workers.end();
        };
        Plan next = plan;
        std::erase_if(next.workers, [&](const auto& it) { return is_gone(it.name); });
        std::erase_if(next.routes,
                      [&](const auto& it) { return is_gone(it.from) || is_gone(it.to); });
        return next;
    }

    void remove(const std::vector<std::string>& workers) {
        const Answer<Applied> applied = manager.apply(without(world.plan, workers));
        ASSERT_TRUE(applied) << applied.error().message;
    }

    void wait_until_gone(const std::string& worker) {
        while (manager.metrics(worker)) {
        }
    }

    // At the end of a test: nothing that was sent is missing.
    void expect_nothing_lost() {
        world.stop();
        const host::FlowCounts accounting = manager.metrics().accounting;
        EXPECT_TRUE(accounting.is_balanced());
        EXPECT_EQ(accounting.rejected.total(), rejected_at_the_end_);
        EXPECT_EQ(accounting.dead_lettered.total(), 0U);
    }

    World<> world{Manager::When::asked};
    Manager& manager = *world.manager;
    std::uint64_t rejected_at_the_end_ = 0;  // emissions of the last in line, which no route takes

private:
    host::Mutex mutex_;
    std::map<std::string, Texts> seen_ GUARDED_BY(mutex_);
};

TEST_F(Leaving, WhatAWorkerEmitsAtItsEndArrives) {
    world.add("a", relay("a"));
    world.add("b", relay("b"));
    world.route("a", "b");
    world.start();
    ASSERT_TRUE(manager.send("a", "x"));
    remove({"a"});
    wait_until_gone("a");
    world.clock.settle();
    EXPECT_THAT(seen("b"), ElementsAre("x", "end of a"));
    EXPECT_EQ(world.state("b"), WorkerState::running) << "nothing feeds it, and nothing ends it";
    rejected_at_the_end_ = 3;
    expect_nothing_lost();
    EXPECT_THAT(seen("b"), ElementsAre("x", "end of a", "end of b"));
}

TEST_F(Leaving, AChainDrainsInTheOrderOfItsFlow) {
    for (const char* const name : {"c", "b", "a"}) {
        world.add(name, relay(name));
    }
    world.add("stays", relay("stays"));
    world.route("a", "b");
    world.route("b", "c");
    world.route("c", "stays");
    world.start();
    for (int i = 0; i < 100; ++i) {
        ASSERT_TRUE(manager.send("a", "x"));
    }
    remove({"a", "b", "c"});
    wait_until_gone("c");
    world.clock.settle();
    Texts expected(100, "x");
    for (const char* const end : {"end of a", "end of b", "end of c"}) {
        expected.emplace_back(end);
    }
    EXPECT_EQ(seen("stays"), expected);
    rejected_at_the_end_ = 104;
    expect_nothing_lost();
}

TEST_F(Leaving, AReceiverThatStaysEndsAfterAllThatFeedItHaveEnded) {
    Gate source_ends;
    Gate a_ends;
    Script source;
    source.run = [&source_ends](skep::context&) { source_ends.wait_until_open(); };
    world.add("source", source);
    world.add("a", held_relay("a", a_ends));
    world.add("b", relay("b"));
    world.route("a", "b");
    world.route("source", "b");
    world.start();
    remove({"a"});
    a_ends.wait_for_visitor();
    source_ends.open();
    while (world.state("source") != WorkerState::stopped) {
    }
    EXPECT_EQ(world.state("b"), WorkerState::running);
    a_ends.open();
    while (world.state("b") != WorkerState::stopped) {
    }
    EXPECT_THAT(seen("b"), ElementsAre("end of a", "end of b"));
    rejected_at_the_end_ = 2;
    expect_nothing_lost();
}

TEST_F(Leaving, AReceiverThatALaterReloadRemovesWaitsToo) {
    Gate a_ends;
    world.add("a", held_relay("a", a_ends));
    world.add("b", relay("b"));
    world.add("stays", relay("stays"));
    world.route("a", "b");
    world.route("b", "stays");
    world.start();
    remove({"a"});
    a_ends.wait_for_visitor();
    remove({"a", "b"});
    EXPECT_EQ(world.state("b"), WorkerState::running);
    const Answer<Applied> refused = manager.apply(without(world.plan, {"a"}));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().message,
              "cannot add worker 'b': it is running; an earlier reload removed it, and it has not "
              "ended yet");
    a_ends.open();
    wait_until_gone("b");
    world.clock.settle();
    EXPECT_THAT(seen("stays"), ElementsAre("end of a", "end of b"));
    rejected_at_the_end_ = 3;
    expect_nothing_lost();
}

TEST_F(Leaving, MessagesKeepTheirOrderOverTheChangeOfRoutes) {
    Script counter;
    counter.run = [](skep::context& context) {
        for (int i = 0; context.checkpoint(); ++i) {
            (void)context.emit(std::to_string(i));
        }
    };
    world.add("a", counter);
    for (const char* const name : {"b", "c"}) {
        Script sink;
        sink.on_message = [this, name](skep::context&, const skep::message& message) {
            note(name, std::string(message.text()));
        };
        world.add(name, sink);
        world.route("a", name);
    }
    world.start();
    while (seen("b").size() < 1000) {
    }
    remove({"a", "c"});
    wait_until_gone("a");
    wait_until_gone("c");
    expect_nothing_lost();
    Texts expected;
    for (std::size_t i = 0; i < seen("b").size(); ++i) {
        expected.push_back(std::to_string(i));
    }
    EXPECT_EQ(seen("b"), expected);
    EXPECT_EQ(seen("c"), expected);
}

TEST_F(Leaving, ACycleEndsWhenNoMessageIsLeftInIt) {
    Gate is_removed;
    const auto countdown = [&is_removed](skep::context& context, const skep::message& message) {
        is_removed.wait_until_open();
        if (const int left = std::stoi(std::string(message.text())); left > 0) {
            (void)context.emit(std::to_string(left - 1));
        }
    };
    Script script;
    script.on_message = countdown;
    world.add("a", script);
    world.add("b", script);
    world.route("a", "b");
    world.route("b", "a");
    world.add("stays", Script{});
    world.start();
    ASSERT_TRUE(manager.send("a", "50"));
    is_removed.wait_for_visitor();
    remove({"a", "b"});
    is_removed.open();
    while (manager.metrics("a") || manager.metrics("b")) {
        world.clock.run_for(milliseconds(10));
    }
    expect_nothing_lost();
    EXPECT_EQ(manager.metrics().accounting.delivered, 51U);
}

// What has left is no source that has come to its end.
TEST(LeavingAService, LeavesAService) {
    World<> world;
    world.add("a", Script{});
    world.add("b", Script{});
    world.route("a", "b");
    world.add("c", Script{});
    world.start();
    Plan next = world.plan;
    std::erase_if(next.workers, [](const auto& it) { return it.name == "a"; });
    next.routes.clear();
    ASSERT_TRUE(world.manager->apply(next));
    while (world.manager->metrics("a")) {
    }
    world.clock.run_for(seconds(100));
    EXPECT_EQ(world.state("b"), WorkerState::running);
    EXPECT_EQ(world.state("c"), WorkerState::running);
    world.stop();
}

// In real time, since a worker that is busy keeps a manual clock from moving.
TEST(LeavingInRealTime, ACycleThatNeverRestsEndsWithItsGrace) {
    World<host::SteadyClock> world(Manager::When::asked);
    Script script;
    script.on_message = [](skep::context& context, const skep::message& message) {
        (void)context.emit(message.text());
    };
    for (const char* const name : {"a", "b"}) {
        world.add(name, script).stop_grace = milliseconds(20);
    }
    world.route("a", "b");
    world.route("b", "a");
    world.start();
    ASSERT_TRUE(world.manager->send("a", "x"));
    ASSERT_TRUE(world.manager->apply(Plan()));
    while (world.manager->metrics("a") || world.manager->metrics("b")) {
    }
    world.stop();
}

TEST_F(Leaving, ANameIsTakenUntilItsWorkerHasEnded) {
    Gate a_ends;
    world.add("a", held_relay("a", a_ends));
    world.add("b", relay("b"));
    world.route("a", "b");
    world.start();
    remove({"a"});
    a_ends.wait_for_visitor();
    for (const Answer<Applied>& refused : {manager.apply(world.plan), manager.rollback()}) {
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().message, "cannot add worker 'a': it is draining");
    }
    a_ends.open();
    wait_until_gone("a");
    world.clock.settle();  // the new worker is another sender: their messages have no order
    ASSERT_TRUE(manager.rollback());
    ASSERT_TRUE(manager.send("a", "again"));
    world.clock.settle();
    EXPECT_THAT(seen("b"), ElementsAre("end of a", "again"));
    rejected_at_the_end_ = 4;
    expect_nothing_lost();
}

TEST_F(Leaving, NobodyFindsAWorkerThatHasEnded) {
    std::vector<skep::send_result> told;
    world.add("a", relay("a"));
    Script asking;
    asking.on_message = [&told](skep::context& context, const skep::message&) {
        told.push_back(context.send("a", "x"));
    };
    world.add("b", asking);
    world.start();
    remove({"a"});
    wait_until_gone("a");
    world.clock.settle();
    ASSERT_TRUE(manager.send("b", "go"));
    world.clock.settle();
    EXPECT_THAT(told, ElementsAre(skep::send_result::unknown));
    world.stop();
}

TEST_F(Leaving, TheEndOfTheHostKeepsTheOrder) {
    Gate a_ends;
    world.add("a", held_relay("a", a_ends));
    world.add("b", relay("b"));
    world.add("stays", relay("stays"));
    world.route("a", "b");
    world.route("b", "stays");
    world.start();
    remove({"a", "b"});
    a_ends.wait_for_visitor();
    manager.request_stop(seconds(5));
    a_ends.open();
    EXPECT_EQ(world.end().cause, Ending::Cause::stopped);
    EXPECT_THAT(seen("stays"), ElementsAre("end of a", "end of b", "end of stays"));
    rejected_at_the_end_ = 3;
    EXPECT_EQ(manager.metrics().accounting.rejected.total(), rejected_at_the_end_);
}

// Original defect S37.
TEST_F(Leaving, TheListOfWorkersThatAreGoneIsBoundedAndTheAccountingStaysExact) {
    constexpr std::size_t rounds = 1100;
    for (std::size_t i = 0; i < rounds; ++i) {
        host::Plan next = world.plan;
        next.workers.push_back(world.worker("w" + std::to_string(i), Script{}));
        ASSERT_TRUE(manager.apply(next));
        ASSERT_TRUE(manager.send(next.workers[0].name, "x"));
    }
    world.stop();
    const auto all = manager.metrics();
    EXPECT_EQ(all.workers.size(), 1000U);
    EXPECT_EQ(all.accounting.offered, rounds);
    EXPECT_EQ(all.accounting.delivered, rounds);
}

}  // namespace
}  // namespace skep::test
