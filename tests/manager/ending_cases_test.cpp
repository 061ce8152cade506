// When a host ends, as a table: workers that message each other in all the ways there are, and what
// is right. A case is a function that builds the host and says what to expect.
#include <atomic>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/scripted.hpp"

namespace skep::test {
namespace {

using host::Ending;
using host::Manager;
using host::Refusal;
using host::WorkerState;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

// The host of one case, and what its workers share.
struct Host {
    std::atomic<int> handled{0};
    std::atomic<int> refused{0};
    std::atomic<int> drained{0};
    World<> world;

    // Passes a number on to `next`, one less, until it is 0.
    Script hop(const std::string& next) {
        Script script;
        script.on_message = [this, next](skep::context& context, const skep::message& message) {
            ++handled;
            const int left = std::stoi(std::string(message.text()));
            if (left > 0) {
                send(context, next, std::to_string(left - 1));
            }
        };
        return script;
    }

    // The same, and begins with `count` when its timer fires.
    Script beginning(const std::string& next, int count) {
        Script script = hop(next);
        script.create = [](skep::context& context) { context.set_timer(0, milliseconds(1)); };
        script.on_timer = [this, next, count](skep::context& context, std::uint32_t) {
            send(context, next, std::to_string(count));
        };
        return script;
    }

    void send(skep::context& context, const std::string& to, const std::string& text) {
        if (context.send(to, text) != skep::send_result::ok) {
            ++refused;
        }
    }

    Script counting() {
        Script script;
        script.on_message = [this](skep::context&, const skep::message&) { ++handled; };
        script.on_drain = [this](skep::context&) { ++drained; };
        return script;
    }

    static Script sending(const std::string& to, const std::string& text) {
        Script script;
        script.run = [to, text](skep::context& context) { (void)context.send(to, text); };
        return script;
    }

    static Script emitting(int count) {
        Script script;
        script.run = [count](skep::context& context) {
            for (int i = 0; i < count; ++i) {
                (void)context.emit("1");
            }
        };
        return script;
    }

