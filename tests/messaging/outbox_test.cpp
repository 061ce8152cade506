// What becomes of an emission, a send, a broadcast and a reply: what the sender gets back, what the
// receiver reads on the message, and where it is counted.
#include "host/messaging/outbox.hpp"

#include <array>
#include <functional>
#include <future>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "host/messaging/envelope.hpp"
#include "tests/support/scripted.hpp"

namespace skep::test {
namespace {

using host::Manager;
using host::WorkerState;
using skep::send_result;
using std::chrono::seconds;

class Outbox : public testing::Test {
protected:
    using Texts = std::vector<std::string>;

    // A worker that does `work` for each message that the test sends it.
    void sender(const std::string& name,
                std::function<void(skep::context&, const skep::message&)> work) {
        Script script;
        script.on_message = std::move(work);
        world.add(name, script);
    }

    // A sink that notes of each message what `say` says of it.
    template <typename Say>
    host::WorkerPlan& sink(const std::string& name, Say say) {
        Script script;
        script.on_message = [this, name, say](skep::context& context,
                                              const skep::message& message) {
            seen[name].push_back(say(context, message));
        };
        seen[name];
        return world.add(name, script);
    }

    host::WorkerPlan& sink(const std::string& name) {
        return sink(name, [](skep::context&, const skep::message& message) {
            return std::string(message.text());
        });
    }

    void go(const std::string& name = "a") {
        ASSERT_TRUE(world.manager->send(name, "go"));
        world.clock.settle();
    }

    static skep_payload payload_of(const char* text, const char* content_type = nullptr) {
        skep_payload made{};
        made.data = text;
        made.size = std::char_traits<char>::length(text);
        made.content_type = content_type;
        return made;
    }

