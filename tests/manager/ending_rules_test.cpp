// Which worker waits for which at the end, case by case.
#include <atomic>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/scripted.hpp"

namespace skep::test {
namespace {

using host::Ending;
using host::WorkerState;
using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(EndingRules, AHostOfHandlersAloneIsAService) {
    World<> world;
    world.add("a", Script{});
    world.start();
    world.clock.run_for(seconds(100));
    EXPECT_EQ(world.state("a"), WorkerState::running);
    EXPECT_TRUE(world.manager->send("a", "x"));
}

TEST(EndingRules, AHandlerWaitsForWhatTheScheduleHasStillToSay) {
    std::vector<std::string> seen;
    World<> world;
    Script handler;
    handler.on_message = [&seen](skep::context&, const skep::message& message) {
        seen.emplace_back(message.text());
    };
    world.add("a", handler);
    world.add("source", returning());
    world.plan.schedule = {{seconds(5), host::ScheduleAction::send, "a", "late"}};
    world.start();
    world.clock.run_until(seconds(4));
    EXPECT_EQ(world.state("a"), WorkerState::running);
    world.clock.run_until(seconds(5));
    EXPECT_EQ(world.end().cause, Ending::Cause::finished);
    EXPECT_EQ(seen, std::vector<std::string>{"late"});
}

TEST(EndingRules, AWorkerStoppedWhileAllSendToItFinishesWhatItHasAccepted) {
    World<host::SteadyClock> world(host::Manager::When::asked);
    Script source;
    source.run = [](skep::context& context) {
        while (context.checkpoint()) {
            (void)context.emit("x");
        }
    };
    world.add("source", source);
    Script sink;
    std::atomic<std::uint64_t> seen{0};
    sink.on_message = [&seen](skep::context&, const skep::message&) { ++seen; };
    world.add("sink", sink);
    world.route("source", "sink");
    world.start();
    for (int i = 0; i < 300; ++i) {
        const std::uint64_t before = seen;
        while (seen == before) {
        }
        ASSERT_TRUE(world.manager->stop("sink"));
        ASSERT_EQ(world.metrics("sink").in.dead_lettered.total(), 0U) << "round " << i;
        ASSERT_TRUE(world.manager->start("sink"));
    }
    world.stop();
}

TEST(EndingRules, AStopNowIsNoDrain) {
    bool has_drained = false;
    World<> world;
    Script handler;
    handler.on_drain = [&has_drained](skep::context&) { has_drained = true; };
    world.add("a", handler);
    world.start();
    world.stop(seconds(0));
    EXPECT_FALSE(has_drained);
}

TEST(EndingRules, AWorkerThatHasFailedIsDestroyedToo) {
    bool is_destroyed = false;
    World<> world;
    Script failing;
    failing.run = [](skep::context&) { throw std::runtime_error("no more"); };
    failing.destroy = [&is_destroyed] { is_destroyed = true; };
    world.add("a", failing);
    world.start();
    EXPECT_EQ(world.end().cause, Ending::Cause::failed);
    EXPECT_TRUE(is_destroyed);
}

// In real time, since a worker that is busy keeps a manual clock from moving.
TEST(EndingRules, ACycleIsNotQuietWhileOneOfItsWorkersIsBusy) {
    Gate busy;
    World<host::SteadyClock> world;
    Script source;
    source.run = [](skep::context& context) { context.emit("x"); };
    Script first;
    first.on_message = [&busy](skep::context& context, const skep::message& message) {
        busy.wait_until_open();
        if (message.text() == "x") {
            context.emit("y");
        }
    };
    Script second;
    second.on_message = [](skep::context& context, const skep::message& message) {
        context.emit(message.text());
    };
    world.add("source", source);
    world.add("first", first);
    world.add("second", second);
    world.route("source", "first");
    world.route("first", "second");
    world.route("second", "first");
    world.start();
    busy.wait_for_visitor();
    while (world.manager->metrics("source")->state != WorkerState::stopped) {
    }
    const host::Nanos looked_at = world.clock.now() + milliseconds(30);
    while (world.clock.now() < looked_at) {
        EXPECT_EQ(world.state("first"), WorkerState::running);
    }
    busy.open();
    EXPECT_EQ(world.end().cause, Ending::Cause::finished);
    EXPECT_EQ(world.metrics("first").in.delivered, 2U);
}

}  // namespace
}  // namespace skep::test
