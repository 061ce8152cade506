// What a message is and what becomes of it, from one plugin's emit to another's on_message.
#include <cstring>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "host/messaging/envelope.hpp"
#include "tests/support/scripted.hpp"

namespace skep::test {
namespace {

using host::Manager;
using host::WhenFull;
using std::chrono::seconds;

class LifeOfAMessage : public testing::Test {
protected:
    // A source that runs `work` once and ends.
    void source(const std::string& name, std::function<void(skep::context&)> work) {
        Script script;
        script.run = std::move(work);
        world.add(name, script);
    }

    // A sink that keeps the texts of what it gets.
    void sink(const std::string& name) {
        Script script;
        script.on_message = [this, name](skep::context&, const skep::message& message) {
            note(name, message.text());
        };
        world.add(name, script);
    }

    // Every worker may call it, each on its own thread.
    void note(std::string_view name, std::string_view text) {
        const std::lock_guard lock(mutex);
        seen[std::string(name)].emplace_back(text);
    }

    using Texts = std::vector<std::string>;

    std::mutex mutex;
    std::map<std::string, Texts> seen;  // read it when the workers have ended
    // Last, so that its workers have ended before what they use goes.
    World<> world;
};

TEST_F(LifeOfAMessage, ItArrivesByteForByteWithSenderTypeAndSequence) {
    const std::string bytes("a\0b\xff", 4);
    std::vector<std::string> told;
    source("a", [&](skep::context& context) {
        context.emit(bytes);
        context.emit("");
    });
    Script script;
    script.on_message = [&](skep::context& context, const skep::message& message) {
        const skep::message_info info = context.info(message);
        told.push_back(std::string(info.sender) + " " + std::string(info.content_type) + " " +
                       std::to_string(info.sequence) + " " + std::to_string(message.port()) + " " +
                       std::to_string(message.size()));
        note("b", message.text());
    };
    world.add("b", script);
    world.route("a", "b").input = 1;
    world.start();
    world.end();
    EXPECT_EQ(seen["b"], (Texts{bytes, ""}));
    EXPECT_EQ(told, (Texts{"a text/plain 1 1 4", "a text/plain 2 1 0"}));
}

// Short payloads lie in the slots of their rings and are copied from one to the next; all others
// are shared.
const std::string long_text(1000, 'x');

TEST_F(LifeOfAMessage, EveryRouteOfAPortGetsEachMessageAndThePayloadIsShared) {
    const void* in_b = nullptr;  // each written by its own worker, on its own thread
    const void* in_c = nullptr;
    source("a", [](skep::context& context) { context.emit(long_text); });
    Script script;
    script.on_message = [&in_b](skep::context&, const skep::message& message) {
        in_b = message.data();
    };
    world.add("b", script);
    script.on_message = [&in_c](skep::context&, const skep::message& message) {
        in_c = message.data();
    };
    world.add("c", script);
    world.route("a", "b");
    world.route("a", "c");
    world.start();
    world.end();
    EXPECT_NE(in_b, nullptr);
    EXPECT_EQ(in_b, in_c);
}

TEST_F(LifeOfAMessage, AForwardedMessageIsNotCopied) {
    const void* first = nullptr;
    const void* second = nullptr;
    source("a", [](skep::context& context) { context.emit(long_text); });
    Script filter;
    filter.on_message = [&first](skep::context& context, const skep::message& message) {
        first = message.data();
        context.forward(0, message.raw());
    };
    Script last;
    last.on_message = [&second](skep::context& context, const skep::message& message) {
        second = message.data();
        EXPECT_EQ(context.info(message).sender, "filter");
    };
    world.add("filter", filter);
    world.add("last", last);
    world.route("a", "filter");
    world.route("filter", "last");
    world.start();
    world.end();
    EXPECT_NE(first, nullptr);
    EXPECT_EQ(first, second);
}

TEST_F(LifeOfAMessage, ABufferIsFilledInPlaceAndSentWithoutACopy) {
    const void* made = nullptr;
    const void* received = nullptr;
    source("a", [&made](skep::context& context) {
        skep::buffer buffer = context.new_buffer(long_text.size());
        std::memcpy(buffer.data(), long_text.data(), long_text.size());
        made = buffer.data();
        context.forward(0, buffer.raw());
    });
    Script script;
    script.on_message = [&received](skep::context&, const skep::message& message) {
        received = message.data();
        EXPECT_EQ(message.text(), long_text);
    };
    world.add("b", script);
    world.route("a", "b");
    world.start();
    world.end();
    EXPECT_NE(made, nullptr);
    EXPECT_EQ(made, received);
}

TEST_F(LifeOfAMessage, AKeptMessageOutlivesItsCallback) {
    std::optional<skep::kept_message> kept;
    source("a", [](skep::context& context) {
        context.emit("first");
        context.emit("second");
    });
    Script script;
    script.on_message = [&](skep::context& context, const skep::message& message) {
        if (kept) {
            note("b", kept->get().text());
            kept.reset();
        } else {
            kept = context.keep(message);
        }
    };
    world.add("b", script);
    world.route("a", "b");
    world.start();
    world.end();
    EXPECT_EQ(seen["b"], Texts{"first"});
}

TEST_F(LifeOfAMessage, AReplyGoesToTheSender) {
    Script asking;
    asking.run = [this](skep::context& context) {
        context.send("server", "question");
        if (const auto answer = context.receive(seconds(5))) {
            note("asking", (*answer).text());
            EXPECT_TRUE((*answer).is_direct());
        }
    };
    Script server;
    server.on_message = [](skep::context& context, const skep::message& message) {
        context.reply(message, "answer to " + std::string(message.text()));
    };
    world.add("asking", asking);
    world.add("server", server);
    world.start();
    world.end();
    EXPECT_EQ(seen["asking"], Texts{"answer to question"});
}

TEST_F(LifeOfAMessage, ReplicasTakeTurns) {
    source("a", [](skep::context& context) {
        for (int i = 0; i < 6; ++i) {
            context.emit(std::to_string(i));
        }
    });
    for (const char* name : {"b#0", "b#1", "b#2"}) {
        sink(name);
        world.scripts["b"].on_message = [this](skep::context& context,
                                               const skep::message& message) {
            note(context.worker_name(), message.text());
        };
        world.route("a", name).spread = 1;
    }
    world.start();
    world.end();
    EXPECT_EQ(seen["b#0"], (Texts{"0", "3"}));
    EXPECT_EQ(seen["b#1"], (Texts{"1", "4"}));
    EXPECT_EQ(seen["b#2"], (Texts{"2", "5"}));
}

TEST_F(LifeOfAMessage, AMessageToAPortWithoutARouteIsRejectedAndCounted) {
    skep::send_result result{};
    source("a", [&result](skep::context& context) { result = context.emit("nobody listens"); });
    world.start();
    world.end();
    EXPECT_EQ(result, skep::send_result::no_route);
    EXPECT_EQ(world.metrics("a").out_rejected.no_route, 1U);
    EXPECT_EQ(world.manager->metrics().accounting.offered, 1U);
}

TEST_F(LifeOfAMessage, AMessageThatIsTooBigIsRejectedAndCounted) {
    source("a", [](skep::context& context) {
        const std::string huge(host::max_payload_bytes + 1, 'x');
        EXPECT_EQ(context.emit(huge), skep::send_result::too_big);
        EXPECT_THROW((void)context.new_buffer(huge.size()), std::bad_alloc);
    });
    sink("b");
    world.route("a", "b");
    world.start();
    world.end();
    EXPECT_EQ(world.metrics("a").out_rejected.too_big, 1U);
    EXPECT_TRUE(seen["b"].empty());
}

// Each policy of a full queue, with a receiver that stands still until the sender is done.
class WhenALaneIsFull : public LifeOfAMessage, public testing::WithParamInterface<WhenFull> {};

TEST_P(WhenALaneIsFull, EveryMessageIsDeliveredOrCountedAsDropped) {
    Gate begin;
    source("a", [&begin](skep::context& context) {
        begin.wait_until_open();
        for (int i = 1; i <= 10; ++i) {
            context.emit(std::to_string(i));
        }
    });
    sink("b");
    auto& route = world.route("a", "b");
    route.queue = 3;
    route.when_full = GetParam();
    world.start();
    ASSERT_TRUE(world.manager->pause("b", true));
    begin.open();
    world.clock.settle();  // the sender has ended, or waits for room
    ASSERT_TRUE(world.manager->resume("b"));
    world.end();
    const host::FlowCounts in = world.metrics("b").in;
    EXPECT_EQ(in.offered, 10U);
    EXPECT_EQ(in.delivered + in.dropped.total(), 10U);
    EXPECT_EQ(world.metrics("a").out, 10U);
    switch (GetParam()) {
        case WhenFull::block:
            EXPECT_EQ(in.dropped.total(), 0U);
            break;
        case WhenFull::drop_newest:
            EXPECT_EQ(seen["b"], (Texts{"1", "2", "3"}));
            break;
        case WhenFull::drop_oldest:
            EXPECT_EQ(seen["b"], (Texts{"8", "9", "10"}));
            break;
    }
}

INSTANTIATE_TEST_SUITE_P(Policies,
                         WhenALaneIsFull,
                         testing::Values(WhenFull::block,
                                         WhenFull::drop_newest,
                                         WhenFull::drop_oldest));

TEST_F(LifeOfAMessage, ABatchIsHandledOneByOneAndAPauseNeedNotWaitForItsEnd) {
    Gate first;
    int handled = 0;
    Script script;
    script.on_message = [&](skep::context&, const skep::message&) {
        ++handled;
        first.wait_until_open();
    };
    source("a", [](skep::context& context) {
        for (int i = 0; i < 30; ++i) {
            context.emit("x");
        }
        (void)context.receive(std::chrono::nanoseconds(-1));
    });
    world.add("b", script);
    world.route("a", "b");
    world.start();
    first.wait_for_visitor();
    while (world.metrics("a").out < 30) {
    }
    ASSERT_TRUE(world.manager->pause("b"));
    first.open();
    world.clock.settle();
    EXPECT_LT(handled, 30);
    ASSERT_TRUE(world.manager->stop("b"));
    EXPECT_EQ(handled, 30);
}

}  // namespace
}  // namespace skep::test
