// A successor that hangs in a call on probation: its thread is left behind, and the predecessor
// continues on another one.
#include <future>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/scripted.hpp"

namespace skep::test {
namespace {

using host::Ending;
using host::Manager;
using host::WorkerState;
using std::chrono::seconds;

// Opens a gate when its thread ends.
struct AtThreadEnd {
    ~AtThreadEnd() {
        if (gate != nullptr) {
            gate->open();
        }
    }

    Gate* gate = nullptr;
};

struct Observer : Notes {
    void reverted(const Reverted& it) override {
        Notes::reverted(it);
        is_reverted.set_value();
    }

    void settled(const std::string& worker, std::uint64_t generation) override {
        Notes::settled(worker, generation);
        is_settled.set_value();
    }

    std::promise<void> is_reverted, is_settled;
};

// In real time: a manual clock stands still while a plugin is at work.
class LeftBehind : public testing::Test {
protected:
    LeftBehind() { world.plan.probation = seconds(1); }

    // Counts its messages.
    Script counting() {
        Script script;
        script.on_message = [this](skep::context&, const skep::message&) { ++counted; };
        return script;
    }

    // Hangs in the message "hang" until `back` opens, and then tries to work on.
    Script hanging() {
        Script script;
        script.on_message = [this](skep::context& context, const skep::message& message) {
            if (message.text() != "hang") {
                ++handled;
                return;
            }
            thread_local AtThreadEnd end;
            end.gate = &gone;
            const char* const data = message.text().data();
            back.wait_until_open();
            text = std::string(data, 4);
            const skep_context* const raw = context.raw();
            statuses = {raw->api->checkpoint(raw),
                        raw->api->emit_bytes(raw, 0, "late", 4),
                        raw->api->timer_set(raw, 1, 0, 0)};
            skep_message kept{};
            statuses.push_back(raw->api->message_keep(raw, &message.raw(), &kept));
            if (statuses.back() == SKEP_OK) {
                raw->api->message_release(raw, &kept);
            }
        };
        script.destroy = [this] { ++destroyed; };
        return script;
    }

    void succeed(const std::string& name, Script script) {
        world.scripts[name] = std::move(script);
        world.plan_of(name).config["text"] = host::ParamValue("next");
        world.move(world.plan_of(name));
        ASSERT_TRUE(manager.apply(world.plan));
    }

    void hang_and_roll_back() {
        world.add("a", counting());
        world.start();
        Script next = hanging();
        next.acquire = [this](skep::context&) {  // so that it is there when the probation begins
            EXPECT_TRUE(manager.send("a", "hang"));
        };
        succeed("a", std::move(next));
        observer.is_reverted.get_future().wait();
    }

    void let_it_return() {
        back.open();
        gone.wait_until_open();
    }

    // These outlive the threads.
    Gate back, gone;
    std::atomic<int> counted{0}, handled{0}, destroyed{0};
    std::string text;
    std::vector<std::int32_t> statuses;
    World<host::SteadyClock, Observer> world{Manager::When::asked};
    Observer& observer = world.observer;
    Manager& manager = *world.manager;
};

TEST_F(LeftBehind, ThePredecessorContinuesAndTheMessageIsADeadLetter) {
    hang_and_roll_back();
    ASSERT_EQ(observer.all_reverted.size(), 1U);
    EXPECT_EQ(observer.all_reverted[0].failed, 2U);
    EXPECT_EQ(observer.all_reverted[0].back, 1U);
    for (int i = 0; i < 100; ++i) {
        ASSERT_TRUE(manager.send("a", "go on"));
    }
    while (counted < 100) {
        std::this_thread::yield();
    }
    EXPECT_EQ(world.metrics("a").in.dead_lettered.crash, 1U);
    EXPECT_EQ(world.metrics("a").generation, 1U);
    EXPECT_EQ(world.state("a"), WorkerState::running);
    let_it_return();
    world.stop();
    EXPECT_EQ(counted, 100);
}

TEST_F(LeftBehind, AThreadThatReturnsIsRefusedByItsContextAndEnds) {
    hang_and_roll_back();
    let_it_return();
    EXPECT_EQ(text, "hang");
    EXPECT_EQ(statuses, std::vector<std::int32_t>(4, SKEP_E_REVOKED));
    EXPECT_EQ(world.metrics("a").in.delivered, 0U);
    const Ending ending = world.stop();
    EXPECT_TRUE(ending.lost.empty());
    EXPECT_EQ(destroyed, 1);
}

TEST_F(LeftBehind, TheLibraryStaysOpenUntilTheCallHasReturned) {
    hang_and_roll_back();
    EXPECT_EQ(world.loader.opened, 1);
    world.plan.workers.clear();
    ASSERT_TRUE(manager.apply(world.plan));
    while (manager.metrics("a")) {
        std::this_thread::yield();
    }
    EXPECT_EQ(world.loader.closed, 0);
    let_it_return();
    EXPECT_TRUE(world.stop().lost.empty());
    EXPECT_EQ(world.loader.closed, 1);
}

TEST_F(LeftBehind, AHangAfterTheProbationIsNotRolledBack) {
    world.add("a", counting());
    world.start();
    succeed("a", hanging());
    observer.is_settled.get_future().wait();
    ASSERT_TRUE(manager.send("a", "hang"));
    back.wait_for_visitor();
    EXPECT_EQ(world.metrics("a").generation, 2U);
    back.open();
    world.stop();
    EXPECT_EQ(destroyed, 1);
    EXPECT_EQ(statuses.front(), SKEP_GO_ON);
}

// A successor gets one message at first, and never more than it has finished and one.
TEST_F(LeftBehind, WhatItReadsStaysAsItIsWhileTheRouteCarriesOn) {
    std::atomic<bool> may_end{false};
    Gate is_taking_over;
    Script source;
    source.run = [&](skep::context& context) {
        is_taking_over.wait_until_open();
        for (int sent = 0; context.checkpoint() && !may_end; ++sent) {
            (void)context.emit(sent == 100 ? "hang" : "work");
        }
    };
    world.add("source", source);
    world.add("a", counting());
    world.route("source", "a").queue = 16;
    world.start();
    Script next = hanging();
    next.acquire = [&](skep::context&) { is_taking_over.open(); };
    succeed("a", std::move(next));
    observer.is_reverted.get_future().wait();
    EXPECT_GT(handled, 0);
    const std::uint64_t lost = world.metrics("a").in.dead_lettered.crash;
    EXPECT_GE(lost, 1U);
    EXPECT_LE(lost, observer.all_reverted[0].consumed + 1);
    while (counted < 10000) {
        std::this_thread::yield();
    }
    may_end = true;
    let_it_return();
    EXPECT_EQ(text, "hang");
    EXPECT_TRUE(world.stop().lost.empty());
    EXPECT_EQ(world.metrics("a").in.dead_lettered.crash, lost);
}

}  // namespace
}  // namespace skep::test
