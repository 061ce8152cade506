#include "host/base/spin.hpp"

#include <gtest/gtest.h>

namespace skep::host {
namespace {

const auto never = [](std::uint32_t) { return false; };
const auto always = [](std::uint32_t) { return true; };

// Until it asks no more.
void ask_in_vain(AdaptiveSpin& spin) {
    int asked = 1;
    for (int i = 0; i < 100 && asked > 0; ++i) {
        asked = 0;
        EXPECT_FALSE(spin.wait([&] {
            ++asked;
            return false;
        }));
    }
    EXPECT_EQ(asked, 0);
}

TEST(AdaptiveSpin, AsksUntilItIsTrue) {
    AdaptiveSpin spin;
    int asked = 0;
    EXPECT_TRUE(spin.wait([&] { return ++asked == 3; }));
    EXPECT_EQ(asked, 3);
}

TEST(AdaptiveSpin, StopsAskingWhenItWasInVainOften) {
    AdaptiveSpin spin;
    ask_in_vain(spin);
}

TEST(AdaptiveSpin, AsksAgainAfterAShortSleep) {
    AdaptiveSpin spin;
    ask_in_vain(spin);
    // A sleep is short when nothing else kept the core for long meanwhile: so several tries.
    bool has_asked = false;
    for (int i = 0; i < 1000 && !has_asked; ++i) {
        spin.begin_sleep();
        spin.end_sleep();
        has_asked = spin.wait([] { return true; });
    }
    EXPECT_TRUE(has_asked);
}

TEST(AdaptiveSpin, OneThatHadToWaitTakesWhatThereIs) {
    AdaptiveSpin spin;
    for (int i = 0; i < 1000; ++i) {  // a conversation
        EXPECT_EQ(spin.before_look(64, never), 64U);
        spin.after_look(0);
        EXPECT_EQ(spin.before_look(64, never), 64U);
        spin.after_look(1);
    }
}

TEST(AdaptiveSpin, OneOnTheHeelsOfItsSenderKeepsItsDistance) {
    AdaptiveSpin spin;
    for (int i = 0; i < 2; ++i) {
        EXPECT_EQ(spin.before_look(64, always), 64U);
        spin.after_look(1);
    }
    for (int i = 0; i < 10; ++i) {
        const std::uint32_t most = spin.before_look(64, always);
        EXPECT_LT(most, 64U);
        spin.after_look(most);
    }
}

TEST(AdaptiveSpin, TakesWhatThereIsWhenTheDistanceDoesNotCome) {
    AdaptiveSpin spin;
    for (int i = 0; i < 2; ++i) {
        (void)spin.before_look(64, never);
        spin.after_look(1);
    }
    EXPECT_EQ(spin.before_look(64, never), 64U);
    spin.after_look(1);
    int asked = 0;
    for (int i = 0; i < 100; ++i) {  // and does not wait for it again soon
        EXPECT_EQ(spin.before_look(64, [&](std::uint32_t) { return ++asked > 0; }), 64U);
        spin.after_look(1);
    }
    EXPECT_EQ(asked, 0);
}

TEST(AdaptiveSpin, NeverTakesMoreThanItMay) {
    AdaptiveSpin spin;
    for (int i = 0; i < 10; ++i) {
        EXPECT_EQ(spin.before_look(1, always), 1U);
        spin.after_look(1);
    }
}

}  // namespace
}  // namespace skep::host
