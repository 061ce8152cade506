#include "host/daemon/reloads.hpp"

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/scripted.hpp"

namespace skep::host {
namespace {

using test::Gate;

TEST(Reloads, GiveEachTriggerAVerdict) {
    int runs = 0;
    Reloads reloads([&](const ReloadRequest&) {
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
    Reloads reloads([&](const ReloadRequest&) {
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
    std::vector<ReloadRequest> runs;
    Reloads reloads([&](const ReloadRequest& request) {
        runs.push_back(request);
        if (runs.size() == 1) {
            first_runs.wait_until_open();
        }
        return ReloadOutcome{ReloadResult::applied, ""};
    });
    constexpr ReloadRequest reload;
    constexpr ReloadRequest back{ReloadKind::rollback, StateLoss::refused};
    constexpr ReloadRequest lossy{ReloadKind::reload, StateLoss::accepted};
    const std::vector<ReloadRequest> wanted = {
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
        EXPECT_EQ(verdict.request, wanted[i]);
        served.push_back(verdict.run);
    }
    EXPECT_EQ(served, (std::vector<std::uint64_t>{1, 2, 2, 4, 5, 6, 6, 8}));
    EXPECT_EQ(runs, (std::vector<ReloadRequest>{reload, reload, back, back, reload, lossy}));
}

// What a run of these puts on probation is "w", as generation 2.
class ReloadsOnProbation : public testing::Test {
protected:
    Verdict final_verdict(std::uint64_t number) {
        for (;;) {
            const std::optional<Verdict> verdict = reloads.look(number);
            if (!verdict || verdict->is_final) {
                EXPECT_TRUE(verdict);
                return verdict.value_or(Verdict{});
            }
            std::this_thread::yield();
        }
    }

    const std::shared_ptr<Probations> probations = std::make_shared<Probations>();
    std::atomic<int> told{0};
    Reloads reloads{[this](const ReloadRequest&) {
                        probations->swapped("w", 2);
                        return ReloadOutcome{ReloadResult::applied, "swap w"};
                    },
                    [this](const Verdict&, const std::string&) { ++told; },
                    probations};
};

TEST_F(ReloadsOnProbation, AreInForceBeforeTheirVerdictIsFinal) {
    const std::uint64_t number = reloads.trigger("test");
    const Verdict in_force = reloads.wait(number);
    EXPECT_EQ(in_force.outcome.result, ReloadResult::applied);
    EXPECT_FALSE(in_force.is_final);
    EXPECT_EQ(told, 0) << "the audit log has the final verdict alone";
    probations->settled("other", 2);
    probations->settled("w", 1);
    EXPECT_FALSE(reloads.look(number)->is_final);
    probations->settled("w", 2);
    EXPECT_EQ(final_verdict(number).outcome.result, ReloadResult::applied);
    EXPECT_EQ(told, 1);
    EXPECT_FALSE(reloads.look(number)) << "it is forgotten then";
}

TEST_F(ReloadsOnProbation, AreRolledBackWithTheReason) {
    const std::uint64_t number = reloads.trigger("test");
    (void)reloads.wait(number);
    probations->reverted({"w", 2, 1, 7, "no more bees"});
    const Verdict verdict = final_verdict(number);
    EXPECT_EQ(verdict.outcome.result, ReloadResult::rolled_back);
    EXPECT_EQ(verdict.outcome.text,
              "swap w; w@2 failed after 7 messages, w@1 is back: no more bees");
}

TEST_F(ReloadsOnProbation, AreCutShortByTheNextTrigger) {
    const std::uint64_t first = reloads.trigger("test");
    (void)reloads.wait(first);
    const std::uint64_t second = reloads.trigger("test");
    EXPECT_EQ(final_verdict(first).outcome.result, ReloadResult::applied);
    EXPECT_FALSE(reloads.wait(second).is_final);
    probations->reverted({"w", 1, 0, 7, "of the run before"});
    probations->settled("w", 2);
    EXPECT_EQ(final_verdict(second).outcome.result, ReloadResult::applied);
}

TEST(Reloads, AreNotHeldUpByAProbationAtTheEnd) {
    const auto probations = std::make_shared<Probations>();
    std::string told;
    {
        Reloads reloads(
            [&](const ReloadRequest&) {
                probations->swapped("w", 2);
                return ReloadOutcome{ReloadResult::applied, ""};
            },
            [&](const Verdict& verdict, const std::string&) {
                told = name_of(verdict.outcome.result);
            },
            probations);
        (void)reloads.wait(reloads.trigger("test"));
    }
    EXPECT_EQ(told, "applied");
}

TEST(Reloads, AVerdictIsTakenOnce) {
    Reloads reloads([](const ReloadRequest&) {
        return ReloadOutcome{ReloadResult::no_change, ""};
    });
    const std::uint64_t number = reloads.trigger("test");
    EXPECT_EQ(reloads.wait(number).outcome.result, ReloadResult::no_change);
    EXPECT_EQ(reloads.wait(number).outcome.text, "its verdict is no longer known");
    EXPECT_EQ(reloads.wait(77).outcome.result, ReloadResult::refused);
}

}  // namespace
}  // namespace skep::host
