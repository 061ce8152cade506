// What a worker's own part of the topology says of reloads and of its end.
#include <future>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/swapping.hpp"

namespace skep::test {
namespace {

using host::OnReload;
using host::WorkerState;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;

using SwapSettings = Swapping;

TEST_F(SwapSettings, AWorkerThatNeverChangesRefusesTheReloadUntilThatIsTakenBack) {
    world.add("a", noting("old a")).reload = OnReload::never;
    world.add("b", noting("old b"));
    world.start();
    const host::WorkerPlan before = world.plan_of("a");
    change("b", noting("new b"));
    ASSERT_EQ(refusal(), "") << "of others it says nothing";
    change("a", noting("new a"));
    EXPECT_THAT(refusal(), HasSubstr("cannot change worker 'a': it has reload = \"never\""));
    world.plan_of("a").reload = OnReload::swap;
    EXPECT_THAT(refusal(), HasSubstr("set reload = \"swap\" in a separate reload first"));
    send("a", "1");
    EXPECT_THAT(noted(), Contains("old a 1"));
    const host::WorkerPlan changed = std::exchange(world.plan_of("a"), before);
    world.plan_of("a").reload = OnReload::swap;
    ASSERT_EQ(refusal(), "") << "only that is taken back";
    world.plan_of("a") = changed;
    EXPECT_EQ(refusal(), "");
}

TEST_F(SwapSettings, AWorkerThatNeverChangesKeepsItsParameters) {
    world.add("a", noting("a")).reload = OnReload::never;
    reconfigure("a", "one");
    world.start();
    reconfigure("a", "two");
    EXPECT_THAT(refusal(), HasSubstr("cannot change worker 'a': it has reload = \"never\""));
}

TEST_F(SwapSettings, AWorkerThatNeverChangesCanBeRemoved) {
    world.add("a", noting("a")).reload = OnReload::never;
    world.add("b", noting("b"));
    world.start();
    world.plan.workers.erase(world.plan.workers.begin());
    ASSERT_EQ(refusal(), "");
    EXPECT_THAT(noted(), Contains("a destroyed"));
}

TEST_F(SwapSettings, AWorkerHasAProbationOfItsOwn) {
    world.add("a", noting("old a")).probation = seconds(60);
    world.add("b", noting("old b"));
    world.start();
    change("a", noting("new a"));
    change("b", noting("new b"));
    ASSERT_EQ(refusal(), "");
    world.clock.run_for(world.plan.probation);
    EXPECT_THAT(noted(), Contains("old b destroyed"));
    EXPECT_THAT(noted(), Not(Contains("old a destroyed")));
    world.clock.run_for(seconds(60) - world.plan.probation);
    EXPECT_THAT(noted(), Contains("old a destroyed"));
}

TEST_F(SwapSettings, AWorkerHasATimeToDrainOfItsOwnWhenItIsStoppedAlone) {
    Script slow;
    slow.run = [](skep::context& context) {
        while (context.receive(seconds(-1))) {
            (void)context.sleep(seconds(5));
        }
    };
    world.add("a", slow).stop_grace = seconds(7);
    world.start();
    for (const char* const text : {"1", "2", "3"}) {
        send("a", text);
    }
    auto stopped = std::async(std::launch::async, [this] { return manager.stop("a"); });
    while (world.state("a") != WorkerState::draining) {
        std::this_thread::yield();
    }
    world.clock.run_for(seconds(7));
    ASSERT_TRUE(stopped.get());
    EXPECT_EQ(world.metrics("a").in.dead_lettered.stop, 1U) << "after seven seconds of twenty";
}

TEST_F(SwapSettings, AWorkerWhoseInputsAreOthersCanBeginAnew) {
    world.add("a", noting("old"));
    world.start();
    world.loader.renames_ports = true;
    world.plan.workers.front().plugin_content = "another";
    EXPECT_THAT(refusal(),
                HasSubstr("to start it without state: skep drain a, skep reload, skep restart a"));
    ASSERT_TRUE(manager.stop("a"));
    world.scripts["a"] = noting("new");
    ASSERT_EQ(refusal(), "");
    ASSERT_TRUE(manager.restart("a"));
    send("a", "1");
    EXPECT_THAT(noted(), Contains("new 1"));
}

// By the real clock: the worker is stuck.
TEST(SwapSettingsInRealTime, AWorkerSaysHowLongItMayTakeToComeToABoundary) {
    Gate gate;
    World<host::SteadyClock> world(host::Manager::When::asked,
                                   {seconds(30), std::chrono::hours(1)});
    Script stuck;
    stuck.on_message = [&](skep::context&, const skep::message&) { gate.wait_until_open(); };
    world.add("a", stuck).quiesce = milliseconds(5);
    world.start();
    ASSERT_TRUE(world.manager->send("a", "1"));
    gate.wait_for_visitor();
    world.plan_of("a").config["text"] = host::ParamValue(std::string("other"));
    const host::Answer<host::Applied> answer = world.manager->apply(world.plan);
    ASSERT_FALSE(answer);
    EXPECT_THAT(answer.error().message, HasSubstr("did not come to a boundary"));
    gate.open();
    world.stop();
}

}  // namespace
}  // namespace skep::test
