// What a slow receiver does to those who send to it: with each policy, in cycles, under a pause, in
// order, and until the end.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <string>

#include <gtest/gtest.h>

#include "tests/support/paced.hpp"

namespace skep::test {
namespace {

using host::FlowCounts;
using host::Manager;
using host::Nanos;
using host::WhenFull;
using host::WorkerState;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

// Every way that messages of a route take: by rings, with the bytes in the slot or shared, or
// through the queue of the mailbox.
enum class Way { slots, shared, queue };

class Backpressure : public Paced<host::ManualClock>, public testing::WithParamInterface<Way> {
protected:
    using Paced::Paced;

    void take_the_way(const std::string& from, const std::string& to) {
        if (GetParam() == Way::shared) {
            tail = " " + std::string(1000, 'x');
        }
        if (GetParam() == Way::queue) {
            crowd(from, to);
        }
    }
};

INSTANTIATE_TEST_SUITE_P(Ways, Backpressure, testing::Values(Way::slots, Way::shared, Way::queue));

TEST_P(Backpressure, ASenderThatBlocksIsPacedByItsReceiverAndNothingIsDropped) {
    source("a", 100);
    sink("b", milliseconds(10));
    route("a", "b", 4);
    take_the_way("a", "b");
    world.start();
    for (world.clock.settle(); sent < 100; world.clock.run_for(milliseconds(10))) {
        EXPECT_EQ(in("b").queued, 4U);
        EXPECT_LE(sent - static_cast<int>(seen_by("b").size()), 8);
    }
    world.end_while_time_passes();
    EXPECT_EQ(seen_by("b"), from_to(1, 100));
    EXPECT_EQ(in("b").delivered, 100U);
    EXPECT_EQ(in("b").dropped.total(), 0U);
    EXPECT_EQ(world.metrics("b").queue_high, 4U);
    EXPECT_GE(world.clock.now(), milliseconds(900));
}

// All messages have a tail of 1,000 bytes, and 10,000 may wait, beside what a ring reports later.
class BackpressureByBytes : public Backpressure {
protected:
    static constexpr std::uint64_t bound = 10'000;
    static constexpr std::uint64_t beyond = 4096;

