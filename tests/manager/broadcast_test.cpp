// Broadcasts: who receives one, in which order, and how those that reach nobody are counted.
#include <atomic>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/scripted.hpp"

namespace skep::test {
namespace {

using host::Manager;
using std::chrono::seconds;

class Broadcast : public testing::Test {
protected:
    World<> world{Manager::When::asked};
    Manager& manager = *world.manager;
};

// Original defect S03.
TEST_F(Broadcast, ReachesSixtyFourWorkersWithoutWaitingForATick) {
    for (int i = 0; i < 64; ++i) {
        world.add("w" + std::to_string(i), Script{});
    }
    world.start();
    for (int i = 0; i < 5; ++i) {
        EXPECT_EQ(*manager.broadcast("hello"), 64U);
    }
    world.clock.settle();
    EXPECT_EQ(world.clock.now(), seconds(0));
    for (const auto& it : manager.metrics().workers) {
        EXPECT_EQ(it.in.delivered, 5U);
    }
}

// Original defect S04.
TEST_F(Broadcast, IsNotOvertakenByALaterSendOfTheSameSender) {
    std::vector<std::string> seen;
    Script sender;
    sender.run = [](skep::context& context) {
        for (int i = 0; i < 300; ++i) {
            const std::string number = std::to_string(i);
            switch (i % 3) {
                case 0:
                    context.broadcast(number);
                    break;
                case 1:
                    context.send("sink", number);
                    break;
                default:
                    context.emit(number);
            }
        }
    };
    world.add("sender", sender);
    world.add("sink", collecting(seen));
    world.route("sender", "sink");
    world.start();
    world.clock.settle();
    ASSERT_EQ(seen.size(), 300U);
    for (int i = 0; i < 300; ++i) {
        EXPECT_EQ(seen[static_cast<std::size_t>(i)], std::to_string(i));
    }
}

// Original defect S05.
TEST_F(Broadcast, DuringAChangeOfMembersReachesAllOrIsCounted) {
    Script sender;
    std::atomic<bool> is_done{false};
    sender.run = [&is_done](skep::context& context) {
        while (context.checkpoint() && !is_done) {
            context.broadcast("x");
        }
    };
    world.add("sender", sender);
    world.start();
    for (int i = 0; i < 50; ++i) {
        const std::string name = "w" + std::to_string(i);
        ASSERT_TRUE(manager.create(world.worker(name, Script{})));
        ASSERT_TRUE(manager.start(name));
    }
    is_done = true;
    world.clock.settle();
    world.stop();
}

// Original defect S06.
TEST_F(Broadcast, DoesNotReachAWorkerMadeLater) {
    std::vector<std::string> seen;
    world.add("early", Script{});
    world.start();
    EXPECT_EQ(*manager.broadcast("before"), 1U);
    ASSERT_TRUE(manager.create(world.worker("late", collecting(seen))));
    ASSERT_TRUE(manager.start("late"));
    EXPECT_EQ(*manager.broadcast("after"), 2U);
    world.clock.settle();
    EXPECT_EQ(seen, std::vector<std::string>{"after"});
}

// Original defect S07.
TEST_F(Broadcast, IsNotQueuedForAWorkerThatWasNeverStarted) {
    ASSERT_TRUE(manager.create(world.worker("a", Script{})));
    for (int i = 0; i < 10; ++i) {
        EXPECT_EQ(*manager.broadcast("x"), 0U);
    }
    EXPECT_EQ(world.metrics("a").in.queued, 0U);
    EXPECT_EQ(world.metrics("a").in.rejected.closed, 10U);
}

// Original defect S08.
TEST_F(Broadcast, JustBeforeTheEndIsDelivered) {
    std::vector<std::string> seen;
    world.add("a", collecting(seen));
    world.start();
    EXPECT_EQ(*manager.broadcast("last words"), 1U);
    world.stop();
    EXPECT_EQ(seen, std::vector<std::string>{"last words"});
}

}  // namespace
}  // namespace skep::test
