#include "host/control/reloads.hpp"

#include <atomic>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/scripted.hpp"

namespace skep::host {
namespace {

using test::Gate;

TEST(Reloads, GiveEachTriggerAVerdict) {
    int runs = 0;
    Reloads reloads([&](const ReloadWish&) {
        ++runs;
        return ReloadOutcome{runs == 1 ? ReloadResult::applied : ReloadResult::refused,
                             "run " + std::to_string(runs)};
    });
    const Verdict first = reloads.wait(reloads.trigger("test"));
    EXPECT_EQ(first.number, 1U);
    EXPECT_EQ(first.run, 1U);
    EXPECT_EQ(first.outcome.result, ReloadResult::applied);
    const Verdict second = reloads.wait(reloads.trigger("test"));
    EXPECT_EQ(second.run, 2U);
    EXPECT_EQ(second.outcome.result, ReloadResult::refused);
    EXPECT_EQ(second.outcome.text, "run 2");
}

TEST(Reloads, OfAThousandTriggersTwoRunAndTheLastContentWins) {
    Gate first_runs;
    std::atomic<int> content{0};
    std::atomic<int> runs{0};
    int seen = -1;
    Reloads reloads([&](const ReloadWish&) {
        seen = content;  // as a reload reads its file first
        if (++runs == 1) {
            first_runs.wait_until_open();
        }
        return ReloadOutcome{ReloadResult::applied, std::to_string(seen)};
    });
    std::vector<std::uint64_t> numbers = {reloads.trigger("test")};
    first_runs.wait_for_visitor();
    for (int i = 1; i < 1000; ++i) {
        content = i;
        numbers.push_back(reloads.trigger("test"));
    }
    first_runs.open();
    int merged = 0;
    for (const std::uint64_t number : numbers) {
        const Verdict verdict = reloads.wait(number);
        EXPECT_EQ(verdict.number, number);
        EXPECT_EQ(verdict.run, number == 1 ? 1U : 2U);
        EXPECT_EQ(verdict.outcome.text, number == 1 ? "0" : "999");
        merged += verdict.run == verdict.number ? 0 : 1;
    }
    EXPECT_EQ(runs, 2);
    EXPECT_EQ(merged, 998);
}

TEST(Reloads, ARollbackTakesItsTurnAndIsNeverMerged) {
    Gate first_runs;
    std::vector<ReloadWish> runs;
    Reloads reloads([&](const ReloadWish& wish) {
        runs.push_back(wish);
        if (runs.size() == 1) {
            first_runs.wait_until_open();
        }
        return ReloadOutcome{ReloadResult::applied, ""};
    });
    constexpr ReloadWish reload;
    constexpr ReloadWish back{ReloadKind::rollback, StateLoss::refused};
    constexpr ReloadWish lossy{ReloadKind::reload, StateLoss::accepted};
    const std::vector<ReloadWish> wanted = {
        reload, reload, reload, back, back, reload, reload, lossy};
    std::vector<std::uint64_t> numbers = {reloads.trigger("test", wanted[0])};
    first_runs.wait_for_visitor();
    for (std::size_t i = 1; i < wanted.size(); ++i) {
        numbers.push_back(reloads.trigger("test", wanted[i]));
    }
    first_runs.open();
    std::vector<std::uint64_t> served;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        const Verdict verdict = reloads.wait(numbers[i]);
        EXPECT_EQ(verdict.wish, wanted[i]);
        served.push_back(verdict.run);
    }
    EXPECT_EQ(served, (std::vector<std::uint64_t>{1, 2, 2, 4, 5, 6, 6, 8}));
    EXPECT_EQ(runs, (std::vector<ReloadWish>{reload, reload, back, back, reload, lossy}));
}

TEST(Reloads, AVerdictIsTakenOnce) {
    Reloads reloads([](const ReloadWish&) { return ReloadOutcome{ReloadResult::no_change, ""}; });
    const std::uint64_t number = reloads.trigger("test");
    EXPECT_EQ(reloads.wait(number).outcome.result, ReloadResult::no_change);
    EXPECT_EQ(reloads.wait(number).outcome.text, "its verdict is no longer known");
    EXPECT_EQ(reloads.wait(77).outcome.result, ReloadResult::refused);
}

}  // namespace
}  // namespace skep::host