    void bounded_sink(const std::string& name, Nanos rest = Nanos(0)) {
        sink(name, rest);
        world.plan.workers.back().queue_bytes = bound;
    }
};

INSTANTIATE_TEST_SUITE_P(Ways, BackpressureByBytes, testing::Values(Way::shared, Way::queue));

TEST_P(BackpressureByBytes, ASenderThatBlocksWaitsForBytesAndNothingIsDropped) {
    source("a", 200);
    bounded_sink("b", milliseconds(10));
    route("a", "b", 1000);
    take_the_way("a", "b");
    tail = " " + std::string(1000, 'x');
    world.start();
    for (world.clock.settle(); sent < 200; world.clock.run_for(milliseconds(10))) {
        EXPECT_LE(in("b").queued * 1000, bound + beyond);
    }
    world.end_while_time_passes();
    EXPECT_EQ(seen_by("b"), from_to(1, 200));
    EXPECT_EQ(in("b").delivered, 200U);
}

TEST_P(BackpressureByBytes, ManySendersShareThem) {
    bounded_sink("b", milliseconds(1));
    for (const char* name : {"a1", "a2", "a3", "a4", "a5"}) {
        source(name, [](skep::context& context) {
            for (int i = 1; i <= 30; ++i) {
                (void)context.emit("1 " + std::string(5000, 'x'));
            }
        });
        route(name, "b", 1000);
        take_the_way(name, "b");
    }
    world.start();
    world.clock.settle();
    EXPECT_LE(in("b").queued, 2U);
    world.end_while_time_passes();
    EXPECT_EQ(in("b").delivered, 150U);
    EXPECT_LE(world.metrics("b").queue_high, 2U * 5) << "of each way at its own worst time";
}

TEST_P(BackpressureByBytes, AMessageThatIsLargerWaitsAlone) {
    source("a", 20);
    bounded_sink("b", milliseconds(10));
    route("a", "b", 1000);
    take_the_way("a", "b");
    tail = " " + std::string(2 * bound, 'x');
    world.start();
    world.clock.settle();
    EXPECT_EQ(in("b").queued, 1U);
    world.end_while_time_passes();
    EXPECT_EQ(seen_by("b"), from_to(1, 20));
}

TEST_P(BackpressureByBytes, DropNewestDropsForThem) {
    source("a", 100);
    bounded_sink("b", milliseconds(10));
    route("a", "b", 1000, WhenFull::drop_newest);
    take_the_way("a", "b");
    tail = " " + std::string(1000, 'x');
    world.start();
    world.end_while_time_passes();
    EXPECT_EQ(in("b").accepted, 100U);
    EXPECT_GE(in("b").delivered, 9U);
    EXPECT_LE(in("b").delivered * 1000, bound + beyond + 64 * 1000);
    EXPECT_EQ(in("b").dropped.newest, 100 - in("b").delivered);
}

TEST_P(BackpressureByBytes, AReloadThatRaisesThemWakesTheSender) {
    Gate begin;
    source("a", [this, &begin](skep::context& context) {
        begin.wait_until_open();
        emit(context, 1, 100);
    });
    bounded_sink("b");
    route("a", "b", 1000);
    take_the_way("a", "b");
    tail = " " + std::string(1000, 'x');
    world.start();
    ASSERT_TRUE(manager().pause("b", true));
    begin.open();
    world.clock.settle();
    EXPECT_LE(in("b").queued * 1000, bound + beyond);
    world.plan.workers.back().queue_bytes = 1'000'000;
    ASSERT_TRUE(manager().apply(world.plan));
    world.clock.settle();
    EXPECT_EQ(in("b").queued, 100U);
    ASSERT_TRUE(manager().resume("b"));
    world.end_while_time_passes();
    EXPECT_EQ(seen_by("b"), from_to(1, 100));
}

using WaitingForBytes = WaitingSender;

TEST_F(WaitingForBytes, EndsWithAStop) {
    tail = " " + std::string(5000, 'x');
    gated_source(100);
    world.plan.workers.back().stop_grace = seconds(1);
    sink("b");
    world.plan.workers.back().queue_bytes = 10'000;
    route("a", "b", 1000);
    fill_b();
    EXPECT_EQ(in("b").queued, 1U);
    EXPECT_TRUE(stop("a"));
    EXPECT_EQ(in("b").rejected.stopping, 1U);
    ASSERT_TRUE(manager().resume("b"));
    world.stop();
}

// One message each 100 ms, and a receiver that rests 970 ms after each: it takes message 1 at once,
// three at 1.07 s, three at 3.98 s and three at 6.89 s.
class DroppingIn : public Backpressure {
protected:
    void run(WhenFull when_full) {
        source("a", [this](skep::context& context) {
            for (int i = 1; i <= 60; ++i) {
                (void)context.sleep(milliseconds(100));
                emit(context, i, i);
            }
        });
        sink("b", milliseconds(970));
        route("a", "b", 3, when_full);
        take_the_way("a", "b");
        world.start();
        world.clock.run_until(seconds(6));
        EXPECT_EQ(sent, 60) << "it never waits";
        world.end_while_time_passes();
        EXPECT_EQ(in("b").accepted, 60U);
    }
};

INSTANTIATE_TEST_SUITE_P(Ways, DroppingIn, testing::Values(Way::slots, Way::shared, Way::queue));

TEST_P(DroppingIn, NewestKeepsWhatCameFirst) {
    run(WhenFull::drop_newest);
    EXPECT_EQ(seen_by("b"), (Numbers{1, 2, 3, 4, 11, 12, 13, 40, 41, 42}));
    EXPECT_EQ(in("b").dropped.newest, 50U);
}

TEST_P(DroppingIn, OldestKeepsWhatCameLast) {
    run(WhenFull::drop_oldest);
    EXPECT_EQ(seen_by("b"), (Numbers{1, 8, 9, 10, 37, 38, 39, 58, 59, 60}));
    EXPECT_EQ(in("b").dropped.oldest, 50U);
}

using BackpressureOnOneOutput = Backpressure;

INSTANTIATE_TEST_SUITE_P(Ways, BackpressureOnOneOutput, testing::Values(Way::slots, Way::shared));

TEST_P(BackpressureOnOneOutput, EachReceiverHasItsOwnPolicy) {
    source("a", 100);
    sink("all", milliseconds(10));
    sink("first", milliseconds(35));
    sink("last", milliseconds(35));
    route("a", "all", 4);
    route("a", "first", 4, WhenFull::drop_newest);
    route("a", "last", 4, WhenFull::drop_oldest);
    take_the_way("", "");
    world.start();
    world.end_while_time_passes();
    EXPECT_EQ(seen_by("all"), from_to(1, 100));
    for (const char* name : {"first", "last"}) {
        const Numbers got = seen_by(name);
        EXPECT_TRUE(std::is_sorted(got.begin(), got.end())) << name;
        EXPECT_EQ(in(name).offered, 100U) << name;
        EXPECT_EQ(in(name).delivered, got.size()) << name;
        EXPECT_EQ(in(name).dropped.total(), 100 - got.size()) << name;
        EXPECT_LT(got.size(), 50U) << name;
    }
    EXPECT_EQ(seen_by("first").front(), 1);
    EXPECT_EQ(seen_by("last").back(), 100);
}

TEST_P(BackpressureOnOneOutput, TheSlowestOfThoseWhoBlockSetsThePaceAndNobodyLosesAnything) {
    source("a", 100);
    for (const char* name : {"fast", "slow", "other"}) {
        sink(name, name == std::string("slow") ? milliseconds(10) : Nanos(0));
        route("a", name, 4);
    }
    take_the_way("", "");
    world.start();
    for (world.clock.settle(); sent < 100; world.clock.run_for(milliseconds(10))) {
        EXPECT_EQ(in("slow").queued, 4U);
        EXPECT_EQ(seen_by("fast").size(), static_cast<std::size_t>(sent));
        EXPECT_LE(sent - static_cast<int>(seen_by("slow").size()), 8);
    }
    world.end_while_time_passes();
    for (const char* name : {"fast", "slow", "other"}) {
        EXPECT_EQ(seen_by(name), from_to(1, 100)) << name;
        EXPECT_LE(world.metrics(name).queue_high, 4U) << name;
    }
}

TEST_P(Backpressure, EverythingArrivesBeforeTheHostEnds) {
    source("a", 8);
    Script filter;
    filter.on_message = [](skep::context& context, const skep::message& message) {
        (void)context.sleep(milliseconds(10));
        context.emit(message.text());
    };
    world.add("filter", filter);
    sink("b", seconds(1));
    route("a", "filter", 8);
    route("filter", "b", 2);
    take_the_way("a", "filter");
    world.start();
    world.clock.settle();
    EXPECT_EQ(world.state("a"), WorkerState::stopped);
    EXPECT_EQ(world.end_while_time_passes().cause, host::Ending::Cause::finished);
    EXPECT_EQ(seen_by("b"), from_to(1, 8));
    EXPECT_EQ(manager().metrics().accounting.delivered, 16U);
}

// Whichever way a message takes to the same receiver, and however long the sender waits on it.
template <typename ClockType>
class Mixed : public Paced<ClockType> {
protected:
    // `outputs`: by how many routes the two are joined.
    void run(int outputs, int rounds, Nanos rest) {
        this->source("a", [=, this](skep::context& context) {
            int i = 0;
            const auto note = [&](skep::send_result result) {
                if (result == skep::send_result::ok) {
                    accepted.push_back(i);
                } else {
                    EXPECT_EQ(result, skep::send_result::full);
                }
                ++i;
            };
            for (int round = 0; round < rounds; ++round) {
                for (int emission = 0; emission <= round % 5; ++emission) {
                    note(context.emit(std::to_string(i)));
                }
                note(context.send("b", std::to_string(i)));
                if (outputs > 1) {
                    note(context.emit_to(1, std::to_string(i)));
                }
                note(context.broadcast(std::to_string(i)));
            }
            has_sent_all = true;
        });
        this->sink("b", rest);
        this->world.plan.workers.back().mailbox = 3;
        this->route("a", "b", 3);
        if (outputs > 1) {
            this->crowd("a", "b");
            this->world.plan.routes.back().queue = 2;
        }
        this->world.start();
    }

