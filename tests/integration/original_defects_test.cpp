// skep began as a Python thread manager. Its defects were found one by one and numbered S01 to S44;
// each test here is the promise that one of them broke, and fails on a host that has it again.
// Long because the numbers are one list.
#include <atomic>
#include <future>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <pthread.h>

#include "tests/support/process.hpp"
#include "tests/support/scripted.hpp"
#include "tests/support/tasks.hpp"
#include "tests/support/temp_folder.hpp"

namespace skep::test {
namespace {

using host::Ending;
using host::Manager;
using host::Refusal;
using host::WorkerState;
using std::chrono::milliseconds;
using std::chrono::seconds;

// A loop worker that receives until it has to stop.
Script receiving() {
    Script script;
    script.run = [](skep::context& context) {
        while (!context.receive(std::chrono::nanoseconds(-1)).is_stopping()) {
        }
    };
    return script;
}

Script noting(std::vector<std::string>& into) {
    Script script;
    script.on_message = [&into](skep::context&, const skep::message& message) {
        into.emplace_back(message.text());
    };
    return script;
}

class OriginalDefect : public testing::Test {
protected:
    World<> world{Manager::When::asked};
    Manager& manager = *world.manager;
};

TEST_F(OriginalDefect, S01AnErrorInOneDutyOfTheManagerDoesNotEndTheOthers) {
    std::vector<std::string> seen;
    world.add("a", noting(seen));
    world.add("b", noting(seen));
    world.plan.schedule = {{seconds(1), host::ScheduleAction::stop, "b", ""},
                           {seconds(2), host::ScheduleAction::pause, "b", ""},
                           {seconds(3), host::ScheduleAction::broadcast, "", "still here"}};
    world.start();
    world.clock.run_until(seconds(4));
    EXPECT_EQ(seen, std::vector<std::string>{"still here"});
}

TEST(OriginalDefectOfTheProgram, S02AFailureIsHandledAlsoWhenNoLogCanBeWritten) {
    const TempFolder folder;
    const std::string file = folder.write("a.toml",
                                          "version = 1\n"
                                          "[worker.a]\n"
                                          "plugin = \"file_tail\"\n"
                                          "config.path = \"/no/such/log\"\n"
                                          "[worker.b]\n"
                                          "plugin = \"blackhole\"\n"
                                          "[[route]]\n"
                                          "from = \"a\"\n"
                                          "to = \"b\"\n");
    const std::string command =
        std::string("exec ") + SKEP_EXECUTABLE + " run " + file + " 2>/dev/full";
    EXPECT_EQ(run({"/bin/sh", "-c", command}).exit_code, 1);
}

TEST_F(OriginalDefect, S03FiveBroadcastsReachSixtyFourWorkersWithoutWaitingForATick) {
    for (int i = 0; i < 64; ++i) {
        world.add("w" + std::to_string(i), Script{});
    }
    world.start();
    for (int i = 0; i < 5; ++i) {
        EXPECT_EQ(*manager.broadcast("hello"), 64U);
    }
    world.clock.settle();
    EXPECT_EQ(world.clock.now(), seconds(0));
    for (const auto& it : manager.metrics().workers) {
        EXPECT_EQ(it.in.delivered, 5U);
    }
}

TEST_F(OriginalDefect, S04ABroadcastIsNotOvertakenByALaterSendOfTheSameSender) {
    std::vector<std::string> seen;
    Script sender;
    sender.run = [](skep::context& context) {
        for (int i = 0; i < 300; ++i) {
            const std::string number = std::to_string(i);
            switch (i % 3) {
                case 0:
                    context.broadcast(number);
                    break;
                case 1:
                    context.send("sink", number);
                    break;
                default:
                    context.emit(number);
            }
        }
    };
    world.add("sender", sender);
    world.add("sink", noting(seen));
    world.route("sender", "sink");
    world.start();
    world.clock.settle();
    ASSERT_EQ(seen.size(), 300U);
    for (int i = 0; i < 300; ++i) {
        EXPECT_EQ(seen[static_cast<std::size_t>(i)], std::to_string(i));
    }
}

TEST_F(OriginalDefect, S05ABroadcastDuringAChangeOfMembersReachesAllOrIsCounted) {
    Script sender;
    std::atomic<bool> is_done{false};
    sender.run = [&is_done](skep::context& context) {
        while (context.checkpoint() && !is_done) {
            context.broadcast("x");
        }
    };
    world.add("sender", sender);
    world.start();
    for (int i = 0; i < 50; ++i) {
        const std::string name = "w" + std::to_string(i);
        ASSERT_TRUE(manager.create(world.worker(name, Script{})));
        ASSERT_TRUE(manager.start(name));
    }
    is_done = true;
    world.clock.settle();
    world.stop();
}

TEST_F(OriginalDefect, S06AWorkerMadeAfterABroadcastDoesNotReceiveIt) {
    std::vector<std::string> seen;
    world.add("early", Script{});
    world.start();
    EXPECT_EQ(*manager.broadcast("before"), 1U);
    ASSERT_TRUE(manager.create(world.worker("late", noting(seen))));
    ASSERT_TRUE(manager.start("late"));
    EXPECT_EQ(*manager.broadcast("after"), 2U);
    world.clock.settle();
    EXPECT_EQ(seen, std::vector<std::string>{"after"});
}

TEST_F(OriginalDefect, S07AWorkerThatWasNeverStartedDoesNotHoardBroadcasts) {
    ASSERT_TRUE(manager.create(world.worker("a", Script{})));
    for (int i = 0; i < 10; ++i) {
        EXPECT_EQ(*manager.broadcast("x"), 0U);
    }
    EXPECT_EQ(world.metrics("a").in.queued, 0U);
    EXPECT_EQ(world.metrics("a").in.rejected.closed, 10U);
}

TEST_F(OriginalDefect, S08ABroadcastJustBeforeTheEndIsDelivered) {
    std::vector<std::string> seen;
    world.add("a", noting(seen));
    world.start();
    EXPECT_EQ(*manager.broadcast("last words"), 1U);
    world.stop();
    EXPECT_EQ(seen, std::vector<std::string>{"last words"});
}

TEST_F(OriginalDefect, S09AStopIsNotDisturbedByWorkersThatEndAtTheSameMoment) {
    Gate go;
    Script ending;
    ending.run = [&go](skep::context&) { go.wait_until_open(); };
    for (int i = 0; i < 16; ++i) {
        world.add("w" + std::to_string(i), ending);
    }
    world.start();
    go.wait_for_visitor();
    manager.request_stop(seconds(5));
    go.open();
    EXPECT_TRUE(world.end().lost.empty());
}

TEST_F(OriginalDefect, S10AStopIsNotDisturbedByWorkersThatAreBeingMade) {
    world.add("a", receiving());
    world.start();
    std::thread making([this] {
        for (int i = 0; i < 100; ++i) {
            const std::string name = "w" + std::to_string(i);
            if (!manager.create(world.worker(name, receiving())) || !manager.start(name)) {
                break;  // the host has ended
            }
        }
    });
    manager.request_stop(seconds(5));
    making.join();
    EXPECT_TRUE(world.end().lost.empty());
}

TEST(OriginalDefectInRealTime, S11FourStuckWorkersShareOneDeadlineAndAreLostTogether) {
    World<host::SteadyClock> world;
    Gate never[4];
    std::atomic<int> left{0};
    for (int i = 0; i < 4; ++i) {
        Script stuck;
        stuck.run = [&gate = never[i]](skep::context&) { gate.wait_until_open(); };
        stuck.destroy = [&left] { ++left; };
        world.add("stuck" + std::to_string(i), stuck);
    }
    world.start();
    for (Gate& it : never) {
        it.wait_for_visitor();
    }
    const host::Nanos begun = world.clock.now();
    world.manager->request_stop(seconds(0));
    const Ending ending = world.end();
    EXPECT_EQ(ending.lost.size(), 4U);
    // Not a measurement: four deadlines one after the other would be four seconds.
    EXPECT_LT(world.clock.now() - begun, seconds(3));
    for (Gate& it : never) {
        it.open();
    }
    while (left < 4) {
    }
}

TEST_F(OriginalDefect, S12AWorkerThatNeverRanTakesNothingFromTheTimeToStop) {
    std::vector<std::string> seen;
    ASSERT_TRUE(manager.create(world.worker("never", receiving())));
    ASSERT_TRUE(manager.create(world.worker("a", noting(seen))));
    ASSERT_TRUE(manager.start("a"));
    ASSERT_TRUE(manager.send("a", "x"));
    const Ending ending = world.stop();
    EXPECT_TRUE(ending.lost.empty());
    EXPECT_EQ(seen.size(), 1U);
    EXPECT_EQ(world.clock.now(), seconds(0));
}

TEST_F(OriginalDefect, S13AWorkerMayAskTheHostToStop) {
    Script asking;
    asking.on_message = [this](skep::context&, const skep::message&) {
        manager.request_stop(seconds(5));
    };
    world.add("a", asking);
    world.start();
    ASSERT_TRUE(manager.send("a", "stop the host"));
    const Ending ending = world.end();
    EXPECT_EQ(ending.cause, Ending::Cause::stopped);
    EXPECT_TRUE(ending.lost.empty());
}

TEST_F(OriginalDefect, S14AStopWakesSixtyFourPausedWorkersAtOnce) {
    for (int i = 0; i < 64; ++i) {
        world.add("w" + std::to_string(i), receiving());
    }
    world.start();
    for (int i = 0; i < 64; ++i) {
        ASSERT_TRUE(manager.pause("w" + std::to_string(i), true));
    }
    world.stop();
    EXPECT_EQ(world.clock.now(), seconds(0));
}

TEST_F(OriginalDefect, S15AReceiveWithoutATimeoutEndsWhenTheHostStops) {
    world.add("a", receiving());
    world.start();
    world.clock.settle();
    EXPECT_TRUE(world.stop().lost.empty());
    EXPECT_EQ(world.state("a"), WorkerState::stopped);
}

TEST_F(OriginalDefect, S16AWorkerThatWasNeverStartedCannotStartAfterTheEnd) {
    ASSERT_TRUE(manager.create(world.worker("a", receiving())));
    world.stop();
    const auto started = manager.start("a");
    ASSERT_FALSE(started);
    EXPECT_EQ(started.error().code, Refusal::Code::host_ended);
}

TEST_F(OriginalDefect, S17NothingIsAcceptedIntoAHostThatHasEnded) {
    world.stop();
    for (const auto& answer : {manager.create(world.worker("a", receiving())),
                               manager.start("a"),
                               manager.apply(world.plan)}) {
        ASSERT_FALSE(answer);
        EXPECT_EQ(answer.error().code, Refusal::Code::host_ended);
    }
    EXPECT_FALSE(manager.broadcast("x"));
}

TEST_F(OriginalDefect, S18AfterTheEndNoThreadOfAWorkerIsLeftAndEachHasCleanedUp) {
    std::atomic<int> destroyed{0};
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

TEST_F(OriginalDefect, S19APauseBeforeTheWorkerRunsIsNotForgotten) {
    Gate slow;
    bool has_run = false;
    Script script;
    script.create = [&slow](skep::context&) { slow.wait_until_open(); };
    script.run = [&has_run](skep::context&) { has_run = true; };
    ASSERT_TRUE(manager.create(world.worker("a", script)));
    auto started = std::async(std::launch::async, [this] { return manager.start("a"); });
    slow.wait_for_visitor();
    ASSERT_TRUE(manager.pause("a"));
    slow.open();
    ASSERT_TRUE(started.get());
    world.clock.settle();
    EXPECT_EQ(world.state("a"), WorkerState::paused);
    EXPECT_FALSE(has_run);
    ASSERT_TRUE(manager.resume("a"));
    world.clock.settle();
    EXPECT_TRUE(has_run);
}

TEST_F(OriginalDefect, S20AWorkerThatHasEndedCanNeitherPauseNorResume) {
    world.add("a", receiving());
    world.start();
    ASSERT_TRUE(manager.stop("a"));
    EXPECT_FALSE(manager.pause("a"));
    EXPECT_FALSE(manager.resume("a"));
    EXPECT_EQ(world.state("a"), WorkerState::stopped);
    EXPECT_TRUE(world.metrics("a").ended);
}

TEST_F(OriginalDefect, S21AResumeDoesNotMakeAWorkerRunThatHasNoThread) {
    ASSERT_TRUE(manager.create(world.worker("a", receiving())));
    EXPECT_FALSE(manager.resume("a"));
    EXPECT_EQ(world.state("a"), WorkerState::created);
}

TEST_F(OriginalDefect, S22AFailureCannotBeHiddenByALaterRequest) {
    Script failing;
    failing.run = [](skep::context&) { throw std::runtime_error("lost the disk"); };
    world.add("a", failing).on_failure = host::OnFailure::isolate;
    world.start();
    world.clock.settle();
    EXPECT_FALSE(manager.pause("a"));
    EXPECT_FALSE(manager.resume("a"));
    EXPECT_FALSE(manager.stop("a"));
    EXPECT_EQ(world.state("a"), WorkerState::failed);
    EXPECT_EQ(world.metrics("a").error, "run: lost the disk");
}

TEST_F(OriginalDefect, S23NoPulseOfResumeAndPauseIsLost) {
    world.add("a", receiving());
    world.start();
    for (int i = 0; i < 2000; ++i) {
        ASSERT_TRUE(manager.pause("a", true));
        ASSERT_EQ(world.state("a"), WorkerState::paused);
        ASSERT_TRUE(manager.resume("a"));
    }
    // And in quick succession the last word counts.
    ASSERT_TRUE(manager.pause("a"));
    ASSERT_TRUE(manager.resume("a"));
    ASSERT_TRUE(manager.pause("a", true));
    EXPECT_EQ(world.state("a"), WorkerState::paused);
}

TEST_F(OriginalDefect, S24APauseIsNotDelayedOrOvertakenByWhatIsInTheMailbox) {
    Gate first;
    int handled = 0;
    Script slow;
    slow.on_message = [&](skep::context&, const skep::message&) {
        ++handled;
        first.wait_until_open();
    };
    world.add("a", slow);
    world.start();
    for (int i = 0; i < 20; ++i) {
        ASSERT_TRUE(manager.send("a", "x"));
    }
    first.wait_for_visitor();
    ASSERT_TRUE(manager.pause("a"));
    first.open();
    ASSERT_TRUE(manager.pause("a", true));
    EXPECT_EQ(handled, 1);
    EXPECT_EQ(world.metrics("a").in.queued, 19U);
    ASSERT_TRUE(manager.resume("a"));
    world.clock.settle();
    EXPECT_EQ(handled, 20);
}

TEST_F(OriginalDefect, S25AResumeWakesItsOwnWorkerAlone) {
    for (const char* name : {"a", "b"}) {
        world.add(name, Script{});
    }
    world.start();
    ASSERT_TRUE(manager.pause("a", true));
    ASSERT_TRUE(manager.pause("b", true));
    const auto before = world.metrics("b");
    world.clock.run_for(seconds(1));
    ASSERT_TRUE(manager.resume("a"));
    world.clock.settle();
    EXPECT_EQ(world.state("b"), WorkerState::paused);
    EXPECT_EQ(world.metrics("b").checkpoint_age, *before.checkpoint_age + seconds(1));
}

TEST_F(OriginalDefect, S26CountsAreExactHoweverManyThreadsAdd) {
    Script counting;
    counting.run = [](skep::context& context) {
        std::vector<std::thread> helpers;
        for (int i = 0; i < 4; ++i) {
            helpers.emplace_back([&context] {
                for (int n = 0; n < 10'000; ++n) {
                    context.items_done();
                    context.errors_seen();
                }
            });
        }
        for (std::thread& it : helpers) {
            it.join();
        }
    };
    world.add("a", counting);
    world.start();
    while (world.state("a") != WorkerState::stopped) {
    }
    EXPECT_EQ(world.metrics("a").items, 40'000U);
    EXPECT_EQ(world.metrics("a").errors, 40'000U);
}

TEST_F(OriginalDefect, S27MessagesToADeadWorkerAreNeverSilentlyLost) {
    Script failing;
    failing.on_message = [](skep::context&, const skep::message&) {
        throw std::runtime_error("poison");
    };
    world.add("a", failing).on_failure = host::OnFailure::isolate;
    world.start();
    ASSERT_TRUE(manager.pause("a", true));
    for (int i = 0; i < 5; ++i) {
        ASSERT_TRUE(manager.send("a", "x"));
    }
    ASSERT_TRUE(manager.resume("a"));
    world.clock.settle();
    EXPECT_FALSE(manager.send("a", "too late"));
    const host::FlowCounts in = world.metrics("a").in;
    EXPECT_EQ(in.dead_lettered.crash, 1U);
    EXPECT_EQ(in.dead_lettered.stop, 4U);
    EXPECT_EQ(in.rejected.closed, 1U);
    EXPECT_TRUE(in.is_balanced());
}

TEST_F(OriginalDefect, S28ASendToAWorkerThatIsGoneIsTheDocumentedError) {
    Script sender;
    std::promise<skep::send_result> result;
    sender.on_message = [&result](skep::context& context, const skep::message&) {
        result.set_value(context.send("gone", "x"));
    };
    world.add("sender", sender);
    world.start();
    ASSERT_TRUE(manager.send("sender", "go"));
    EXPECT_EQ(result.get_future().get(), skep::send_result::unknown);
}

TEST_F(OriginalDefect, S29AndS30ANameCanBeStartedAgainTheMomentItHasEnded) {
    std::vector<std::string> seen;
    world.add("a", noting(seen));
    world.start();
    for (int i = 0; i < 200; ++i) {
        ASSERT_TRUE(manager.stop("a"));
        ASSERT_TRUE(manager.start("a"));
        ASSERT_TRUE(manager.send("a", "x"));
    }
    world.clock.settle();
    EXPECT_EQ(seen.size(), 200U);
    EXPECT_EQ(world.metrics("a").generation, 201U);
}

TEST_F(OriginalDefect, S31TheEndOfAnOldGenerationLeavesTheNextAlone) {
    world.add("a", receiving());
    world.start();
    ASSERT_TRUE(manager.stop("a"));
    ASSERT_TRUE(manager.start("a"));
    world.clock.run_for(seconds(1));
    EXPECT_EQ(world.state("a"), WorkerState::running);
    EXPECT_FALSE(world.metrics("a").ended);
}

TEST_F(OriginalDefect, S32ListingGoesOnWhileWorkersAreMade) {
    std::atomic<bool> is_done{false};
    std::thread making([this, &is_done] {
        for (int i = 0; i < 100; ++i) {
            EXPECT_TRUE(manager.create(world.worker("w" + std::to_string(i), Script{})));
        }
        is_done = true;
    });
    while (!is_done) {
        EXPECT_LE(manager.metrics().workers.size(), 100U);
        EXPECT_EQ(*manager.broadcast("x"), 0U);
    }
    making.join();
}

TEST_F(OriginalDefect, S33AWorkerIsStartedOnceAndTheSecondStartNamesItsState) {
    ASSERT_TRUE(manager.create(world.worker("a", receiving())));
    ASSERT_TRUE(manager.start("a"));
    const auto again = manager.start("a");
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().message, "cannot start worker 'a': it is running");
}

TEST_F(OriginalDefect, S34AWorkerForWhichThereIsNoThreadFailsAndCanBeStartedLater) {
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

TEST_F(OriginalDefect, S35EveryWayOutOfAWorkerYieldsAResult) {
    Script throwing;
    throwing.run = [](skep::context&) { throw 7; };
    world.add("a", throwing).on_failure = host::OnFailure::isolate;
    world.start();
    world.clock.settle();
    const auto it = world.metrics("a");
    EXPECT_EQ(it.state, WorkerState::failed);
    EXPECT_EQ(it.errors, 1U);
    EXPECT_TRUE(it.ended);
}

TEST_F(OriginalDefect, S36AnUnreadMailboxIsBounded) {
    world.add("a", Script{}).mailbox = 100;
    world.start();
    ASSERT_TRUE(manager.pause("a", true));
    int taken = 0;
    for (int i = 0; i < 1000; ++i) {
        taken += manager.send("a", "x") ? 1 : 0;
    }
    EXPECT_EQ(taken, 100);
    EXPECT_EQ(world.metrics("a").queue_high, 100U);
}

TEST_F(OriginalDefect, S37TheListOfWorkersThatAreGoneIsBoundedAndTheLawStaysExact) {
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

TEST_F(OriginalDefect, S38AnEmptyMessageIsAMessageAndATimeoutIsNone) {
    std::vector<std::string> seen;
    Script script;
    script.run = [&seen](skep::context& context) {
        for (;;) {
            const auto got = context.receive(seconds(1));
            if (got.is_stopping()) {
                return;
            }
            seen.push_back(got ? "message of " + std::to_string((*got).size()) : "timeout");
        }
    };
    world.add("a", script);
    world.start();
    ASSERT_TRUE(manager.send("a", ""));
    ASSERT_TRUE(manager.send("a", "0"));
    world.clock.run_for(milliseconds(1500));
    EXPECT_EQ(seen, (std::vector<std::string>{"message of 0", "message of 1", "timeout"}));
}

TEST_F(OriginalDefect, S39NobodyElseCanReadAWorkersMailbox) {
    std::promise<std::int32_t> answer;
    Script script;
    script.run = [&answer](skep::context& context) {
        std::thread thief([&] {
            skep_batch batch{};
            batch.size = sizeof(batch);
            answer.set_value(context.raw()->api->receive(context.raw(), 0, 1, &batch));
        });
        thief.join();
        while (!context.receive(std::chrono::nanoseconds(-1)).is_stopping()) {
        }
    };
    world.add("a", script);
    world.start();
    EXPECT_EQ(answer.get_future().get(), SKEP_E_THREAD);
}

TEST_F(OriginalDefect, S40AnUnknownOrEmptyNameIsAnErrorEverywhere) {
    for (const char* name : {"nobody", ""}) {
        EXPECT_FALSE(manager.pause(name));
        EXPECT_FALSE(manager.resume(name));
        EXPECT_FALSE(manager.stop(name));
        EXPECT_FALSE(manager.send(name, "x"));
        EXPECT_FALSE(manager.metrics(name));
    }
}

TEST_F(OriginalDefect, S41MetricsAreACopyThatTheCallerCannotSpoil) {
    world.add("a", receiving());
    world.start();
    auto mine = world.metrics("a");
    mine.errors = 99;
    mine.state = WorkerState::failed;
    EXPECT_EQ(world.metrics("a").errors, 0U);
    EXPECT_EQ(world.state("a"), WorkerState::running);
}

TEST_F(OriginalDefect, S42TimesAreMonotonicAndNotTheWallClock) {
    world.add("a", receiving());
    world.start();
    world.clock.run_for(seconds(7));
    ASSERT_TRUE(manager.stop("a"));
    const auto it = world.metrics("a");
    EXPECT_EQ(*it.ended - *it.started, seconds(7));
}

TEST_F(OriginalDefect, S43CpuTimeIsMeasured) {
    Script busy;
    busy.run = [](skep::context&) {
        const clock_t until = clock() + CLOCKS_PER_SEC / 100;
        while (clock() < until) {
        }
    };
    world.add("a", busy);
    world.start();
    while (world.state("a") != WorkerState::stopped) {
    }
    EXPECT_GT(world.metrics("a").cpu, milliseconds(1));
}

}  // namespace
}  // namespace skep::test
