#include "host/base/fence.hpp"

#include <atomic>
#include <thread>

#include <gtest/gtest.h>

namespace skep::host {
namespace {

// The two sides of a handshake, again and again at the same moment. At least one sees the other:
// without a fence both miss it within a few thousand rounds.
void meet(const Fence& fence) {
    constexpr int rounds = 20'000;
    std::atomic<int> data{0};
    std::atomic<int> sleeps{0};
    std::atomic<int> started{0};
    std::atomic<int> ended{0};
    bool has_waker_seen = false;
    const auto wait_for = [](const std::atomic<int>& counter, int wanted) {
        while (counter.load() < wanted) {
            std::this_thread::yield();
        }
    };
    std::thread waker([&] {
        for (int round = 1; round <= rounds; ++round) {
            started.fetch_add(1);
            wait_for(started, 2 * round);
            data.store(round, std::memory_order_release);
            fence.light();
            has_waker_seen = sleeps.load(std::memory_order_relaxed) == round;
            ended.fetch_add(1);
            wait_for(ended, 3 * round);
        }
    });
    int missed = 0;
    for (int round = 1; round <= rounds; ++round) {
        started.fetch_add(1);
        wait_for(started, 2 * round);
        sleeps.store(round, std::memory_order_relaxed);
        fence.heavy();
        const bool has_sleeper_seen = data.load(std::memory_order_acquire) == round;
        ended.fetch_add(1);
        wait_for(ended, 3 * round - 1);
        missed += has_sleeper_seen || has_waker_seen ? 0 : 1;
        ended.fetch_add(1);
    }
    waker.join();
    EXPECT_EQ(missed, 0);
}

TEST(Fence, SymmetricLetsNoSideMissTheOther) {
    const Fence fence(Fence::Cost::symmetric);
    EXPECT_FALSE(fence.is_asymmetric());
    meet(fence);
}

TEST(Fence, AsymmetricLetsNoSideMissTheOther) {
    meet(Fence(Fence::Cost::asymmetric));
}

}  // namespace
}  // namespace skep::host
