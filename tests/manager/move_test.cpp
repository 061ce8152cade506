// A successor that is served at another place than its predecessor: in a pool, in another pool, or
// on a thread of its own.
#include <array>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pthread.h>

#include "tests/support/swapping.hpp"

namespace skep::test {
namespace {

std::string name_of_this_thread() {
    std::array<char, 16> name{};
    pthread_getname_np(pthread_self(), name.data(), name.size());
    return name.data();
}

class Move : public Swapping {
protected:
    Move() {
        world.plan.pools = {{"pool", 8, {}}, {"other", 8, {}}, {"light", 1, {}}, {"heavy", 1, {}}};
    }

    // Notes "NAME message", and where.
    Script noting_place(const std::string& name) {
        Script script = noting(name);
        script.on_message = [this, name](skep::context&, const skep::message& message) {
            note(name + " " + std::string(message.text()) + " " + name_of_this_thread());
        };
        return script;
    }

    void place(const std::string& worker, const std::string& pool) {
        world.plan_of(worker).run.pool = pool;
    }

    // "a", which does `work` in a pool when it gets a message, sends to "b", which has taken the
    // first of its messages and waits at the gate. One more finds room.
    void go_until_the_receiver_waits(std::function<void(skep::context&)> work) {
        Script sender = noting("old");
        sender.on_message = [work = std::move(work)](skep::context& context, const skep::message&) {
            work(context);
        };
        Script receiver = noting("b");
        receiver.on_message = [this](skep::context&, const skep::message& message) {
            gate.wait_until_open();
            note("b " + std::string(message.text()));
        };
        world.add("a", sender);
        place("a", "light");
        world.add("b", receiver);
        place("b", "");
        world.route("a", "b").queue = 1;
        world.start();
        send("a", "go");
        gate.wait_for_visitor();
    }

    void fill_the_outbox_of_a_worker_in_a_pool() {
        go_until_the_receiver_waits([this](skep::context& context) {
            for (const char* text : {"1", "2", "3"}) {
                (void)context.emit(text);
            }
            has_sent.open();
        });
        has_sent.wait_until_open();
    }

    // Without those that say that an instance is destroyed: that happens aside.
    Lines noted_at_work() {
        Lines seen = noted();
        std::erase_if(seen, [](const std::string& it) { return it.ends_with("destroyed"); });
        return seen;
    }

