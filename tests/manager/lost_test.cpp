// Workers that do not come back in time, and those that come back after all.
#include <atomic>
#include <future>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/scripted.hpp"

namespace skep::test {
namespace {

using host::Ending;
using host::Manager;
using host::WorkerState;
using std::chrono::milliseconds;
using std::chrono::seconds;

// In real time, since on a manual clock a thread that does not park keeps the time from moving.
class Lost : public testing::Test {
protected:
    // A worker that is stuck in its loop until `back` opens.
    Script stuck() {
        Script script;
        script.run = [this](skep::context&) { back.wait_until_open(); };
        script.destroy = [this] { gone.set_value(); };
        return script;
    }

    // "a" is lost, and the host goes on.
    void lose_a() {
        world.add("a", stuck());
        world.plan.stop_grace = milliseconds(1);
        world.start();
        back.wait_for_visitor();
        EXPECT_FALSE(manager.stop("a"));
        ASSERT_EQ(world.state("a"), WorkerState::lost);
    }

    // From now on the plan has no worker.
    void drop_all() {
        host::Plan empty;
        empty.stop_grace = milliseconds(1);
        ASSERT_TRUE(manager.apply(empty));
    }

    // The lost thread must not outlive what it uses.
    void let_it_come_back() {
        back.open();
        gone.get_future().wait();
    }

    Gate back;  // these two outlive the workers
    std::promise<void> gone;
    World<host::SteadyClock> world{Manager::When::asked};
    Manager& manager = *world.manager;
};

TEST_F(Lost, BeforeTheEndAWorkerIsNamedInTheEndingToo) {
    lose_a();
    EXPECT_EQ(world.stop().lost, std::vector<std::string>{"a"});
    let_it_come_back();
}

TEST_F(Lost, AWorkerDoesNotDisturbAStopWithoutGrace) {
    lose_a();
    EXPECT_EQ(world.stop(seconds(0)).lost, std::vector<std::string>{"a"});
    let_it_come_back();
}

TEST_F(Lost, AWorkerThatCameBackIsNotNamedInTheEnding) {
    lose_a();
    let_it_come_back();
    while (world.state("a") != WorkerState::stopped) {
    }
    EXPECT_TRUE(world.stop().lost.empty());
}

TEST_F(Lost, MessagesOfAWorkerAreDeadLetters) {
    world.add("a", stuck());
    world.plan.stop_grace = milliseconds(1);
    world.start();
    back.wait_for_visitor();
    ASSERT_TRUE(manager.send("a", "never read"));
    EXPECT_FALSE(manager.stop("a"));
    EXPECT_EQ(world.metrics("a").in.dead_lettered.stop, 1U);
    let_it_come_back();
}

TEST_F(Lost, AWorkerThatAPlanNoLongerHasGoes) {
    world.add("a", stuck());
    world.plan.stop_grace = milliseconds(1);
    world.start();
    back.wait_for_visitor();
    drop_all();
    while (manager.metrics("a")) {
    }
    EXPECT_EQ(manager.metrics().workers[0].state, WorkerState::lost);
    let_it_come_back();
}

TEST_F(Lost, AWorkerThatIsStuckWhileItIsMadeGoesWithItsPlan) {
    Script slow = stuck();
    slow.create = [this](skep::context&) { back.wait_until_open(); };
    Script failing;
    failing.create = [](skep::context&) { throw std::runtime_error("not today"); };
    world.add("a", slow);
    world.add("b", failing);
    EXPECT_FALSE(manager.apply(world.plan));
    while (manager.metrics("a")) {
    }
    EXPECT_EQ(manager.metrics().workers[0].state, WorkerState::lost);
    let_it_come_back();
}

TEST_F(Lost, AWorkerThatIsToldToStopNowTakesNothingMore) {
    world.add("a", stuck());
    world.start();
    back.wait_for_visitor();
    manager.request_stop(seconds(0));
    while (world.state("a") != WorkerState::stopping) {
    }
    const auto sent = manager.send("a", "too late");
    ASSERT_FALSE(sent);
    EXPECT_EQ(sent.error().code, host::Refusal::Code::mailbox_closed);
    let_it_come_back();
    EXPECT_TRUE(world.end().lost.empty());
}

TEST_F(Lost, AWorkerThatIsNotGoneYetCannotBeAddedAgain) {
    world.add("a", stuck());
    world.start();
    back.wait_for_visitor();
    ASSERT_TRUE(manager.apply(host::Plan{}));
    const auto again = manager.apply(world.plan);
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().message, "cannot add worker 'a': it is draining");
    let_it_come_back();
}

// Both are the first generation of a worker "a".
TEST_F(Lost, AThreadThatComesBackLeavesANewWorkerOfItsNameAlone) {
    world.add("a", stuck());
    world.plan.stop_grace = milliseconds(1);
    world.start();
    back.wait_for_visitor();
    drop_all();
    while (manager.metrics("a")) {
    }
    Script idle;
    idle.run = [](skep::context& context) { (void)context.sleep(seconds(1000)); };
    world.scripts["a"] = idle;
    world.plan.workers[0].type = "loop";
    world.start();
    let_it_come_back();
    EXPECT_TRUE(manager.stop("a"));
    EXPECT_EQ(world.state("a"), WorkerState::stopped);
}

// Original defect S11.
TEST_F(Lost, FourStuckWorkersShareOneDeadline) {
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
    manager.request_stop(seconds(0));
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

}  // namespace
}  // namespace skep::test
