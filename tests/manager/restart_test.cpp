#include <chrono>
#include <stdexcept>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/scripted.hpp"

namespace skep::host {
namespace {

using std::chrono::hours;
using test::Script;

// On the manual clock: a host that ends by itself when all are at rest.
class Restart : public testing::Test {
protected:
    static Script resting() {
        Script script;
        script.run = [](skep::context& context) {
            while (context.sleep(hours(1))) {
            }
        };
        return script;
    }

    test::World<> world;
};

TEST_F(Restart, TheOnlyWorkerComesBackAndTheHostGoesOn) {
    world.add("a", resting());
    world.start();
    for (std::uint64_t generation = 2; generation < 10; ++generation) {
        const Answer<Done> restarted = world.manager->restart("a");
        ASSERT_TRUE(restarted) << restarted.error().message;
        EXPECT_EQ(world.state("a"), WorkerState::running);
        EXPECT_EQ(world.metrics("a").generation, generation);
    }
    EXPECT_EQ(world.stop().cause, Ending::Cause::stopped);
}

TEST_F(Restart, WhatIsAtRestIsStarted) {
    world.add("a", resting());
    world.add("b", resting());
    world.start();
    ASSERT_TRUE(world.manager->stop("b"));
    EXPECT_TRUE(world.manager->restart("b"));
    EXPECT_EQ(world.state("b"), WorkerState::running);
    ASSERT_TRUE(world.manager->create(world.worker("c", resting())));
    EXPECT_TRUE(world.manager->restart("c"));
    EXPECT_EQ(world.state("c"), WorkerState::running);
    (void)world.stop();
}

TEST_F(Restart, WhatIsPausedRunsAfterwards) {
    world.add("a", resting());
    world.start();
    ASSERT_TRUE(world.manager->pause("a", true));
    ASSERT_TRUE(world.manager->restart("a"));
    EXPECT_EQ(world.state("a"), WorkerState::running);
    (void)world.stop();
}

TEST_F(Restart, WhatFailsInDrainingIsStartedAllTheSame) {
    Script script;
    script.on_drain = [](skep::context&) { throw std::runtime_error("had enough"); };
    world.add("a", script).on_failure = OnFailure::isolate;
    world.add("b", resting());
    world.start();
    const Answer<Done> restarted = world.manager->restart("a");
    ASSERT_TRUE(restarted) << restarted.error().message;
    EXPECT_EQ(world.state("a"), WorkerState::running);
    EXPECT_EQ(world.metrics("a").errors, 1U);
    (void)world.stop();
}

TEST_F(Restart, WhatCannotBeMadeAgainIsTold) {
    int made = 0;
    Script script = resting();
    script.create = [&made](skep::context&) {
        if (++made > 1) {
            throw std::runtime_error("out of honey");
        }
    };
    world.add("a", script).on_failure = OnFailure::isolate;
    world.add("b", resting());
    world.start();
    const Answer<Done> restarted = world.manager->restart("a");
    ASSERT_FALSE(restarted);
    EXPECT_THAT(restarted.error().message, testing::HasSubstr("out of honey"));
    EXPECT_EQ(world.state("a"), WorkerState::failed);
    (void)world.stop();
}

TEST_F(Restart, WhoIsNotThereIsTold) {
    world.add("a", resting());
    world.start();
    const Answer<Done> restarted = world.manager->restart("b");
    ASSERT_FALSE(restarted);
    EXPECT_EQ(restarted.error().code, Refusal::Code::unknown_worker);
    (void)world.stop();
    EXPECT_EQ(world.manager->restart("a").error().code, Refusal::Code::host_ended);
}

TEST(ManagerPlan, IsTheOneInForce) {
    test::World<> world;
    EXPECT_TRUE((*world.manager->plan())->routes.empty());
    world.add("a", {});
    world.start();
    EXPECT_EQ(**world.manager->plan(), world.plan);
    (void)world.stop();
    EXPECT_EQ(world.manager->plan().error().code, Refusal::Code::host_ended);
}

}  // namespace
}  // namespace skep::host
