// Back to the plan that was in force before, with the plugins as they were.
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/swapping.hpp"

namespace skep::test {
namespace {

using host::Answer;
using host::Applied;
using host::LibraryUse;
using host::Manager;
using host::Plan;
using host::Refusal;
using testing::ElementsAre;
using testing::IsEmpty;

class Rollback : public Swapping {
protected:
    // Another plan, in which the plugin of "a" has this content.
    void reload(const std::string& content) {
        change("a", noting(content));
        world.plan.workers.front().plugin_content = content;
        const Answer<Applied> applied = apply();
        ASSERT_TRUE(applied) << applied.error().message;
    }

    std::string content() { return (*manager.plan())->workers.front().plugin_content; }

    void go_back() {
        const Answer<Applied> back = manager.rollback();
        ASSERT_TRUE(back) << back.error().message;
    }
};

TEST_F(Rollback, GoesBackOnePlanAtATime) {
    world.add("a", noting("first")).plugin_content = "first";
    world.start();
    const Plan first = world.plan;
    reload("second");
    const Plan second = world.plan;
    reload("third");
    go_back();
    EXPECT_EQ(**manager.plan(), second);
    EXPECT_EQ(world.metrics("a").swaps, 3U) << "it is a plan like any other";
    go_back();
    EXPECT_EQ(**manager.plan(), first);
    const Answer<Applied> further = manager.rollback();
    ASSERT_FALSE(further);
    EXPECT_EQ(
        further.error(),
        (Refusal{Refusal::Code::illegal_state, "cannot roll back: there is no previous plan"}));
    world.stop();
    EXPECT_EQ(manager.rollback().error().code, Refusal::Code::host_ended);
}

TEST_F(Rollback, ThePlansBeforeKeepTheirPlugins) {
    world.add("a", noting("first")).plugin_content = "first";
    world.start();
    EXPECT_THAT(world.loader.kept, IsEmpty());
    reload("second");
    EXPECT_THAT(world.loader.kept, ElementsAre("first"));
    reload("third");
    EXPECT_THAT(world.loader.kept, ElementsAre("first", "second"));
    go_back();
    EXPECT_THAT(world.loader.kept, ElementsAre("first"));
    world.stop();
}

TEST_F(Rollback, OnlyTheLastPlansAreRemembered) {
    world.add("a", noting("0")).plugin_content = "0";
    world.start();
    for (std::size_t i = 1; i <= Manager::plans_kept + 1; ++i) {
        reload(std::to_string(i));
    }
    for (std::size_t i = 0; i < Manager::plans_kept; ++i) {
        go_back();
    }
    EXPECT_EQ(content(), "1");
    EXPECT_FALSE(manager.rollback());
    world.stop();
}

TEST_F(Rollback, APlanThatWasRefusedWasNeverInForce) {
    world.add("a", noting("first")).plugin_content = "first";
    world.start();
    Script failing = noting("failing");
    failing.create = [](skep::context&) { throw std::runtime_error("out of honey"); };
    change("a", failing);
    EXPECT_FALSE(apply());
    EXPECT_FALSE(manager.rollback());
    EXPECT_EQ(content(), "first");
    world.stop();
}

// The worker has gone back by itself; the plan before is in force, and stays so.
TEST_F(Rollback, ChangesNothingAfterASuccessorHasFailed) {
    world.add("a", noting("first")).plugin_content = "first";
    world.start();
    Script failing = noting("failing");
    failing.on_message = [](skep::context&, const skep::message&) {
        throw std::runtime_error("of no use");
    };
    change("a", failing);
    world.plan.workers.front().plugin_content = "second";
    ASSERT_TRUE(apply());
    send("a", "1");
    world.clock.settle();
    EXPECT_EQ(world.metrics("a").rollbacks, 1U);
    EXPECT_EQ(content(), "first");
    go_back();
    EXPECT_EQ(content(), "first");
    EXPECT_EQ(world.metrics("a").swaps, 1U);
    EXPECT_FALSE(manager.rollback());
    world.stop();
}

// A plugin that never goes must not eat the host up, reload by reload.
TEST_F(Rollback, APluginWithTooManyPinnedVersionsGetsNoMore) {
    world.add("a", noting("first")).plugin_content = "first";
    world.start();
    host::LibraryFacts pinned;
    pinned.path = world.plan.workers.front().plugin_path;
    pinned.cause = "unique symbol 'x'";
    pinned.mapped = 4096;
    host::LibraryFacts another = pinned;
    another.path = "another";
    host::LibraryFacts kept = pinned;
    kept.mapped = 0;
    world.loader.pinned.assign(Manager::Limits().pinned - 1, pinned);
    world.loader.pinned.insert(world.loader.pinned.end(), {another, kept});
    reload("second");
    world.loader.pinned.push_back(pinned);
    change("a", noting("third"));
    world.plan.workers.front().plugin_content = "third";
    EXPECT_THAT(refusal(), testing::HasSubstr("64 old versions are still mapped"));
    EXPECT_EQ(content(), "second");
    world.stop();
}

TEST_F(Rollback, APluginWithTooMuchPinnedMemoryGetsNoMore) {
    world.add("a", noting("first")).plugin_content = "first";
    world.start();
    host::LibraryFacts pinned;
    pinned.path = world.plan.workers.front().plugin_path;
    pinned.mapped = Manager::Limits().pinned_bytes - 1;
    world.loader.pinned = {pinned};
    reload("second");
    world.loader.pinned.front().mapped += 1;
    change("a", noting("third"));
    world.plan.workers.front().plugin_content = "third";
    EXPECT_THAT(refusal(), testing::HasSubstr("1 old versions are still mapped, with 262144 KiB"));
    world.stop();
}

TEST_F(Rollback, TheVersionsOfAPluginAreListedWithTheirWorkers) {
    world.add("a", noting("first")).plugin_content = "first";
    world.start();
    reload("second");
    const Answer<std::vector<LibraryUse>> libraries = manager.libraries();
    ASSERT_TRUE(libraries);
    ASSERT_EQ(libraries->size(), 2U);
    const LibraryUse& newest = libraries->at(0);
    EXPECT_TRUE(newest.is_open);
    EXPECT_THAT(newest.workers, ElementsAre("a@2"));
    EXPECT_THAT(newest.standby, IsEmpty());
    const LibraryUse& before = libraries->at(1);
    EXPECT_THAT(before.workers, IsEmpty());
    EXPECT_THAT(before.standby, ElementsAre("a"));
    world.clock.run_for(world.plan.probation);
    world.clock.settle();
    EXPECT_EQ(manager.libraries()->size(), 1U);
    ASSERT_EQ(world.observer.all_closed.size(), 1U);
    EXPECT_EQ(world.observer.all_closed.front().cause, "");
    world.stop();
    EXPECT_EQ(world.observer.all_closed.size(), 2U);
}

}  // namespace
}  // namespace skep::test
