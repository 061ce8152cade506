// A tap: shows what passes, and has no part in it.
#include "host/messaging/tap.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/swapping.hpp"

namespace skep::host::tap_test {
namespace {

using test::Script;
using testing::ElementsAre;
using testing::IsEmpty;

// "a" sends what `says` names to "b", and to "c" by its second output.
class Tap : public test::Swapping {
protected:
    ~Tap() override {
        for (const auto& tap : opened) {
            manager.taps()->close(tap);
        }
    }

    host::Tap& open(const TapFilter& filter) {
        opened.push_back(manager.taps()->open(filter));
        return *opened.back();
    }

    // The receivers of a worker drain when it has ended.
    static void stay(skep::context& context) {
        while (context.sleep(std::chrono::hours(1))) {
        }
    }

    void start(std::vector<std::string> says, Script b = {}) {
        Script a;
        a.run = [says = std::move(says)](skep::context& context) {
            for (const std::string& it : says) {
                context.emit(it);
                context.emit_to(1, it + "!");
            }
            (void)context.send("b", "directly");
            stay(context);
        };
        if (!b.on_message) {
            b = noting("b");
        }
        world.add("b", std::move(b));
        world.add("c", noting("c"));
        world.add("a", a);
        world.route("a", "b");
        world.route("a", "c").output = 1;
        world.start();
        world.clock.settle();
    }

    // "a.out>b bytes", of what has passed since.
    static std::vector<std::string> passed(host::Tap& tap) {
        std::vector<std::string> texts;
        for (const host::Tap::Shown& it : tap.take().shown) {
            texts.push_back(*it.message.sender +
                            (it.message.output == nullptr ? "" : "." + *it.message.output) + ">" +
                            *it.to + " " + it.bytes + (it.has_failed ? " failed" : ""));
        }
        return texts;
    }

