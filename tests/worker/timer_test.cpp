// The timers of a handler.
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/scripted.hpp"

namespace skep::test {
namespace {

using host::Ending;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

class Timer : public testing::Test {
protected:
    // Starts a handler "a" that sets its timers as `create` does, and one that keeps the host
    // going.
    void start(std::function<void(skep::context&)> create) {
        Script script;
        script.create = std::move(create);
        script.on_timer = [this](skep::context& context, std::uint32_t id) {
            ticks.push_back(std::to_string(id) + " at " +
                            std::to_string(context.now() / milliseconds(1)));
        };
        world.add("a", script);
        Script other;
        other.run = [](skep::context& context) { (void)context.sleep(seconds(10)); };
        world.add("other", other);
        world.start();
    }

    std::vector<std::string> ticks;
    // Last, so that its workers have ended before what they use goes.
    World<> world;
};

using Ticks = std::vector<std::string>;

TEST_F(Timer, KeepsItsGridAndDoesNotMakeUpForTicksThatItMissed) {
    start([](skep::context& context) { context.set_timer(1, seconds(1), seconds(1)); });
    world.clock.run_until(milliseconds(1500));
    ASSERT_TRUE(world.manager->pause("a", true));
    world.clock.run_until(milliseconds(4200));
    ASSERT_TRUE(world.manager->resume("a"));
    world.clock.run_until(milliseconds(6500));
    EXPECT_EQ(ticks, (Ticks{"1 at 1000", "1 at 4200", "1 at 5000", "1 at 6000"}));
}

TEST_F(Timer, WithoutAPeriodRunsOnce) {
    start([](skep::context& context) { context.set_timer(1, seconds(2)); });
    world.clock.run_until(seconds(9));
    EXPECT_EQ(ticks, Ticks{"1 at 2000"});
}

TEST_F(Timer, ThatIsSetAgainReplacesTheOneBefore) {
    start([](skep::context& context) {
        context.set_timer(1, seconds(1), seconds(1));
        context.set_timer(1, seconds(3));
    });
    world.clock.run_until(seconds(9));
    EXPECT_EQ(ticks, Ticks{"1 at 3000"});
}

TEST_F(Timer, ThatIsSetToANegativeTimeIsRemoved) {
    start([](skep::context& context) {
        context.set_timer(1, seconds(1), seconds(1));
        context.set_timer(2, seconds(2));
        context.set_timer(1, seconds(-1), seconds(1));
    });
    world.clock.run_until(seconds(10));
    EXPECT_EQ(ticks, Ticks{"2 at 2000"});
    EXPECT_EQ(world.end().cause, Ending::Cause::finished) << "it waits for no timer any more";
}

TEST_F(Timer, ThatIsDueFirstRunsFirst) {
    start([](skep::context& context) {
        context.set_timer(1, seconds(3));
        context.set_timer(2, seconds(2));
    });
    ASSERT_TRUE(world.manager->pause("a", true));
    world.clock.run_until(seconds(5));
    ASSERT_TRUE(world.manager->resume("a"));
    world.clock.settle();
    EXPECT_EQ(ticks, (Ticks{"2 at 5000", "1 at 5000"}));
}

TEST_F(Timer, OfTheLongestPeriodRunsOnceAndNeverAgain) {
    static constexpr auto longest = nanoseconds::max();
    start([](skep::context& context) {
        context.set_timer(1, seconds(1), longest);
        context.set_timer(2, longest, longest);
    });
    world.clock.run_until(seconds(9));
    EXPECT_EQ(ticks, Ticks{"1 at 1000"});
}

TEST_F(Timer, ThatHasRunForTheLastTimeKeepsNoHostAlive) {
    start([](skep::context& context) { context.set_timer(1, seconds(1)); });
    world.clock.run_until(seconds(10));
    EXPECT_EQ(world.end().cause, Ending::Cause::finished);
}

// Each call takes longer than the period, so the timer is due whenever anybody looks.
TEST(TimerThatIsAlwaysDue, TakesTurnsWithMessages) {
    std::string seen;
    World<> world;
    Script slow;
    slow.create = [](skep::context& context) {
        context.set_timer(1, nanoseconds(0), nanoseconds(1));
    };
    Gate all_sent;
    slow.on_timer = [&](skep::context& context, std::uint32_t id) {
        all_sent.wait_until_open();
        seen += 't';
        // Due again at once, as on a clock that moved on meanwhile.
        context.set_timer(id, nanoseconds(seen.size() < 12 ? 0 : -1), nanoseconds(1));
    };
    slow.on_message = [&seen](skep::context&, const skep::message& message) {
        seen += message.text();
    };
    world.add("slow", slow);
    world.start();
    all_sent.wait_for_visitor();
    ASSERT_TRUE(world.manager->send("slow", "1"));
    ASSERT_TRUE(world.manager->send("slow", "2"));
    all_sent.open();
    world.clock.settle();
    EXPECT_EQ(seen.substr(0, 4), "t12t");
    world.stop();
}

TEST(TimerThatIsAlwaysDue, DelaysNoDrain) {
    World<host::SteadyClock> world;
    Script slow;
    slow.create = [](skep::context& context) {
        context.set_timer(1, nanoseconds(0), nanoseconds(1));
    };
    std::uint64_t seen = 0;
    slow.on_message = [&seen](skep::context&, const skep::message&) { ++seen; };
    Script source;
    source.run = [](skep::context& context) {
        for (int i = 0; i < 5000; ++i) {
            (void)context.emit("x");
        }
    };
    world.add("source", source);
    world.add("slow", slow);
    world.route("source", "slow");
    world.start();
    EXPECT_EQ(world.end().cause, Ending::Cause::finished);
    EXPECT_EQ(seen, 5000U);
}

// A source that sets its timer again in each call has none while it is in one.
TEST(TimerOfASource, IsNotTakenForGoneWhileItsCallMaySetItAgain) {
    Gate gate;
    std::vector<std::string> seen;
    World<> world;
    Script source;
    source.create = [](skep::context& context) { context.set_timer(1, nanoseconds(0)); };
    source.on_timer = [&gate, count = 0](skep::context& context, std::uint32_t id) mutable {
        if (count == 1) {
            gate.wait_until_open();
        }
        context.emit(std::to_string(++count));
        if (count < 3) {
            context.set_timer(id, nanoseconds(0));
        }
    };
    Script sink;
    sink.on_message = [&seen](skep::context&, const skep::message& message) {
        seen.emplace_back(message.text());
    };
    Script brief;
    brief.run = [](skep::context&) {};
    world.add("source", source);
    world.add("sink", sink);
    world.add("brief", brief);
    world.route("source", "sink");
    world.start();
    gate.wait_for_visitor();
    while (world.state("brief") != host::WorkerState::stopped) {
    }
    // Everyone else has ended, and the manager looks again who may end.
    ASSERT_TRUE(world.manager->resume("source"));
    gate.open();
    EXPECT_EQ(world.end().cause, Ending::Cause::finished) << "the last timer is noticed";
    EXPECT_EQ(seen, (std::vector<std::string>{"1", "2", "3"}));
}

}  // namespace
}  // namespace skep::test