    static Script ticking() {
        Script script;
        script.create = [](skep::context& context) {
            context.set_timer(0, milliseconds(10), milliseconds(10));
        };
        return script;
    }
};

struct Case {
    const char* name;
    // Builds the host, starts it, and does what else happens.
    std::function<void(Host&)> play;
    bool ends = true;  // by itself; otherwise it is still there 10 s later
    int handled = 0;   // messages
    int refused = 0;   // sends
    int drained = 0;   // workers whose on_drain has been called, when it ends or after 10 s
};

// N handlers in a ring of direct messages, each of which begins something.
void add_ring(Host& host, int count, int hops) {
    for (int i = 0; i < count; ++i) {
        host.world.add("w" + std::to_string(i),
                       host.beginning("w" + std::to_string((i + 1) % count), hops));
    }
}

const Case cases[] = {
    {"FourHandlersThatMessageEachOther",
     [](Host& host) {
         add_ring(host, 4, 100);
         host.world.start();
     },
     true,
     404},
    {"ManyHandlersThatMessageEachOther",
     [](Host& host) {
         add_ring(host, 120, 20);
         host.world.start();
     },
     true,
     2520},
    {"AHandlerOnAPoolIsTheOnlySource",
     [](Host& host) {
         host.world.plan.pools.push_back({"p", 2, {}});
         host.world.add("a", host.beginning("a", 5)).run.pool = "p";
         host.world.start();
     },
     true,
     6},
    {"HandlersTalkOnAfterTheSourceHasEnded",
     [](Host& host) {
         host.world.add("source", Host::sending("a", "200"));
         host.world.add("a", host.hop("b"));
         host.world.add("b", host.hop("a"));
         host.world.start();
     },
     true,
     201},
    {"RepliesAndBroadcasts",
     [](Host& host) {
         Script first = host.hop("");
         first.create = [](skep::context& context) { context.set_timer(0, milliseconds(1)); };
         first.on_timer = [](skep::context& context, std::uint32_t) {
             (void)context.broadcast("question");
         };
         first.on_message = [&host](skep::context&, const skep::message&) { ++host.handled; };
         Script other;
         other.on_message = [&host](skep::context& context, const skep::message& message) {
             ++host.handled;
             if (context.reply(message, "answer") != skep::send_result::ok) {
                 ++host.refused;
             }
         };
         host.world.add("first", first);
         for (const char* const name : {"a", "b", "c"}) {
             host.world.add(name, other);
         }
         host.world.start();
     },
     true,
     6},
    {"ACounterBehindAFinishedSourceDrainsWhileAnotherTicks",
     [](Host& host) {
         host.world.add("source", Host::emitting(3));
         host.world.add("count", host.counting());
         host.world.add("ticker", Host::ticking());
         host.world.route("source", "count");
         host.world.start();
     },
     false,
     3,
     0,
     1},
    {"ATimerThatFiresAgainAndAgainDoesNotKeepAWorkerThatRoutesFeed",
     [](Host& host) {
         Script count = host.counting();
         count.create = Host::ticking().create;
         host.world.add("source", Host::emitting(3));
         host.world.add("count", count);
         host.world.route("source", "count");
         host.world.start();
     },
     true,
     3,
     0,
     1},
    {"ATimerThatFiresOnceIsWorkEvenWhereRoutesFeed",
     [](Host& host) {
         Script later = host.counting();
         later.on_message = [&host](skep::context& context, const skep::message&) {
             ++host.handled;
             context.set_timer(0, seconds(2));
         };
         later.on_timer = [&host](skep::context& context, std::uint32_t) {
             host.send(context, "helper", "0");
         };
         host.world.add("source", Host::emitting(1));
         host.world.add("later", later);
         host.world.add("helper", host.hop(""));
         host.world.route("source", "later");
         host.world.start();
     },
     true,
     2,
     0,
     1},
    {"AHostThatNeverHadASourceIsAService",
     [](Host& host) {
         host.world.add("a", host.hop("b"));
         host.world.add("b", host.hop("a"));
         host.world.route("a", "b");
         host.world.start();
         EXPECT_TRUE(host.world.manager->send("a", "9"));
     },
     false,
     10},
    {"ATimerThatAMessageSetsMakesNoSource",
     [](Host& host) {
         Script batching;
         batching.on_message = [&host](skep::context& context, const skep::message&) {
             ++host.handled;
             context.set_timer(0, milliseconds(5));
         };
         host.world.add("a", batching);
         host.world.start();
         EXPECT_TRUE(host.world.manager->send("a", "x"));
     },
     false,
     1},
    {"AWorkerThatRoutesFeedWaitsForThoseThatSendToItDirectly",
     [](Host& host) {
         host.world.add("source", Host::emitting(1));
         host.world.add("fed", host.hop("other"));
         host.world.add("other", host.hop("fed"));
         host.world.add("begin", host.beginning("fed", 50));
         host.world.route("source", "fed");
         Script source;
         source.run = [&host](skep::context& context) {
             while (host.handled == 0) {
                 (void)context.sleep(milliseconds(1));
             }
         };
         host.world.scripts["source"] = source;
         host.world.start();
     },
     true,
     51},
    {"AMessageAtAPausedWorkerIsWork",
     [](Host& host) {
         host.world.add("a", host.hop("b"));
         host.world.add("b", host.hop("a"));
         host.world.add("source", Host::sending("a", "3"));
         Script source;
         source.run = [](skep::context& context) {
             (void)context.sleep(seconds(1));
             (void)context.send("a", "3");
         };
         host.world.scripts["source"] = source;
         host.world.start();
         EXPECT_TRUE(host.world.manager->pause("b", true));
     },
     false,
     1},
    {"APausedWorkerWithNothingToDoKeepsNobody",
     [](Host& host) {
         Script source;
         source.run = [](skep::context& context) { (void)context.sleep(seconds(1)); };
         host.world.add("source", source);
         host.world.add("a", host.counting());
         host.world.start();
         EXPECT_TRUE(host.world.manager->pause("a", true));
     },
     true,
     0,
     0,
     1},
    {"APausedWorkerThatIsFedAndHasNothingToDoKeepsNobody",
     [](Host& host) {
         Script source;
         source.run = [](skep::context& context) { (void)context.sleep(seconds(1)); };
         host.world.add("source", source);
         host.world.add("a", host.counting());
         host.world.add("b", host.counting());
         host.world.route("source", "a");
         host.world.route("a", "b");
         host.world.start();
         EXPECT_TRUE(host.world.manager->pause("a", true));
     },
     true,
     0,
     0,
     2},
    {"WhatOnDrainSendsFindsItsReceiver",
     [](Host& host) {
         Script a;
         a.on_drain = [&host](skep::context& context) {
             ++host.drained;
             host.send(context, "known", "0");
             host.send(context, "unknown", "0");
         };
         host.world.add("known", host.hop(""));  // somebody has sent to it before
         host.world.add("source", Host::sending("known", "0"));
         host.world.add("a", a);
         host.world.add("b", a);
         host.world.add("unknown", host.hop(""));  // it stands behind its senders in the file
         host.world.start();
     },
     true,
     5,
     0,
     2},
    {"AScheduleHasStillSomethingToSay",
     [](Host& host) {
         host.world.add("source", returning());
         host.world.add("a", host.hop("b"));
         host.world.add("b", host.hop("a"));
         host.world.plan.schedule = {{seconds(2), host::ScheduleAction::send, "a", "4"}};
         host.world.start();
     },
     true,
     5},
    {"AFailedWorkerRefusesAndTheOthersGoOn",
     [](Host& host) {
         Script failing;
         failing.on_message = [](skep::context&, const skep::message&) {
             throw std::runtime_error("not today");
         };
         host.world.add("a", host.beginning("bad", 1));
         host.world.add("bad", failing).on_failure = host::OnFailure::isolate;
         Script late = host.beginning("bad", 1);
         late.create = [](skep::context& context) { context.set_timer(0, seconds(1)); };
         host.world.add("late", late);
         host.world.start();
     },
     true,
     0,
     1},
    {"AnOperatorStopsOneThatOthersTalkTo",
     [](Host& host) {
         host.world.add("a", host.beginning("b", 100));
         host.world.add("b", host.hop("a"));
         host.world.start();
         EXPECT_TRUE(host.world.manager->stop("b"));
     },
     true,
     0,
     1},
    {"AnOperatorRestartsOneThatOthersTalkTo",
     [](Host& host) {
         host.world.add("a", host.beginning("b", 100));
         host.world.add("b", host.hop("a"));
         host.world.start();
         EXPECT_TRUE(host.world.manager->restart("b"));
     },
     true,
     101},
    {"ALoopThatAsksAHandlerDirectlyDrainsBehindItsSource",
     [](Host& host) {
         Script asking;
         asking.run = [&host](skep::context& context) {
             while (auto next = context.receive(nanoseconds(-1))) {
                 if (context.info(*next).sender == "source") {
                     host.send(context, "oracle", "0");
                 }
                 ++host.handled;
             }
         };
         Script oracle;
         oracle.on_message = [&host](skep::context& context, const skep::message& message) {
             ++host.handled;
             (void)context.reply(message, "yes");
         };
         Script source;
         source.run = [](skep::context& context) {
             for (int i = 0; i < 4; ++i) {
                 (void)context.emit("1");
                 (void)context.sleep(seconds(1));
             }
         };
         host.world.add("source", source);
         host.world.add("asking", asking);
         host.world.add("oracle", oracle);
         host.world.route("source", "asking");
         host.world.start();
     },
     true,
     12},
    {"ACycleOfRoutesThatATimerBegins",
     [](Host& host) {
         Script passing;
         passing.on_message = [&host](skep::context& context, const skep::message& message) {
             ++host.handled;
             const int left = std::stoi(std::string(message.text()));
             if (left > 0) {
                 (void)context.emit(std::to_string(left - 1));
             }
         };
         Script first = passing;
         first.create = [](skep::context& context) { context.set_timer(0, seconds(1)); };
         first.on_timer = [](skep::context& context, std::uint32_t) { (void)context.emit("10"); };
         host.world.add("a", first);
         host.world.add("b", passing);
         host.world.route("a", "b");
         host.world.route("b", "a");
         host.world.start();
     },
     true,
     11},
    {"AReloadInTheMiddleOfAConversation",
     [](Host& host) {
         add_ring(host, 3, 30);
         for (auto& worker : host.world.plan.workers) {
             host.world.scripts[worker.name].save = [] { return std::string("state"); };
         }
         host.world.start();
         host.world.plan_of("w1").config = {};
         host.world.plan_of("w1").plugin_content = "other";
         (void)host.world.manager->apply(host.world.plan);
     },
     true,
     -1},
};

class EndingCases : public testing::TestWithParam<Case> {};

TEST_P(EndingCases, EndsWhenItShould) {
    const Case& it = GetParam();
    Host host;
    it.play(host);
    if (it.ends) {
        EXPECT_EQ(host.world.end_while_time_passes().cause, Ending::Cause::finished);
    } else {
        host.world.clock.run_for(seconds(10));
        const bool is_there = host.world.manager->metrics(host.world.plan.workers[0].name) &&
                              host.world.manager->apply(host.world.plan);
        EXPECT_TRUE(is_there) << "the host has ended";
    }
    if (it.handled >= 0) {
        EXPECT_EQ(host.handled, it.handled);
    }
    EXPECT_EQ(host.refused, it.refused);
    EXPECT_EQ(host.drained, it.drained);
    EXPECT_EQ(host.world.manager->metrics().accounting.dead_lettered.stop, 0U);
}

INSTANTIATE_TEST_SUITE_P(Ending, EndingCases, testing::ValuesIn(cases), [](const auto& it) {
    return std::string(it.param.name);
});

// What is asked of the host between the verdict and the end.
TEST(EndingVerdict, RequestsThatBringWorkGetHostEnded) {
    Gate gate;
    World<> world;
    Script slow;
    slow.on_drain = [&gate](skep::context&) { gate.wait_until_open(); };
    world.add("source", returning());
    world.add("slow", slow);
    world.add("other", Script{});
    world.start();
    gate.wait_for_visitor();
    Manager& manager = *world.manager;
    EXPECT_EQ(manager.send("other", "x").error().code, Refusal::Code::host_ended);
    EXPECT_EQ(manager.broadcast("x").error().code, Refusal::Code::host_ended);
    EXPECT_EQ(manager.start("source").error().code, Refusal::Code::host_ended);
    EXPECT_EQ(manager.restart("other").error().code, Refusal::Code::host_ended);
    EXPECT_EQ(manager.pause("other").error().code, Refusal::Code::host_ended);
    EXPECT_EQ(manager.apply(world.plan).error().code, Refusal::Code::host_ended);
    gate.open();
    EXPECT_EQ(world.end().cause, Ending::Cause::finished);
    EXPECT_EQ(manager.metrics().accounting.rejected.total(), 0U);
}

// A message from outside is accepted and handled, or refused with host_ended: never lost.
TEST(EndingVerdict, ASendFromOutsideCountsOrIsRefused) {
    for (int round = 0; round < 50; ++round) {
        std::atomic<int> handled{0};
        World<host::SteadyClock> world;
        Script handler;
        handler.on_message = [&handled](skep::context&, const skep::message&) { ++handled; };
        world.add("source", returning());
        world.add("a", handler);
        world.start();
        int taken = 0;
        for (int i = 0; i < 20 * round; ++i) {
            const auto sent = world.manager->send("a", "x");
            if (sent) {
                ++taken;
            } else if (sent.error().code != Refusal::Code::mailbox_full) {
                EXPECT_EQ(sent.error().code, Refusal::Code::host_ended) << sent.error().message;
                break;
            }
        }
        EXPECT_EQ(world.end().cause, Ending::Cause::finished);
        EXPECT_EQ(handled, taken) << "round " << round;
    }
}

}  // namespace
}  // namespace skep::test