    Gate has_sent;
};

TEST_F(Move, AWorkerGoesToAPoolToAnotherOneAndBackToAThread) {
    world.add("a", noting_place("first"));
    place("a", "");
    world.start();
    send("a", "1");
    EXPECT_EQ(noted(), (Lines{"first 1 w:a#1"}));
    for (const std::string pool : {"light", "heavy", ""}) {
        change("a", noting_place("next"));
        place("a", pool);
        ASSERT_TRUE(apply());
        send("a", pool);
        world.clock.settle();  // otherwise the next instance may get the message
    }
    EXPECT_EQ(
        noted_at_work(),
        (Lines{"first 1 w:a#1", "next light p:light#0", "next heavy p:heavy#0", "next  w:a#1"}));
    EXPECT_EQ(world.metrics("a").generation, 4U);
    world.stop();
}

TEST_F(Move, APoolWithOtherSettingsIsAnotherPool) {
    world.add("a", noting_place("old"));
    place("a", "light");
    world.add("b", noting_place("b"));
    place("b", "heavy");
    world.start();
    world.plan.pools[2].threads = 2;
    ASSERT_TRUE(apply());
    EXPECT_EQ(world.metrics("a").generation, 2U);
    EXPECT_EQ(world.metrics("b").generation, 1U);
    world.stop();
}

TEST_F(Move, APoolThatTheMachineRefusesLeavesAllAsItWas) {
    world.add("a", noting("old"));
    place("a", "");
    world.start();
    world.plan.pools[2].placement.cpus = {8191};
    place("a", "light");
    EXPECT_THAT(refusal(), testing::HasSubstr("pool 'light': "));
    send("a", "1");
    EXPECT_EQ(noted(), (Lines{"old 1"}));
    EXPECT_EQ(world.metrics("a").generation, 1U);
    world.stop();
}

TEST_F(Move, ASuccessorThatFailsInAPoolGoesAndTheThreadServesAgain) {
    world.add("a", noting_place("old"));
    place("a", "");
    world.start();
    Script failing;
    failing.on_message = [](skep::context&, const skep::message&) {
        throw std::runtime_error("cannot");
    };
    change("a", failing);
    place("a", "light");
    ASSERT_TRUE(apply());
    send("a", "1");
    send("a", "2");
    EXPECT_EQ(noted_at_work(), (Lines{"old 2 w:a#1"}));
    EXPECT_EQ(world.metrics("a").generation, 1U);
    EXPECT_EQ(manager.plan().value()->workers.front().run.pool, "");
    world.stop();
}

TEST_F(Move, AStateThatIsRefusedInAPoolLeavesTheWorkerOnItsThread) {
    Script old = noting_place("old");
    old.save = [] { return std::string("17"); };
    world.add("a", old);
    place("a", "");
    world.start();
    Script refusing;
    refusing.load = [](std::string_view) { throw std::runtime_error("not mine"); };
    change("a", refusing);
    place("a", "light");
    EXPECT_THAT(refusal(), testing::HasSubstr("keeps its instance: load_state: not mine"));
    send("a", "1");
    EXPECT_THAT(noted(), testing::Contains("old 1 w:a#1"));
    world.stop();
}

TEST_F(Move, WhatWaitsForRoomGoesWithAWorkerToItsThread) {
    fill_the_outbox_of_a_worker_in_a_pool();
    change("a", noting("new"));
    place("a", "");
    ASSERT_TRUE(apply());
    send("a", "4");
    gate.open();
    EXPECT_THAT(noted(), testing::UnorderedElementsAre("b 1", "b 2", "b 3", "new 4"));
    world.stop();
}

TEST_F(Move, WhatWaitsForRoomGoesWithAWorkerThatBecomesALoop) {
    fill_the_outbox_of_a_worker_in_a_pool();
    change("a", noting_loop("new"));
    world.plan_of("a").type = "loop";
    place("a", "");
    ASSERT_TRUE(apply());
    send("a", "4");
    gate.open();
    EXPECT_THAT(noted(), testing::UnorderedElementsAre("b 1", "b 2", "b 3", "new runs", "new 4"));
    world.stop();
}

TEST_F(Move, AHandlerSucceedsALoopAndALoopAHandler) {
    world.add("a", noting_loop("old"));
    place("a", "");
    world.start();
    send("a", "1");
    (void)noted();
    change("a", noting("new"));
    world.plan_of("a").type = "handler";
    place("a", "");
    ASSERT_TRUE(apply());
    send("a", "2");
    (void)noted();
    change("a", noting_loop("third"));
    world.plan_of("a").type = "loop";
    place("a", "");
    ASSERT_TRUE(apply());
    send("a", "3");
    EXPECT_EQ(noted_at_work(),
              (Lines{"old runs", "old 1", "old returns", "new 2", "third runs", "third 3"}));
    world.stop();
}

// Its route changes in the midst of a call that has filled it: what waits is for the ring before.
TEST_F(Move, WhatWaitsForRoomOnARouteThatChangesIsNotLost) {
    go_until_the_receiver_waits([this](skep::context& context) {
        (void)context.emit("1");
        (void)context.emit("2");
        (void)context.emit("3");
        world.plan.routes[0].queue = 2;
        ASSERT_TRUE(apply_later().get());
        (void)context.emit("4");
    });
    gate.open();
    EXPECT_EQ(noted(), (Lines{"b 1", "b 2", "b 3", "b 4"}));
    world.stop();
}

}  // namespace
}  // namespace skep::test
