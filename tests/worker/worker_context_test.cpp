// What a worker's own calls do: receive, sleep, parameters, and who may call them at all.
#include "host/worker/worker_context.hpp"

#include <functional>
#include <future>
#include <latch>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/scripted.hpp"
#include "tests/support/tasks.hpp"

namespace skep::test {
namespace {

using host::Manager;
using host::WorkerState;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

class WorkerContext : public testing::Test {
protected:
    host::WorkerPlan& loop(const std::string& name, std::function<void(skep::context&)> work) {
        Script script;
        script.run = std::move(work);
        host::WorkerPlan& plan = world.add(name, script);
        plan.on_failure = host::OnFailure::isolate;
        return plan;
    }

    void send(const std::string& name, const std::vector<std::string>& messages) {
        for (const std::string& it : messages) {
            ASSERT_TRUE(world.manager->send(name, it));
        }
    }

    // Asks for a stop, and returns when it is under way.
    std::future<host::Answer<host::Done>> stop(const std::string& name) {
        auto stopped =
            std::async(std::launch::async, [this, name] { return world.manager->stop(name); });
        while (world.state(name) == WorkerState::running) {
        }
        return stopped;
    }

    std::vector<std::string> seen;
    // Last, so that its workers have ended before what they use goes.
    World<> world{Manager::When::asked};
};

TEST_F(WorkerContext, ADrainLetsReceiveGiveWhatIsQueuedBeforeItSaysStop) {
    Gate busy;
    loop("a", [&](skep::context& context) {
        busy.wait_until_open();
        for (;;) {
            const auto got = context.receive(nanoseconds(-1));
            if (got.is_stopping()) {
                return;
            }
            seen.emplace_back((*got).text());
        }
    });
    world.start();
    busy.wait_for_visitor();
    send("a", {"1", "2"});
    auto stopped = stop("a");
    busy.open();
    EXPECT_TRUE(stopped.get());
    EXPECT_EQ(seen, (std::vector<std::string>{"1", "2"}));
    EXPECT_EQ(world.metrics("a").in.delivered, 2U);
}

TEST_F(WorkerContext, AStopLetsReceiveGiveNothingMore) {
    Gate busy;
    loop("a", [&](skep::context& context) {
        busy.wait_until_open();
        seen.emplace_back(context.receive(nanoseconds(0)).is_stopping() ? "stopping" : "message");
    });
    world.plan.stop_grace = seconds(1);
    world.start();
    busy.wait_for_visitor();
    send("a", {"1"});
    auto stopped = stop("a");
    world.manager->request_stop(seconds(0));
    while (world.state("a") != WorkerState::stopping) {
    }
    busy.open();
    EXPECT_TRUE(stopped.get());
    world.end();
    EXPECT_EQ(seen, std::vector<std::string>{"stopping"});
    EXPECT_EQ(world.metrics("a").in.dead_lettered.stop, 1U);
}

TEST_F(WorkerContext, ADrainEndsACheckpointOnlyWhenTheMailboxIsEmpty) {
    Gate busy;
    loop("a", [&](skep::context& context) {
        busy.wait_until_open();
        while (context.checkpoint()) {
            seen.emplace_back((*context.receive(nanoseconds(0))).text());
        }
    });
    world.start();
    busy.wait_for_visitor();
    send("a", {"1", "2"});
    auto stopped = stop("a");
    busy.open();
    EXPECT_TRUE(stopped.get());
    EXPECT_EQ(seen, (std::vector<std::string>{"1", "2"}));
}

TEST_F(WorkerContext, ReceiveWaitsAsLongAsItIsToldAndGivesAsManyAsItMay) {
    std::vector<nanoseconds> times;
    std::vector<std::string> batch;
    loop("a", [&](skep::context& context) {
        EXPECT_FALSE(context.receive(nanoseconds(0)));
        times.push_back(context.now());
        EXPECT_FALSE(context.receive(seconds(3)));
        times.push_back(context.now());
        EXPECT_TRUE(context.receive_batch(seconds(1), 2, [](const skep::message&) { FAIL(); }));
        times.push_back(context.now());
        (void)context.sleep(seconds(1));
        const auto note = [&batch](const skep::message& it) { batch.emplace_back(it.text()); };
        EXPECT_TRUE(context.receive_batch(nanoseconds(-1), 2, note));
        EXPECT_EQ(batch, (std::vector<std::string>{"1", "2"}));
        (void)context.sleep(seconds(1));
        EXPECT_TRUE(context.receive_batch(nanoseconds(-1), 2, note));
        EXPECT_FALSE(context.receive_batch(nanoseconds(-1), 2, note));
    });
    world.start();
    world.clock.run_for(milliseconds(4500));
    EXPECT_EQ(times, (std::vector<nanoseconds>{seconds(0), seconds(3), seconds(4)}));
    send("a", {"1", "2", "3"});
    world.clock.run_for(seconds(1));
    EXPECT_EQ(world.metrics("a").in.in_flight, 2U);
    EXPECT_EQ(world.metrics("a").in.queued, 1U);
    world.clock.run_for(seconds(1));
    EXPECT_EQ(batch, (std::vector<std::string>{"1", "2", "3"}));
    EXPECT_EQ(world.metrics("a").in.delivered, 3U) << "by receiving again it said so";
}

TEST_F(WorkerContext, ReceiveRefusesABatchThatItCannotFill) {
    loop("a", [&](skep::context& context) {
        const auto* const raw = context.raw();
        skep_batch batch{};
        EXPECT_EQ(raw->api->receive(raw, 0, 1, &batch), SKEP_E_INVALID);
        batch.size = sizeof(batch);
        EXPECT_EQ(raw->api->receive(raw, 0, 0, &batch), SKEP_E_INVALID);
        EXPECT_EQ(raw->api->receive(raw, 0, 1, nullptr), SKEP_E_INVALID);
        EXPECT_EQ(raw->api->receive(raw, 0, 1, &batch), SKEP_E_TIMEOUT);
    });
    world.start();
    world.clock.settle();
    EXPECT_EQ(world.state("a"), WorkerState::stopped);
}

TEST_F(WorkerContext, WhatAFailingLoopHadReceivedIsLostWithIt) {
    loop("a", [](skep::context& context) {
        (void)context.sleep(seconds(1));
        (void)context.receive_batch(nanoseconds(-1), 2, [](const skep::message&) {});
        throw std::runtime_error("on the second");
    });
    world.start();
    send("a", {"1", "2", "3"});
    world.clock.run_for(seconds(1));
    const host::FlowCounts in = world.metrics("a").in;
    EXPECT_EQ(in.dead_lettered.crash, 2U);
    EXPECT_EQ(in.dead_lettered.stop, 1U);
    EXPECT_EQ(in.delivered, 0U);
    EXPECT_TRUE(in.is_balanced());
}

TEST_F(WorkerContext, ASleepEndsEarlyWhenTheWorkerShallEnd) {
    bool slept = true;
    loop("a", [&slept](skep::context& context) { slept = context.sleep(seconds(100)); });
    world.start();
    world.clock.run_for(seconds(1));
    ASSERT_TRUE(world.manager->stop("a"));
    EXPECT_FALSE(slept);
    EXPECT_EQ(world.metrics("a").ended, seconds(1));
}

// Original defect S39: nobody else can read the mailbox of a worker.
TEST_F(WorkerContext, WhatIsTheWorkersAloneIsRefusedOnAnyOtherThread) {
    std::vector<std::int64_t> told;
    loop("a", [&told](skep::context& context) {
        std::thread([&told, &context] {
            const auto* const raw = context.raw();
            const auto& api = *raw->api;
            const skep_payload payload{};
            skep_batch batch{};
            batch.size = sizeof(batch);
            skep::buffer message = context.new_buffer(1);
            told = {api.checkpoint(raw),
                    api.receive(raw, 0, 1, &batch),
                    api.sleep(raw, 0),
                    api.timer_set(raw, 1, 0, 0),
                    api.emit(raw, 0, &payload, sizeof(payload), 1),
                    api.send(raw, {"a", 1}, &payload, sizeof(payload), 1),
                    api.broadcast(raw, &payload, sizeof(payload), 1),
                    api.reply(raw, &message.raw(), &payload, sizeof(payload), 1)};
            api.fail(raw, {"not mine", 8});
        }).join();
        throw std::runtime_error("mine");
    });
    world.start();
    world.clock.settle();
    EXPECT_EQ(told, std::vector<std::int64_t>(8, SKEP_E_THREAD));
    EXPECT_EQ(world.metrics("a").in.offered, 0U);
    EXPECT_EQ(world.metrics("a").error, "run: mine");
}

TEST_F(WorkerContext, AParameterIsThereOrNotAndOfItsOwnTypeAlone) {
    loop("a", [](skep::context& context) {
        EXPECT_EQ(context.config_text("text"), "words");
        EXPECT_TRUE(context.has_config("text"));
        EXPECT_FALSE(context.has_config("nothing"));
        EXPECT_THROW((void)context.config_text("nothing"), std::invalid_argument);
        EXPECT_THROW((void)context.config_integer("text"), std::invalid_argument);
        EXPECT_THROW((void)context.config_number("text"), std::invalid_argument);
        const auto* const raw = context.raw();
        std::int64_t integer = 5;
        double number = 5;
        EXPECT_EQ(raw->api->config_integer(raw, "text", &integer), SKEP_E_INVALID);
        EXPECT_EQ(raw->api->config_number(raw, "text", &number), SKEP_E_INVALID);
        EXPECT_EQ(raw->api->config_integer(raw, "nothing", &integer), SKEP_E_UNKNOWN);
        EXPECT_EQ(integer, 5);
        const void* table = nullptr;
        EXPECT_EQ(raw->api->extension(raw, "skep.state/1", &table), SKEP_E_UNKNOWN);
    }).config["text"] = std::string("words");
    world.start();
    world.clock.settle();
    EXPECT_EQ(world.metrics("a").error, "");
}

TEST_F(WorkerContext, MessageInfoIsFilledAsFarAsItsSizeSays) {
    loop("a", [](skep::context& context) {
        const auto got = context.receive(nanoseconds(-1));
        skep_message_info info{};
        info.size = offsetof(skep_message_info, sequence);
        info.sequence = 77;
        const auto* const raw = context.raw();
        EXPECT_EQ(raw->api->message_info(raw, &(*got).raw(), &info), SKEP_OK);
        EXPECT_EQ(skep::view(info.content_type), "text/plain");
        EXPECT_EQ(info.sequence, 77U);
    });
    world.start();
    send("a", {"x"});
    world.clock.settle();
}

TEST_F(WorkerContext, WarnsOfMessagesThatWereKeptForEver) {
    const auto keep_one = [](skep::context& context) {
        const auto got = context.receive(nanoseconds(-1));
        auto* const kept = new skep_message;
        context.raw()->api->message_keep(context.raw(), &(*got).raw(), kept);
        return kept;
    };
    skep_message* left = nullptr;
    loop("tidy", [keep_one](skep::context& context) {
        skep_message* const kept = keep_one(context);
        context.raw()->api->message_release(context.raw(), kept);
        delete kept;
        skep::kept_message first(context.keep(*context.receive(nanoseconds(-1))));
        skep::kept_message second(std::move(first));
        first = context.keep(second.get());
        first = std::move(second);
    });
    loop("untidy", [keep_one, &left](skep::context& context) { left = keep_one(context); });
    testing::internal::CaptureStdout();
    world.start();
    send("tidy", {"x", "y"});
    send("untidy", {"x"});
    world.clock.settle();
    const std::string log = testing::internal::GetCapturedStdout();
    EXPECT_THAT(log, testing::HasSubstr("untidy@1"));
    EXPECT_THAT(log, testing::HasSubstr("1 kept messages were not released"));
    EXPECT_THAT(log, testing::Not(testing::HasSubstr("[tidy@1")));
    delete static_cast<const host::Envelope*>(left->host);  // for the leak checker
    delete left;
}

TEST_F(WorkerContext, AWorkersThreadHasItsNameAndGeneration) {
    loop("reader", [](skep::context& context) { (void)context.sleep(seconds(100)); });
    world.start();
    world.clock.settle();
    EXPECT_EQ(tasks_named("w:reader"), std::vector<std::string>{"w:reader#1"});
    ASSERT_TRUE(world.manager->stop("reader"));
    ASSERT_TRUE(world.manager->start("reader"));
    world.clock.settle();
    EXPECT_THAT(tasks_named("w:reader"), testing::Contains("w:reader#2"));
}

// Original defect S38.
TEST_F(WorkerContext, AnEmptyMessageIsAMessageAndATimeoutIsNone) {
    Script script;
    script.run = [this](skep::context& context) {
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
    ASSERT_TRUE(world.manager->send("a", ""));
    ASSERT_TRUE(world.manager->send("a", "0"));
    world.clock.run_for(milliseconds(1500));
    EXPECT_EQ(seen, (std::vector<std::string>{"message of 0", "message of 1", "timeout"}));
}

// Original defect S26.
TEST_F(WorkerContext, CountsAreExactHoweverManyThreadsAdd) {
    Script counting;
    counting.run = [](skep::context& context) {
        std::vector<std::thread> helpers;
        std::latch all_are_there(4);
        for (int i = 0; i < 4; ++i) {
            helpers.emplace_back([&] {
                all_are_there.arrive_and_wait();
                for (int n = 0; n < 1'000'000; ++n) {
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
    EXPECT_EQ(world.metrics("a").items, 4'000'000U);
    EXPECT_EQ(world.metrics("a").errors, 4'000'000U);
}

}  // namespace
}  // namespace skep::test