    std::map<std::string, Texts> seen;
    std::vector<send_result> told;
    // Last, so that its workers have ended before what they use goes.
    World<> world{Manager::When::asked};
};

std::string type_of(skep::context& context, const skep::message& message) {
    return std::string(context.info(message).content_type);
}

TEST_F(Outbox, APortThatTheTypeLacksIsUnknown) {
    sender("a", [this](skep::context& context, const skep::message&) {
        told.push_back(context.emit_to(2, "x"));
    });
    world.start();
    go();
    EXPECT_EQ(told, std::vector{send_result::unknown});
    EXPECT_EQ(world.metrics("a").out_rejected.misuse, 1U);
    EXPECT_EQ(world.metrics("a").in.offered, 1U);  // the test's own "go"
}

TEST_F(Outbox, AWorkerThatWasCreatedAndStartedHasItsPorts) {
    Script script;
    script.on_message = [this](skep::context& context, const skep::message&) {
        told.push_back(context.emit("x"));
    };
    ASSERT_TRUE(world.manager->create(world.worker("a", script)));
    ASSERT_TRUE(world.manager->start("a"));
    go();
    EXPECT_EQ(told, std::vector{send_result::no_route});
}

TEST_F(Outbox, AReplyToTheHostIsUnknown) {
    sender("a", [this](skep::context& context, const skep::message& message) {
        EXPECT_EQ(context.info(message).sender, "");
        EXPECT_TRUE(message.is_direct());
        told.push_back(context.reply(message, "thanks"));
    });
    world.start();
    go();
    EXPECT_EQ(told, std::vector{send_result::unknown});
}

// The drain lets the sender wait on; only the end of its grace, less the second in which workers
// come back, releases it.
TEST_F(Outbox, ABatchThatIsStoppedHalfWaySaysHowManyWereTaken) {
    std::int64_t taken = 0;
    Script source;
    source.run = [&taken](skep::context& context) {
        (void)context.sleep(seconds(1));
        const std::array<skep_payload, 5> batch = {
            payload_of("1"), payload_of("2"), payload_of("3"), payload_of("4"), payload_of("5")};
        taken = context.emit_batch(0, batch.data(), batch.size());
    };
    world.add("source", source);
    sink("sink");
    world.route("source", "sink").queue = 2;
    world.plan.stop_grace = seconds(3);
    world.start();
    ASSERT_TRUE(world.manager->pause("sink", true));
    world.clock.run_for(seconds(1));
    auto stopped = std::async(std::launch::async, [this] { return world.manager->stop("source"); });
    while (world.state("source") != WorkerState::draining) {
    }
    world.clock.run_for(seconds(1));
    EXPECT_EQ(world.state("source"), WorkerState::draining);
    world.clock.run_for(seconds(1));
    EXPECT_TRUE(stopped.get());
    EXPECT_EQ(taken, 2);
    EXPECT_EQ(world.metrics("source").out, 2U);
    EXPECT_EQ(world.metrics("sink").in.rejected.stopping, 1U);
    EXPECT_EQ(world.metrics("sink").in.offered, 3U) << "those behind it have not been offered";
    ASSERT_TRUE(world.manager->resume("sink"));
    world.clock.settle();
    EXPECT_EQ(seen["sink"], (Texts{"1", "2"}));
    world.expect_balanced_accounting();
}

TEST_F(Outbox, ABatchIsReadAtItsOwnStride) {
    struct Wide {
        skep_payload payload;
        char more[40];
    };

    sender("a", [](skep::context& context, const skep::message&) {
        const Wide batch[] = {{payload_of("1"), {}}, {payload_of("2"), {}}};
        const auto* const raw = context.raw();
        EXPECT_EQ(raw->api->emit(raw, 0, &batch[0].payload, sizeof(Wide), 2), 2);
        EXPECT_EQ(raw->api->emit(raw, 0, &batch[0].payload, sizeof(skep_payload) - 1, 2),
                  SKEP_E_INVALID);
        EXPECT_EQ(raw->api->emit(raw, 0, nullptr, sizeof(skep_payload), 1), SKEP_E_INVALID);
    });
    sink("b");
    world.route("a", "b");
    world.start();
    go();
    EXPECT_EQ(seen["b"], (Texts{"1", "2"}));
}

TEST_F(Outbox, AnEmissionIsTakenIfAnyReceiverTookIt) {
    sender("a", [this](skep::context& context, const skep::message&) {
        told.push_back(context.emit("x"));
    });
    sink("b");
    sink("c");
    world.route("a", "b");
    world.route("a", "c");
    world.start();
    ASSERT_TRUE(world.manager->stop("b"));
    go();
    ASSERT_TRUE(world.manager->start("b"));
    ASSERT_TRUE(world.manager->stop("c"));
    go();
    ASSERT_TRUE(world.manager->stop("b"));
    go();
    EXPECT_EQ(told, (std::vector{send_result::ok, send_result::ok, send_result::closed}));
    EXPECT_EQ(world.metrics("a").out, 2U);
    EXPECT_EQ(world.metrics("b").in.rejected.closed, 2U);
    world.expect_balanced_accounting();
}

TEST_F(Outbox, ABroadcastGoesToAllOthersAndIsTakenIfAnyoneTookIt) {
    sender("b", [this](skep::context& context, const skep::message&) {
        told.push_back(context.broadcast("x"));
    });
    world.start();
    go("b");
    EXPECT_EQ(told, std::vector{send_result::unknown}) << "nobody else is there";
    sink("a");
    sink("c");
    world.start();
    ASSERT_TRUE(world.manager->stop("a"));
    go("b");
    ASSERT_TRUE(world.manager->start("a"));
    ASSERT_TRUE(world.manager->stop("c"));
    go("b");
    ASSERT_TRUE(world.manager->stop("a"));
    go("b");
    EXPECT_EQ(
        told,
        (std::vector{send_result::unknown, send_result::ok, send_result::ok, send_result::closed}));
    EXPECT_EQ(seen["a"], Texts{"x"});
    EXPECT_EQ(seen["c"], Texts{"x"});
    EXPECT_EQ(world.metrics("b").out, 2U);
    EXPECT_EQ(world.metrics("b").in.delivered, 4U) << "not to itself";
}

TEST_F(Outbox, ASendNeverWaitsAndSaysWhyItWasNotTaken) {
    sender("a", [this](skep::context& context, const skep::message&) {
        told = {context.send("b", "1"), context.send("b", "2"), context.send("c", "3")};
    });
    sink("b").mailbox = 1;
    sink("c");
    world.start();
    ASSERT_TRUE(world.manager->pause("b", true));
    ASSERT_TRUE(world.manager->stop("c"));
    go();
    EXPECT_EQ(told, (std::vector{send_result::ok, send_result::full, send_result::closed}));
    EXPECT_EQ(world.metrics("a").out, 1U);
    EXPECT_EQ(world.metrics("b").in.rejected.full, 1U);
    EXPECT_EQ(world.metrics("c").in.rejected.closed, 1U);
}

TEST_F(Outbox, WhatIsTooBigIsRefusedAndCountedHoweverItIsSent) {
    sender("a", [this](skep::context& context, const skep::message&) {
        std::string largest(host::max_payload_bytes, 'x');
        told = {context.emit(largest)};
        EXPECT_EQ(context.new_buffer(largest.size()).size(), largest.size());
        largest += 'x';
        told.push_back(context.emit(largest));
        told.push_back(context.send("b", largest));
        told.push_back(context.broadcast(largest));
    });
    sink("b", [](skep::context&, const skep::message& message) {
        return std::to_string(message.size());
    });
    world.route("a", "b");
    world.start();
    go();
    const send_result too_big = send_result::too_big;
    EXPECT_EQ(told, (std::vector{send_result::ok, too_big, too_big, too_big}));
    EXPECT_EQ(world.metrics("a").out_rejected.too_big, 3U);
    EXPECT_EQ(seen["b"], Texts{std::to_string(host::max_payload_bytes)});
    world.expect_balanced_accounting();
}

// One by one or in a batch, in the slot of a ring or outside: a reader cannot tell.
TEST_F(Outbox, MessagesOfEverySizeArriveWholeInTheirOrderWithOneNumberEach) {
    Texts sent;
    sender("a", [&sent](skep::context& context, const skep::message&) {
        for (std::size_t size = 0; size <= 2 * host::inline_bytes; ++size) {
            const std::string& text = sent.emplace_back(size, static_cast<char>('!' + size));
            EXPECT_EQ(context.emit(text), send_result::ok);
            const skep_payload payload = payload_of(sent.emplace_back(text).c_str());
            EXPECT_EQ(context.emit_batch(0, &payload, 1), 1);
        }
    });
    sink("b", [this](skep::context& context, const skep::message& message) {
        EXPECT_EQ(context.info(message).sequence, seen["b"].size() + 1);
        return std::string(message.text());
    });
    world.route("a", "b");
    world.start();
    go();
    EXPECT_EQ(seen["b"], sent);
}

TEST_F(Outbox, AMessageHasTheContentTypeOfItsPortUnlessItSaysOtherwise) {
    sender("a", [](skep::context& context, const skep::message&) {
        const skep_payload json = payload_of("{}", "application/json");
        context.emit("by the port");
        EXPECT_EQ(context.emit_batch(0, &json, 1), 1);
        context.emit_to(1, "by a port that sends anything");
        EXPECT_EQ(context.emit_batch(1, &json, 1), 1);
        context.send("b", "by the SDK");
        context.send("b", "{}", "application/json");
        const skep_payload plain = payload_of("by nobody");
        const auto* const raw = context.raw();
        EXPECT_EQ(raw->api->send(raw, {"b", 1}, &plain, sizeof(plain), 1), 1);
    });
    sink("b", type_of);
    world.route("a", "b");
    world.route("a", "b").output = 1;
    world.start();
    go();
    const std::string bytes = "application/octet-stream";
    const std::string json = "application/json";
    EXPECT_EQ(seen["b"], (Texts{"text/plain", json, bytes, json, "text/plain", json, bytes}));
}

TEST_F(Outbox, AForwardedMessageKeepsItsTraceAndItsTypeWhereThePortSendsAnything) {
    sender("a", [](skep::context& context, const skep::message&) {
        skep_payload json = payload_of("{}", "application/json");
        json.trace_id = 7;
        EXPECT_EQ(context.emit_batch(0, &json, 1), 1);
    });
    sender("b", [](skep::context& context, const skep::message& message) {
        context.forward(0, message.raw());
        context.forward(1, message.raw());
        skep_payload retraced{};
        retraced.share = &message.raw();
        retraced.trace_id = 8;
        EXPECT_EQ(context.emit_batch(1, &retraced, 1), 1);
    });
    sink("c", [](skep::context& context, const skep::message& message) {
        return type_of(context, message) + " " + std::to_string(context.info(message).trace_id);
    });
    world.route("a", "b");
    world.route("b", "c");
    world.route("b", "c").output = 1;
    world.start();
    go();
    EXPECT_EQ(seen["c"], (Texts{"text/plain 7", "application/json 7", "application/json 8"}));
}

TEST_F(Outbox, OneEmissionHasOneNumberAndOneTimeForAllItsReceivers) {
    const auto note = [](skep::context& context, const skep::message& message) {
        const skep::message_info info = context.info(message);
        return std::to_string(info.sequence) + " at " + std::to_string(info.time_ns);
    };
    Script source;
    source.run = [](skep::context& context) {
        (void)context.sleep(seconds(1));
        context.emit("x");
        context.broadcast("y");
        context.send("c", "z");
    };
    world.add("a", source);
    sink("b", note);
    sink("c", note);
    world.route("a", "b");
    world.route("a", "c");
    world.start();
    world.clock.run_for(seconds(2));
    EXPECT_EQ(seen["b"], (Texts{"1 at 1000000000", "2 at 1000000000"}));
    EXPECT_EQ(seen["c"], (Texts{"1 at 1000000000", "2 at 1000000000", "3 at 1000000000"}));
}

TEST_F(Outbox, EachGroupOfReplicasTakesItsOwnTurns) {
    for (const char* name : {"b#0", "b#1", "c#0", "c#1"}) {
        world.scripts[std::string(name).substr(0, 1)].on_message = [](skep::context&,
                                                                      const skep::message&) {};
        world.plan.workers.push_back(world.worker(name, Script{}));
    }
    sender("a", [](skep::context& context, const skep::message&) {
        for (int i = 0; i < 6; ++i) {
            context.emit("to one of b and one of c");
        }
        for (int i = 0; i < 3; ++i) {
            context.emit_to(1, "to one of c");
            context.emit("to one of b and one of c");
        }
    });
    for (const char* name : {"b#0", "b#1"}) {
        world.route("a", name).spread = 1;
    }
    for (const char* name : {"c#0", "c#1"}) {
        world.route("a", name).spread = 2;
        auto& second = world.route("a", name);
        second.output = 1;
        second.input = 1;
        second.spread = 1;
    }
    world.start();
    go();
    EXPECT_NEAR(static_cast<double>(world.metrics("b#0").in.delivered), 4.5, 0.5);
    EXPECT_NEAR(static_cast<double>(world.metrics("b#1").in.delivered), 4.5, 0.5);
    EXPECT_NEAR(static_cast<double>(world.metrics("c#0").in.delivered), 6, 1);
    EXPECT_NEAR(static_cast<double>(world.metrics("c#1").in.delivered), 6, 1);
}

TEST_F(Outbox, ANewPlanIsInForceFromTheNextEmissionOn) {
    Script source;
    source.run = [](skep::context& context) {
        for (int i = 1; i <= 4 && context.sleep(seconds(1)); ++i) {
            context.emit(std::to_string(i));
        }
    };
    world.add("a", source);
    sink("b");
    world.route("a", "b").queue = 1;
    world.start();
    ASSERT_TRUE(world.manager->pause("b", true));
    world.clock.run_for(seconds(2));  // the second emission waits for room, by the old table
    sink("c");
    world.route("a", "c");
    world.start();
    ASSERT_TRUE(world.manager->resume("b"));
    world.clock.run_for(seconds(2));
    EXPECT_EQ(seen["b"], (Texts{"1", "2", "3", "4"}));
    EXPECT_EQ(seen["c"], (Texts{"3", "4"}));
}

// Original defect S28.
TEST_F(Outbox, ASendToAWorkerThatIsNotThereIsUnknown) {
    Script sender;
    std::promise<skep::send_result> result;
    sender.on_message = [&result](skep::context& context, const skep::message&) {
        result.set_value(context.send("gone", "x"));
    };
    world.add("sender", sender);
    world.start();
    ASSERT_TRUE(world.manager->send("sender", "go"));
    EXPECT_EQ(result.get_future().get(), skep::send_result::unknown);
}

}  // namespace
}  // namespace skep::test
