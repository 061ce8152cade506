// Parameters that change while an instance works.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/swapping.hpp"

namespace skep::test {
namespace {

using host::Answer;
using host::WorkerState;
using testing::ElementsAre;
using testing::HasSubstr;

class Reconfigure : public Swapping {
protected:
    // Notes its parameter with each message, and when it gets another value; fails on "bad".
    Script telling(const std::string& name) {
        Script script = noting(name);
        script.on_message = [this, name](skep::context& context, const skep::message& message) {
            note(name + " " + std::string(message.text()) + " with " + live(context));
        };
        script.reconfigure = [this, name](skep::context& context) {
            note(name + " gets " + live(context));
            if (live(context) == "bad") {
                throw std::runtime_error("no such value");
            }
        };
        return script;
    }

    static std::string live(skep::context& context) {
        return std::string(context.config_text("live"));
    }

    // "a" feeds "b". Both get another value, and "b" refuses it after "a" has taken it.
    void refuse_a_set(Script a) {
        world.add("b", telling("b"));
        world.add("a", std::move(a)).on_failure = host::OnFailure::isolate;
        world.route("a", "b");
        reconfigure("b", "one");
        start();
        reconfigure("a", "two");
        reconfigure("b", "bad");
        EXPECT_THAT(refusal(), HasSubstr("worker 'b' keeps its parameters"));
    }

    void start() {
        reconfigure("a", "one");
        world.start();
        send("a", "1");
        world.clock.settle();
    }
};

TEST_F(Reconfigure, AnInstanceIsToldOfAnotherValueAndStays) {
    world.add("a", telling("a"));
    start();
    reconfigure("a", "two");
    ASSERT_EQ(refusal(), "");
    send("a", "2");
    EXPECT_THAT(noted(), ElementsAre("a 1 with one", "a gets two", "a 2 with two"));
    const host::WorkerMetrics metrics = world.metrics("a");
    EXPECT_EQ(metrics.generation, 1U);
    EXPECT_EQ(metrics.swaps, 0U);
    EXPECT_EQ(metrics.state, WorkerState::running);
    EXPECT_TRUE(world.observer.probations.empty());
    reconfigure("a", "three");
    ASSERT_EQ(refusal(), "") << "again";
    send("a", "3");
    EXPECT_THAT(noted(), testing::Contains("a 3 with three"));
    world.stop();
}

TEST_F(Reconfigure, AValueThatIsRefusedLeavesTheOneBefore) {
    world.add("a", telling("a"));
    start();
    reconfigure("a", "bad");
    EXPECT_THAT(refusal(),
                HasSubstr("worker 'a' keeps its parameters: reconfigure: no such value"));
    send("a", "2");
    EXPECT_THAT(noted(), ElementsAre("a 1 with one", "a gets bad", "a 2 with one"));
    EXPECT_EQ(world.state("a"), WorkerState::running);
    reconfigure("a", "two");
    ASSERT_EQ(refusal(), "");
    world.stop();
}

TEST_F(Reconfigure, OfASetAllAreReconfiguredOrNone) {
    refuse_a_set(telling("a"));
    send("a", "2");
    send("b", "2");
    EXPECT_THAT(noted(),
                testing::IsSupersetOf(
                    {"a gets two", "a gets one", "a 2 with one", "b gets bad", "b 2 with one"}));
    world.stop();
}

TEST_F(Reconfigure, ASuccessorOfAnotherWorkerTakesOverTogetherWithIt) {
    world.add("a", telling("a"));
    world.add("b", noting("old b"));
    start();
    reconfigure("a", "two");
    change("b", noting("new b"));
    ASSERT_EQ(refusal(), "");
    send("a", "2");
    send("b", "2");
    EXPECT_THAT(noted(), testing::IsSupersetOf({"a 2 with two", "new b 2"}));
    EXPECT_EQ(world.metrics("a").generation, 1U);
    EXPECT_EQ(world.metrics("b").generation, 2U);
    world.stop();
}

TEST_F(Reconfigure, AnInstanceThatFailsWithTheNewValueHasFailed) {
    Script script = telling("a");
    script.on_message = [](skep::context& context, const skep::message&) {
        if (live(context) == "two") {
            throw std::runtime_error("too much");
        }
    };
    world.add("a", script).on_failure = host::OnFailure::isolate;
    start();
    reconfigure("a", "two");
    ASSERT_EQ(refusal(), "");
    send("a", "2");
    world.clock.settle();
    EXPECT_EQ(world.state("a"), WorkerState::failed) << "there is no instance before it";
}

TEST_F(Reconfigure, ThatCannotBeUndoneFailsTheWorker) {
    Script stubborn = telling("a");
    stubborn.reconfigure = [](skep::context& context) {
        if (live(context) == "one") {
            throw std::runtime_error("there is no way back");
        }
    };
    refuse_a_set(stubborn);
    world.clock.settle();
    EXPECT_EQ(world.state("a"), WorkerState::failed);
    EXPECT_THAT(world.metrics("a").error, HasSubstr("reconfigure: there is no way back"));
}

TEST_F(Reconfigure, APausedWorkerStaysPaused) {
    world.add("a", telling("a"));
    start();
    ASSERT_TRUE(manager.pause("a", true));
    reconfigure("a", "two");
    ASSERT_EQ(refusal(), "");
    send("a", "2");
    EXPECT_EQ(world.state("a"), WorkerState::paused);
    EXPECT_THAT(noted(), ElementsAre("a 1 with one", "a gets two"));
    ASSERT_TRUE(manager.resume("a"));
    EXPECT_THAT(noted(), testing::Contains("a 2 with two"));
    world.stop();
}

TEST_F(Reconfigure, AWorkerThatIsAtRestHasTheValueAtItsNextStart) {
    world.add("a", telling("a"));
    start();
    ASSERT_TRUE(manager.stop("a"));
    reconfigure("a", "two");
    ASSERT_EQ(refusal(), "");
    ASSERT_TRUE(manager.start("a"));
    send("a", "2");
    EXPECT_THAT(noted(), testing::Contains("a 2 with two"));
    EXPECT_EQ(world.metrics("a").generation, 2U);
    world.stop();
}

TEST_F(Reconfigure, ALoopWorkerReturnsFromRunAndRunsAgain) {
    Script loop = noting_loop("a");
    loop.reconfigure = [this](skep::context& context) { note("a gets " + live(context)); };
    world.add("a", loop);
    start();
    reconfigure("a", "two");
    ASSERT_EQ(refusal(), "");
    send("a", "2");
    EXPECT_THAT(noted(), ElementsAre("a runs", "a 1", "a returns", "a gets two", "a runs", "a 2"));
    world.stop();
}

TEST_F(Reconfigure, EndsTheProbationOfASwapBefore) {
    world.add("a", telling("old"));
    start();
    change("a", telling("new"));
    ASSERT_EQ(refusal(), "");
    reconfigure("a", "two");
    ASSERT_EQ(refusal(), "");
    EXPECT_THAT(world.observer.probations, ElementsAre("a@2 begins", "a@2 settled"));
    send("a", "2");
    EXPECT_THAT(noted(), testing::IsSupersetOf({"old destroyed", "new 2 with two"}));
    world.stop();
}

TEST_F(Reconfigure, ARollbackGivesTheValueBefore) {
    world.add("a", telling("a"));
    start();
    reconfigure("a", "two");
    ASSERT_EQ(refusal(), "");
    ASSERT_TRUE(manager.rollback());
    send("a", "2");
    EXPECT_THAT(noted(), testing::Contains("a 2 with one"));
    world.stop();
}

}  // namespace
}  // namespace skep::test
