#include "host/daemon/probations.hpp"

#include <atomic>
#include <thread>

#include <gtest/gtest.h>

#include "host/daemon/verdict.hpp"

namespace skep::host::probations_test {
namespace {

// "w" is on probation, as generation 2.
class Probations : public testing::Test {
protected:
    Probations() {
        probations.begin();
        probations.swapped("w", 2);
    }

    Verdict verdict() {
        Verdict it;
        it.result = ReloadResult::applied;
        it.text = "swap w";
        it.add(probations.wait(is_cut_short));
        return it;
    }

    host::Probations probations;
    std::atomic<bool> is_cut_short{false};
};

TEST_F(Probations, LastUntilTheGenerationHasSettled) {
    probations.settled("other", 2);
    probations.settled("w", 1);
    EXPECT_FALSE(probations.is_empty());
    probations.settled("w", 2);
    EXPECT_TRUE(probations.is_empty());
    EXPECT_EQ(verdict().result, ReloadResult::applied);
    EXPECT_EQ(verdict().text, "swap w");
}

TEST_F(Probations, EndByARollbackWithTheReason) {
    probations.reverted({"w", 2, 1, 7, "no more bees", ""});
    const Verdict it = verdict();
    EXPECT_EQ(it.result, ReloadResult::rolled_back);
    EXPECT_EQ(it.text, "swap w; w@2 failed after 7 messages, w@1 is back: no more bees");
}

TEST_F(Probations, OfAWorkerThatFailedFirstNameTheOthersThatWereRolledBackWithIt) {
    probations.swapped("v", 3);
    probations.reverted({"w", 2, 1, 7, "no more bees", ""});
    probations.reverted({"v", 3, 2, 1, "", "w"});
    EXPECT_EQ(verdict().text,
              "swap w; w@2 failed after 7 messages, w@1 is back: no more bees"
              "; v@3 was rolled back with w after 1 messages, v@2 is back");
}

TEST_F(Probations, EndWhenTheInstanceHangs) {
    probations.hangs({"w", 2, std::chrono::milliseconds(1500)});
    const Verdict it = verdict();
    EXPECT_EQ(it.result, ReloadResult::hangs);
    EXPECT_EQ(it.text,
              "swap w; w@2 has not returned from a call for 1.5 s, and its thread cannot be "
              "interrupted");
}

TEST_F(Probations, AreCutShort) {
    std::thread cuts([this] {
        is_cut_short = true;
        probations.cut_short();
    });
    EXPECT_EQ(verdict().result, ReloadResult::applied);
    cuts.join();
}

TEST_F(Probations, ForgetWhatARunBeforeHasStarted) {
    probations.begin();
    probations.swapped("w", 3);
    probations.reverted({"w", 2, 1, 7, "of the run before", ""});
    probations.settled("w", 3);
    EXPECT_EQ(verdict().result, ReloadResult::applied);
}

}  // namespace
}  // namespace skep::host::probations_test
