// The state that goes from one instance to the next: how little, how much, and from which one.
#include <stdexcept>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/swapping.hpp"

namespace skep::test {
namespace {

using host::WorkerState;
using testing::Contains;
using testing::ElementsAre;

class SwapState : public Swapping {
protected:
    // The first instance saves `state`; what the second one loads is in `loaded`.
    void swap_with(std::string state) {
        Script old = noting("old");
        old.save = [state = std::move(state)] { return state; };
        world.add("a", old).on_failure = host::OnFailure::isolate;
        world.start();
    }

    void change_to_loading() {
        Script next = noting("new");
        next.load = [this](std::string_view state) {
            loaded = std::string(state);
            note("new loads");
        };
        change("a", next);
    }

    std::string loaded = "nothing";
};

TEST_F(SwapState, OfNoBytesIsHandedOver) {
    swap_with("");
    change_to_loading();
    ASSERT_EQ(refusal(), "");
    EXPECT_EQ(loaded, "");
    EXPECT_THAT(noted(), ElementsAre("new loads"));
}

TEST_F(SwapState, OfSixtyFourMebibytesIsHandedOver) {
    std::string large(std::size_t{64} << 20, '\0');
    for (std::size_t i = 0; i < large.size(); i += 4096) {
        large[i] = static_cast<char>(i >> 12);
    }
    swap_with(large);
    change_to_loading();
    ASSERT_EQ(refusal(), "");
    EXPECT_TRUE(loaded == large);
    EXPECT_EQ(world.metrics("a").last_swap->state_bytes, large.size());
}

TEST_F(SwapState, OfAPausedWorkerIsHandedOverWhileItStandsStill) {
    swap_with("17");
    ASSERT_TRUE(manager.pause("a", true));
    change_to_loading();
    ASSERT_EQ(refusal(), "");
    EXPECT_EQ(loaded, "17");
    EXPECT_EQ(world.state("a"), WorkerState::paused);
}

TEST_F(SwapState, OfAFailedWorkerIsGone) {
    Script old = noting("old");
    old.on_message = [](skep::context&, const skep::message&) { throw std::runtime_error("no"); };
    old.save = [] { return std::string("17"); };
    world.add("a", old).on_failure = host::OnFailure::isolate;
    world.start();
    send("a", "1");
    world.clock.settle();
    ASSERT_EQ(world.state("a"), WorkerState::failed);
    change_to_loading();
    ASSERT_EQ(refusal(), "");
    world.clock.settle();
    EXPECT_EQ(world.state("a"), WorkerState::running);
    EXPECT_EQ(loaded, "nothing") << "it starts without state";
    send("a", "2");
    EXPECT_THAT(noted(), Contains("new 2"));
}

}  // namespace
}  // namespace skep::test