    void expect_order_of_sending() {
        EXPECT_EQ(this->seen_by("b"), accepted);
        EXPECT_EQ(this->in("b").delivered, accepted.size());
        EXPECT_EQ(this->in("b").rejected.full, this->in("b").rejected.total());
    }

    Numbers accepted;  // the source's, until it has ended
    std::atomic<bool> has_sent_all = false;
};

class OrderOfSending : public Mixed<host::ManualClock>, public testing::WithParamInterface<int> {};

class OrderInRealTime : public Mixed<host::SteadyClock>, public testing::WithParamInterface<int> {};

INSTANTIATE_TEST_SUITE_P(Routes, OrderOfSending, testing::Values(1, 2));
INSTANTIATE_TEST_SUITE_P(Routes, OrderInRealTime, testing::Values(1, 2));

TEST_P(OrderOfSending, IsKeptByASlowReceiver) {
    run(GetParam(), 200, milliseconds(7));
    world.end_while_time_passes();
    expect_order_of_sending();
}

TEST_P(OrderInRealTime, IsKeptWhileTheReceiverPausesNowAndThen) {
    run(GetParam(), 20'000, Nanos(0));
    for (int pauses = 0; pauses < 1000 && !has_sent_all; ++pauses) {
        (void)manager().pause("b", true);
        (void)manager().resume("b");
    }
    world.end();
    expect_order_of_sending();
}

// a -> b -> a, each of which makes two messages of one: full at once.
template <typename ClockType>
class Doubling : public Paced<ClockType> {
protected:
    Doubling()
        : Paced<ClockType>(Manager::When::asked) {}

    void cycle(WhenFull back) {
        Script script;
        script.on_message = [](skep::context& context, const skep::message& message) {
            context.emit(message.text());
            context.emit(message.text());
        };
        this->world.add("a", script);
        this->world.add("b", script);
        this->route("a", "b", 4);
        this->route("b", "a", 4, back);
        this->world.start();
        ASSERT_TRUE(this->manager().send("a", "the first"));
    }

    // Two of each that was delivered, and the first.
    void expect_all_in_the_books(std::uint64_t dropped = 0) {
        const FlowCounts accounting = this->manager().metrics().accounting;
        EXPECT_EQ(accounting.offered, 2 * accounting.delivered + 1);
        EXPECT_EQ(accounting.in_flight + accounting.queued + accounting.dead_lettered.crash, 0U);
        EXPECT_EQ(accounting.dropped.total(), dropped);
    }
};

using Cycle = Doubling<host::ManualClock>;
using CycleInRealTime = Doubling<host::SteadyClock>;

TEST_F(Cycle, StandsStillWhenItIsFullAndAStopEndsItWithinTheGrace) {
    cycle(WhenFull::block);
    world.clock.settle();  // everybody sleeps
    const FlowCounts full = manager().metrics().accounting;
    EXPECT_EQ(in("a").queued, 4U);
    EXPECT_EQ(in("b").queued, 4U);
    world.clock.run_for(hours(1));
    EXPECT_EQ(manager().metrics().accounting, full);
    const Nanos before = world.clock.now();
    world.stop();
    EXPECT_EQ(world.clock.now(), before);
    const FlowCounts accounting = manager().metrics().accounting;
    EXPECT_EQ(accounting.delivered, accounting.accepted);
    EXPECT_EQ(accounting.rejected.closed, accounting.rejected.total());
    expect_all_in_the_books();
}

TEST_F(Cycle, ThatIsFullIsCountedWhenThereIsNoGrace) {
    cycle(WhenFull::block);
    world.clock.settle();
    world.stop(Nanos(0));
    const FlowCounts accounting = manager().metrics().accounting;
    EXPECT_EQ(accounting.delivered + accounting.dead_lettered.stop, accounting.accepted);
    EXPECT_EQ(accounting.rejected.closed + accounting.rejected.stopping,
              accounting.rejected.total());
    expect_all_in_the_books();
}

TEST_F(Cycle, GoesOnWhenOneInItIsStopped) {
    cycle(WhenFull::block);
    world.clock.settle();
    ASSERT_TRUE(manager().stop("a"));
    world.clock.settle();
    EXPECT_EQ(world.state("b"), WorkerState::running);
    EXPECT_EQ(in("b").queued + in("b").in_flight, 0U) << "a full b no longer waits for a";
    world.stop();
    expect_all_in_the_books();
}

TEST_F(CycleInRealTime, BurnsNothingWhenItIsFull) {
    cycle(WhenFull::block);
    while (in("a").queued < 4 || in("b").queued < 4) {
    }
    // A moment is longer than anyone asks before going to sleep, and than a timed sleep of theirs.
    const Nanos give_up = world.clock.now() + seconds(20);
    int quiet_moments = 0;
    while (quiet_moments < 20 && world.clock.now() < give_up) {
        const Nanos before = world.metrics("a").cpu + world.metrics("b").cpu;
        const Nanos moment = world.clock.now() + milliseconds(5);
        while (world.clock.now() < moment) {
        }
        const bool is_quiet = world.metrics("a").cpu + world.metrics("b").cpu == before;
        quiet_moments = is_quiet ? quiet_moments + 1 : 0;
    }
    EXPECT_EQ(quiet_moments, 20);
    world.stop();
    EXPECT_EQ(manager().metrics().accounting.dead_lettered.total(), 0U);
    expect_all_in_the_books();
}

class DroppingCycle : public CycleInRealTime, public testing::WithParamInterface<WhenFull> {};

INSTANTIATE_TEST_SUITE_P(Policies,
                         DroppingCycle,
                         testing::Values(WhenFull::drop_newest, WhenFull::drop_oldest));

TEST_P(DroppingCycle, FlowsOn) {
    cycle(GetParam());
    while (in("a").delivered < 1000) {
    }
    world.stop();
    EXPECT_GT(in("a").dropped.total(), 0U);
    EXPECT_EQ(in("b").dropped.total(), 0U);
    EXPECT_EQ(manager().metrics().accounting.dead_lettered.total(), 0U);
    expect_all_in_the_books(in("a").dropped.total());
}

}  // namespace
}  // namespace skep::test