    std::vector<std::shared_ptr<host::Tap>> opened;
};

TEST_F(Tap, ShowsWhatFitsAndNothingElse) {
    host::Tap& by_output = open({"a", "second"});
    host::Tap& by_sender = open({"a", "", "b"});
    host::Tap& by_receiver = open({"", "", "c"});
    host::Tap& of_nobody = open({"b"});
    start({"one", "two"});
    send("c", "from outside");
    world.clock.settle();
    EXPECT_THAT(passed(by_output), ElementsAre("a.second>c one!", "a.second>c two!"));
    EXPECT_THAT(passed(by_sender), ElementsAre("a.out>b one", "a.out>b two", "a>b directly"));
    EXPECT_THAT(passed(by_receiver),
                ElementsAre("a.second>c one!", "a.second>c two!", ">c from outside"));
    EXPECT_THAT(passed(of_nobody), IsEmpty());
}

TEST_F(Tap, ShowsWhatAMessageSaysOfItself) {
    host::Tap& tap = open({"", "", "b"});
    start({"one"});
    const host::Tap::Taken taken = tap.take();
    ASSERT_EQ(taken.shown.size(), 2U);
    EXPECT_EQ(taken.shown.front().message.sequence, 1U);
    EXPECT_EQ(*taken.shown.front().message.content_type, "text/plain");
    EXPECT_EQ(taken.shown.front().size, 3U);
    EXPECT_EQ(taken.shown.front().age, Nanos(0)) << "time stands still here";
    EXPECT_EQ(taken.skipped, 0U);
}

TEST_F(Tap, OfWhatFailsItSaysSo) {
    host::Tap& tap = open({"", "", "b"});
    Script fails;
    fails.on_message = [](skep::context&, const skep::message& message) {
        if (message.text() == "two") {
            throw std::runtime_error("no two");
        }
    };
    start({"one", "two", "three"}, fails);
    EXPECT_THAT(passed(tap), ElementsAre("a.out>b one", "a.out>b two failed"));
}

TEST_F(Tap, WhatFindsNoRoomIsCountedAndHoldsNobodyUp) {
    host::Tap& tap = open({"a", "out"});
    start(std::vector<std::string>(1000, "x"));
    host::Tap::Taken taken = tap.take();
    EXPECT_EQ(taken.shown.size(), host::Tap::most_shown);
    EXPECT_EQ(taken.skipped, 1000 - host::Tap::most_shown);
    EXPECT_EQ(taken.shown.back().message.sequence, 2 * host::Tap::most_shown - 1)
        << "the first of them";
    EXPECT_EQ(world.metrics("b").in.delivered, 1001U);
    send("b", "later");
    world.clock.settle();
    EXPECT_THAT(passed(tap), IsEmpty());
    host::Tap& other = open({"", "", "b"});
    send("b", "later");
    world.clock.settle();
    taken = other.take();
    EXPECT_EQ(taken.shown.size(), 1U);
    EXPECT_EQ(taken.skipped, 0U);
}

TEST_F(Tap, ALongMessageIsCut) {
    host::Tap& tap = open({"a", "out", "", 2});
    start({"long"});
    const host::Tap::Taken taken = tap.take();
    ASSERT_EQ(taken.shown.size(), 1U);
    EXPECT_EQ(taken.shown.front().bytes, "lo");
    EXPECT_EQ(taken.shown.front().size, 4U);
}

TEST_F(Tap, HoldsABoundedNumberOfBytes) {
    constexpr std::size_t size = host::Tap::most_bytes / 16;
    host::Tap& tap = open({"a", "out", "", size});
    start(std::vector<std::string>(100, std::string(size, 'x')));
    const host::Tap::Taken taken = tap.take();
    EXPECT_EQ(taken.shown.size(), 16U);
    EXPECT_EQ(taken.skipped, 84U);
}

TEST_F(Tap, AMessageThatIsHandedOutTwiceIsShownOnce) {
    host::Tap& tap = open({"a", "out"});
    Script slow;
    slow.on_message = [this](skep::context&, const skep::message& message) {
        if (message.text() == "2") {
            gate.wait_until_open();
        }
    };
    world.add("b", slow);
    Script a;
    a.run = [](skep::context& context) {
        for (int i = 0; i < 10; ++i) {
            context.emit(std::to_string(i));
        }
        stay(context);
    };
    world.add("a", a);
    world.route("a", "b");
    world.start();
    gate.wait_for_visitor();
    ASSERT_TRUE(manager.pause("b"));  // the rest of the batch goes back
    gate.open();
    ASSERT_TRUE(manager.pause("b", true));
    EXPECT_LT(world.metrics("b").in.delivered, 10U);
    ASSERT_TRUE(manager.resume("b"));
    world.clock.settle();
    std::vector<std::string> expected;
    for (int i = 0; i < 10; ++i) {
        expected.push_back("a.out>b " + std::to_string(i));
    }
    EXPECT_EQ(passed(tap), expected);
}

TEST_F(Tap, ALoopWorkersMessagesAreShownToo) {
    host::Tap& tap = open({"a"});
    world.add("b", noting_loop("b"));
    Script a;
    a.run = [](skep::context& context) { context.emit("one"); };
    world.add("a", a);
    world.route("a", "b");
    world.start();
    world.clock.settle();
    EXPECT_THAT(passed(tap), ElementsAre("a.out>b one"));
}

TEST_F(Tap, AQueuedRouteSaysWhichOutputItWas) {
    host::Tap& second = open({"a", "second"});
    world.add("b", noting("b"));
    Script a;
    a.run = [](skep::context& context) {
        context.emit("one");
        context.emit_to(1, "two");
    };
    world.add("a", a);
    world.route("a", "b");  // two routes between the same two go through the mailbox's queue
    world.route("a", "b").output = 1;
    world.start();
    world.clock.settle();
    EXPECT_THAT(passed(second), ElementsAre("a.second>b two"));
}

TEST_F(Tap, StaysOpenThroughAReloadAndShowsWhoComesLater) {
    host::Tap& tap = open({});
    world.add("b", noting("b"));
    world.start();
    send("b", "before");
    change("b", noting("next b"));
    world.add("d", noting("d"));
    ASSERT_EQ(refusal(), "");
    send("b", "after");
    send("d", "new");
    world.clock.settle();
    EXPECT_THAT(passed(tap), testing::UnorderedElementsAre(">b before", ">b after", ">d new"));
}

TEST_F(Tap, ThatIsClosedShowsNothingMore) {
    host::Tap& tap = open({});
    world.add("b", noting("b"));
    world.start();
    send("b", "one");
    world.clock.settle();
    manager.taps()->close(opened.back());
    EXPECT_EQ(manager.taps()->list(), nullptr);
    send("b", "two");
    world.clock.settle();
    EXPECT_THAT(passed(tap), IsEmpty());
}

TEST_F(Tap, HasNoPartInTheBooks) {
    (void)open({});
    start({"one", "two"});
    const FlowCounts accounting = manager.metrics().accounting;
    EXPECT_EQ(accounting.offered, 5U);
    EXPECT_EQ(accounting.delivered, 5U);
    world.stop();
}

TEST(TapFilter, ANameStandsForItsReplicas) {
    EXPECT_TRUE(is_named("parse", "parse"));
    EXPECT_TRUE(is_named("parse#1", "parse"));
    EXPECT_TRUE(is_named("parse#1", "parse#1"));
    EXPECT_TRUE(is_named("parse", ""));
    EXPECT_FALSE(is_named("parse2", "parse"));
    EXPECT_FALSE(is_named("parse", "parse#1"));
    EXPECT_FALSE(is_named("pars", "parse"));
}

}  // namespace
}  // namespace skep::host::tap_test
