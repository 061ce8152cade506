// How hosts end: by themselves when the work is done, when they are asked to, and when somebody is
// stuck.
#include <algorithm>
#include <atomic>
#include <future>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/scripted.hpp"
#include "tests/support/tasks.hpp"

namespace skep::test {
namespace {

using host::Ending;
using host::Manager;
using host::WorkerState;
using std::chrono::milliseconds;
using std::chrono::seconds;

// A source that emits 1..count.
Script counting(int count) {
    Script script;
    script.run = [count](skep::context& context) {
        for (int i = 1; i <= count && context.checkpoint(); ++i) {
            context.emit(std::to_string(i));
        }
    };
    return script;
}

// A handler that passes everything on, and says "end" when its input has ended.
Script passing() {
    Script script;
    script.on_message = [](skep::context& context, const skep::message& message) {
        context.emit(message.text());
    };
    script.on_drain = [](skep::context& context) { context.emit("end"); };
    return script;
}

Script endless() {
    Script script;
    script.run = [](skep::context& context) {
        while (context.checkpoint()) {
            context.emit("x");
        }
    };
    return script;
}

TEST(Ending, AHostWhoseSourcesAreDoneDrainsInOrderAndFinishes) {
    std::vector<std::string> seen;
    World<> world;
    world.add("source", counting(3));
    world.add("filter", passing());
    world.add("sink", collecting(seen));
    world.route("source", "filter");
    world.route("filter", "sink");
    world.start();
    EXPECT_EQ(world.end().cause, Ending::Cause::finished);
    EXPECT_EQ(seen, (std::vector<std::string>{"1", "2", "3", "end"}));
    for (const auto& it : world.manager->metrics().workers) {
        EXPECT_EQ(it.state, WorkerState::stopped);
    }
}

TEST(Ending, AWorkerDrainsOnlyWhenAllThatFeedItHaveEnded) {
    Gate late;
    std::vector<std::string> seen;
    World<> world;
    Script waiting = counting(1);
    waiting.run = [&late](skep::context& context) {
        late.wait_until_open();
        context.emit("late");
    };
    world.add("early", counting(1));
    world.add("late", waiting);
    world.add("sink", collecting(seen));
    world.route("early", "sink");
    world.route("late", "sink");
    world.start();
    while (world.state("early") != WorkerState::stopped) {
    }
    EXPECT_EQ(world.state("sink"), WorkerState::running);
    late.open();
    world.end();
    std::sort(seen.begin(), seen.end());  // two senders: their messages have no order
    EXPECT_EQ(seen, (std::vector<std::string>{"1", "late"}));
}

TEST(Ending, AHandlerThatNobodyFeedsEndsWhenEveryoneElseHas) {
    std::vector<std::string> seen;
    World<> world;
    Script source;
    source.run = [](skep::context& context) { context.send("helper", "direct"); };
    world.add("source", source);
    world.add("helper", passing());
    world.add("sink", collecting(seen));
    world.route("helper", "sink");
    world.start();
    EXPECT_EQ(world.end().cause, Ending::Cause::finished);
    EXPECT_EQ(seen, (std::vector<std::string>{"direct", "end"}));
}

TEST(Ending, AHandlerWithATimerIsASourceOfItsOwn) {
    std::vector<std::string> seen;
    World<> world;
    Script ticking;
    ticking.create = [](skep::context& context) { context.set_timer(7, seconds(1), seconds(1)); };
    ticking.on_timer = [](skep::context& context, std::uint32_t id) {
        context.emit("tick " + std::to_string(id));
    };
    world.add("clock", ticking);
    world.add("done", counting(0));
    world.add("sink", collecting(seen));
    world.route("clock", "sink");
    world.start();
    world.clock.run_for(milliseconds(2500));
    EXPECT_EQ(world.state("clock"), WorkerState::running);
    world.stop();
    EXPECT_EQ(seen, (std::vector<std::string>{"tick 7", "tick 7"}));
}

TEST(Ending, ACycleEndsWhenItIsQuiet) {
    World<> world;
    int hops = 0;
    Script hop;
    hop.on_message = [&hops](skep::context& context, const skep::message& message) {
        const int left = std::stoi(std::string(message.text()));
        ++hops;
        if (left > 0) {
            context.emit(std::to_string(left - 1));
        }
    };
    world.add("source", counting(1));
    world.add("a", hop);
    world.add("b", hop);
    world.route("source", "a");
    world.route("a", "b");
    world.route("b", "a");
    world.scripts["source"].run = [](skep::context& context) { context.emit("1000"); };
    world.start();
    auto ended = std::async(std::launch::async, [&world] { return world.end(); });
    while (ended.wait_for(seconds(0)) != std::future_status::ready) {
        world.clock.run_for(milliseconds(10));
    }
    EXPECT_EQ(ended.get().cause, Ending::Cause::finished);
    EXPECT_EQ(hops, 1001);
}

TEST(Ending, ACycleEndsWhenTheSourceInItHasEnded) {
    World<> world;
    Script ping;
    ping.run = [](skep::context& context) {
        for (int i = 0; i < 100; ++i) {
            context.emit("ping");
            EXPECT_TRUE(context.receive(std::chrono::nanoseconds(-1)));
        }
    };
    world.add("ping", ping);
    world.add("pong", passing());
    world.scripts["pong"].on_drain = nullptr;
    world.route("ping", "pong");
    world.route("pong", "ping");
    world.start();
    auto ended = std::async(std::launch::async, [&world] { return world.end(); });
    while (ended.wait_for(seconds(0)) != std::future_status::ready) {
        world.clock.run_for(milliseconds(10));  // when it is not quiet yet, it is looked at again
    }
    EXPECT_EQ(ended.get().cause, Ending::Cause::finished);
    EXPECT_EQ(world.metrics("pong").in.delivered, 100U);
}

TEST(Ending, AStopDrainsEverythingThatWasAccepted) {
    std::vector<std::string> seen;
    World<host::SteadyClock> world;
    world.add("source", endless());
    world.add("filter", passing());
    world.add("sink", collecting(seen));
    world.route("source", "filter").queue = 16;
    world.route("filter", "sink").queue = 16;
    world.start();
    EXPECT_EQ(world.stop().cause, Ending::Cause::stopped);
    const auto all = world.manager->metrics();
    EXPECT_EQ(all.accounting.accepted, all.accounting.delivered);
    EXPECT_EQ(all.accounting.rejected.total(), 0U);
    EXPECT_EQ(seen.size(), all.workers[0].out + 1);  // and the filter's "end"
}

TEST(Ending, APausedWorkerIsDrainedToo) {
    std::vector<std::string> seen;
    World<> world;
    world.add("source", counting(100));
    world.add("sink", collecting(seen));
    world.route("source", "sink").queue = 4;
    Gate begin;
    world.scripts["source"].run = [&begin,
                                   run = world.scripts["source"].run](skep::context& context) {
        begin.wait_until_open();
        run(context);
    };
    world.start();
    begin.wait_for_visitor();
    ASSERT_TRUE(world.manager->pause("sink", true));
    begin.open();
    world.clock.settle();  // the source now waits for room
    EXPECT_EQ(world.metrics("sink").in.queued, 4U);
    world.stop();
    EXPECT_EQ(seen.size(), world.metrics("source").out);
    EXPECT_EQ(world.manager->metrics().accounting.dead_lettered.total(), 0U);
}

TEST(Ending, AStopWithoutGraceCountsWhatWasQueuedAsDeadLetters) {
    Gate stuck;
    World<host::SteadyClock> world;
    Script slow;
    slow.on_message = [&stuck](skep::context&, const skep::message&) { stuck.wait_until_open(); };
    world.add("source", counting(10));
    world.add("sink", slow);
    world.route("source", "sink");
    world.start();
    stuck.wait_for_visitor();
    while (world.state("source") != WorkerState::stopped) {
    }
    world.manager->request_stop(seconds(0));
    while (world.state("sink") != WorkerState::stopping) {
    }
    stuck.open();
    world.end();
    const host::FlowCounts in = world.metrics("sink").in;
    EXPECT_EQ(in.accepted, 10U);
    EXPECT_EQ(in.delivered, 1U);
    EXPECT_EQ(in.dead_lettered.stop, 9U);
}

TEST(Ending, ASenderThatWaitsForRoomIsReleasedByAStopAndCounted) {
    World<> world(Manager::When::asked);
    Script source;
    source.run = [](skep::context& context) {
        while (context.emit("x") == skep::send_result::ok) {
        }
    };
    world.add("source", source);
    world.add("sink", Script{});
    world.route("source", "sink").queue = 2;
    world.start();
    ASSERT_TRUE(world.manager->pause("sink", true));
    world.clock.settle();
    world.manager->request_stop(seconds(0));
    world.end();
    const host::FlowCounts accounting = world.manager->metrics().accounting;
    EXPECT_EQ(accounting.rejected.stopping + accounting.rejected.closed, 1U);
}

TEST(Ending, WhatIsOfferedToAWorkerThatIsGoneIsStillInTheBooks) {
    World<> world(Manager::When::asked);
    Gate late;
    world.add("source", counting(0));
    world.scripts["source"].run = [&late](skep::context& context) {
        late.wait_until_open();
        for (int i = 0; i < 5; ++i) {
            EXPECT_EQ(context.emit("too late"), skep::send_result::closed);
        }
    };
    world.add("sink", Script{});
    world.route("source", "sink");
    world.start();
    late.wait_for_visitor();
    world.manager->request_stop(seconds(0));
    while (world.manager->metrics("sink")) {
    }
    late.open();
    world.end();
    EXPECT_EQ(world.manager->metrics().accounting.rejected.closed, 5U);
}

TEST(Ending, TheGraceIsOneDeadlineForAllHoweverManyAreSlow) {
    World<> world;
    Script deaf;  // sleeps a second at a time, and does not look at anything else
    deaf.on_message = [](skep::context&, const skep::message&) {};
    Gate never[4];
    for (int i = 0; i < 4; ++i) {
        Script stuck;
        stuck.run = [&gate = never[i]](skep::context&) { gate.wait_until_open(); };
        world.add("stuck" + std::to_string(i), stuck);
    }
    world.add("idle", deaf);
    world.start();
    for (Gate& it : never) {
        it.wait_for_visitor();
    }
    world.manager->request_stop(seconds(10));
    while (world.state("stuck0") != WorkerState::draining) {
    }
    EXPECT_EQ(world.clock.now(), seconds(0));
    for (Gate& it : never) {
        it.open();
    }
    world.end();
}

TEST(Ending, AThreadThatDoesNotComeBackIsNamedAndCountedAndTheHostEndsWithoutIt) {
    World<host::SteadyClock> world;
    Gate never;
    std::promise<void> left;
    Script stuck;
    stuck.run = [&never](skep::context&) { never.wait_until_open(); };
    stuck.destroy = [&left] { left.set_value(); };
    world.add("stuck", stuck);
    world.add("good", endless());
    world.start();
    never.wait_for_visitor();
    world.manager->request_stop(milliseconds(1));
    const Ending ending = world.end();
    EXPECT_EQ(ending.lost, std::vector<std::string>{"stuck"});
    EXPECT_EQ(world.state("stuck"), WorkerState::lost);
    EXPECT_EQ(world.metrics("stuck").error, "did not stop in time");
    EXPECT_EQ(world.state("good"), WorkerState::stopped);
    EXPECT_EQ(world.loader.closed, 0) << "its library stays open";
    never.open();
    left.get_future().wait();
}

TEST(StopTimes, AreAllWithinTheGrace) {
    struct Row {
        host::Nanos grace, drain, give_up, total;
    };

    for (const Row& row :
         {Row{seconds(0), seconds(0), milliseconds(750), seconds(1)},
          Row{milliseconds(1), milliseconds(100), milliseconds(400), milliseconds(500)},
          Row{seconds(1), milliseconds(500), milliseconds(875), seconds(1)},
          Row{seconds(5), seconds(4), milliseconds(4750), seconds(5)},
          Row{seconds(600), seconds(599), milliseconds(599'750), seconds(600)}}) {
        const host::StopTimes times = host::stop_times(row.grace);
        EXPECT_EQ(times, (host::StopTimes{row.drain, row.give_up, row.total})) << row.grace.count();
    }
}

TEST(Ending, AHangingWorkerIsLostBeforeTheGraceIsOver) {
    World<host::SteadyClock> world;
    Gate never;
    std::promise<void> left;
    Script stuck;
    stuck.run = [&never](skep::context&) { never.wait_until_open(); };
    stuck.destroy = [&left] { left.set_value(); };
    world.add("stuck", stuck);
    world.start();
    never.wait_for_visitor();
    const host::Nanos begin = world.clock.now();
    world.manager->request_stop(seconds(2));
    EXPECT_EQ(world.end().lost, std::vector<std::string>{"stuck"});
    EXPECT_GE(world.clock.now() - begin, host::stop_times(seconds(2)).give_up);
    EXPECT_LT(world.clock.now() - begin, seconds(2) + milliseconds(900));  // a second more before
    never.open();
    left.get_future().wait();
}

TEST(Ending, ALostWorkerIsRefusedByItsContext) {
    World<host::SteadyClock> world(Manager::When::asked);
    Gate gone;
    std::promise<std::int64_t> answer;
    Script stuck;
    stuck.run = [&](skep::context& context) {
        gone.wait_until_open();
        answer.set_value(context.raw()->api->checkpoint(context.raw()));
    };
    world.add("stuck", stuck).on_failure = host::OnFailure::isolate;
    world.plan.stop_grace = milliseconds(1);
    world.start();
    gone.wait_for_visitor();
    EXPECT_FALSE(world.manager->stop("stuck"));
    EXPECT_EQ(world.state("stuck"), WorkerState::lost);
    gone.open();
    EXPECT_EQ(answer.get_future().get(), SKEP_E_REVOKED);
    while (world.state("stuck") != WorkerState::stopped) {  // it came back after all
    }
}

TEST(Ending, AScheduleIsCarriedOutOnTime) {
    std::vector<std::string> seen;
    World<> world;
    world.add("a", collecting(seen));
    world.plan.schedule = {{seconds(1), host::ScheduleAction::send, "a", "one"},
                           {seconds(2), host::ScheduleAction::pause, "a", ""},
                           {seconds(3), host::ScheduleAction::broadcast, "", "two"},
                           {seconds(4), host::ScheduleAction::resume, "a", ""},
                           {seconds(5), host::ScheduleAction::stop, "", ""}};
    world.start();
    world.clock.run_until(milliseconds(999));
    EXPECT_TRUE(seen.empty());
    world.clock.run_until(seconds(1));
    EXPECT_EQ(seen, std::vector<std::string>{"one"});
    world.clock.run_until(milliseconds(3500));
    EXPECT_EQ(world.state("a"), WorkerState::paused);
    EXPECT_EQ(seen.size(), 1U);
    world.clock.run_until(milliseconds(4500));
    EXPECT_EQ(seen, (std::vector<std::string>{"one", "two"}));
    world.clock.run_until(seconds(5));
    EXPECT_EQ(world.end().cause, Ending::Cause::stopped);
}

// Original defect S01.
TEST(Ending, AnActionOfTheScheduleThatFailsLeavesTheLaterOnes) {
    std::vector<std::string> seen;
    World<> world{Manager::When::asked};
    world.add("a", collecting(seen));
    world.add("b", collecting(seen));
    world.plan.schedule = {{seconds(1), host::ScheduleAction::stop, "b", ""},
                           {seconds(2), host::ScheduleAction::pause, "b", ""},
                           {seconds(3), host::ScheduleAction::broadcast, "", "still here"}};
    world.start();
    world.clock.run_until(seconds(4));
    EXPECT_EQ(seen, std::vector<std::string>{"still here"});
}

TEST(Ending, AHostWithASourceStoppedByAnOperatorWaitsForIt) {
    World<> world;
    world.add("source", endless());
    world.add("sink", Script{});
    world.route("source", "sink").when_full = host::WhenFull::drop_newest;
    world.scripts["source"].run = [](skep::context& context) {
        while (context.sleep(seconds(1))) {
            context.emit("x");
        }
    };
    world.start();
    ASSERT_TRUE(world.manager->stop("source"));
    world.clock.run_for(seconds(5));
    EXPECT_EQ(world.state("sink"), WorkerState::running);
    ASSERT_TRUE(world.manager->start("source"));
    world.clock.run_for(seconds(2));
    EXPECT_EQ(world.metrics("sink").in.delivered, 2U);
}

// Original defect S09.
TEST(Ending, AStopIsNotDisturbedByWorkersThatEndAtTheSameMoment) {
    Gate go;
    World<> world{Manager::When::asked};
    Script ending;
    ending.run = [&go](skep::context&) { go.wait_until_open(); };
    for (int i = 0; i < 16; ++i) {
        world.add("w" + std::to_string(i), ending);
    }
    world.start();
    go.wait_for_visitor();
    world.manager->request_stop(seconds(5));
    go.open();
    EXPECT_TRUE(world.end().lost.empty());
}

// Original defect S10.
TEST(Ending, AStopIsNotDisturbedByWorkersThatAreBeingMade) {
    World<> world{Manager::When::asked};
    world.add("a", receiving());
    world.start();
    std::thread making([&world] {
        for (int i = 0; i < 100; ++i) {
            const std::string name = "w" + std::to_string(i);
            if (!world.manager->create(world.worker(name, receiving())) ||
                !world.manager->start(name)) {
                break;  // the host has ended
            }
        }
    });
    world.manager->request_stop(seconds(5));
    making.join();
    EXPECT_TRUE(world.end().lost.empty());
}

// Original defect S12.
TEST(Ending, AWorkerThatNeverRanTakesNothingFromTheTimeToStop) {
    std::vector<std::string> seen;
    World<> world{Manager::When::asked};
    ASSERT_TRUE(world.manager->create(world.worker("never", receiving())));
    ASSERT_TRUE(world.manager->create(world.worker("a", collecting(seen))));
    ASSERT_TRUE(world.manager->start("a"));
    ASSERT_TRUE(world.manager->send("a", "x"));
    const Ending ending = world.stop();
    EXPECT_TRUE(ending.lost.empty());
    EXPECT_EQ(seen.size(), 1U);
    EXPECT_EQ(world.clock.now(), seconds(0));
}

// Original defect S13.
TEST(Ending, AWorkerMayAskTheHostToStop) {
    World<> world{Manager::When::asked};
    Script asking;
    asking.on_message = [&world](skep::context&, const skep::message&) {
        world.manager->request_stop(seconds(5));
    };
    world.add("a", asking);
    world.start();
    ASSERT_TRUE(world.manager->send("a", "stop the host"));
    const Ending ending = world.end();
    EXPECT_EQ(ending.cause, Ending::Cause::stopped);
    EXPECT_TRUE(ending.lost.empty());
}

// Original defect S14.
TEST(Ending, AStopWakesSixtyFourPausedWorkersAtOnce) {
    World<> world{Manager::When::asked};
    for (int i = 0; i < 64; ++i) {
        world.add("w" + std::to_string(i), receiving());
    }
    world.start();
    for (int i = 0; i < 64; ++i) {
        ASSERT_TRUE(world.manager->pause("w" + std::to_string(i), true));
    }
    world.stop();
    EXPECT_EQ(world.clock.now(), seconds(0));
}

// Original defect S15.
TEST(Ending, AReceiveWithoutATimeoutEndsWhenTheHostStops) {
    World<> world{Manager::When::asked};
    world.add("a", receiving());
    world.start();
    world.clock.settle();
    EXPECT_TRUE(world.stop().lost.empty());
    EXPECT_EQ(world.state("a"), WorkerState::stopped);
}

// Original defect S18.
TEST(Ending, AfterItNoThreadOfAWorkerIsLeftAndEachIsDestroyed) {
    std::atomic<int> destroyed{0};
    World<> world{Manager::When::asked};
    for (int i = 0; i < 8; ++i) {
        Script script = receiving();
        script.destroy = [&destroyed] { ++destroyed; };
        world.add("w" + std::to_string(i), script);
    }
    world.start();
    EXPECT_EQ(tasks_named("w:w").size(), 8U);
    world.stop();
    EXPECT_EQ(destroyed, 8);
    EXPECT_TRUE(tasks_named("w:w").empty());
}

}  // namespace
}  // namespace skep::test
