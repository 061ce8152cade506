#include "host/daemon/trigger_queue.hpp"

#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace skep::host::trigger_queue_test {
namespace {

using testing::ElementsAre;

// The test is the thread that runs the reloads, too.
class TriggerQueue : public testing::Test {
protected:
    std::uint64_t push(const ReloadRequest& request = {}) { return queue.push("test", request); }

    // Runs the next reload: it ends with this result and text.
    void run(ReloadResult result = ReloadResult::applied, const std::string& text = "") {
        std::optional<Verdict> next = queue.next();
        ASSERT_TRUE(next);
        next->result = result;
        next->text = text;
        next->is_final = true;
        queue.publish(*next);
    }

    host::TriggerQueue queue;
};

TEST_F(TriggerQueue, GivesEachTriggerAVerdict) {
    const std::uint64_t one = push();
    run(ReloadResult::applied, "run 1");
    const Verdict first = queue.wait(one);
    EXPECT_EQ(first.number, 1U);
    EXPECT_EQ(first.run, 1U);
    EXPECT_EQ(first.result, ReloadResult::applied);
    const std::uint64_t two = push();
    run(ReloadResult::refused, "run 2");
    const Verdict second = queue.wait(two);
    EXPECT_EQ(second.run, 2U);
    EXPECT_EQ(second.result, ReloadResult::refused);
    EXPECT_EQ(second.text, "run 2");
}

TEST_F(TriggerQueue, WakesWhoWaitsForAVerdictAndTheThreadThatRuns) {
    std::thread runs([this] { run(ReloadResult::applied, "done"); });
    EXPECT_EQ(queue.wait(push()).text, "done");
    runs.join();
}

TEST_F(TriggerQueue, OfAThousandTriggersTwoRun) {
    std::vector<std::uint64_t> numbers = {push()};
    std::optional<Verdict> first = queue.next();
    ASSERT_TRUE(first);
    for (int i = 1; i < 1000; ++i) {
        numbers.push_back(push());
    }
    first->text = "first";
    first->is_final = true;
    queue.publish(*first);
    EXPECT_TRUE(queue.has_next());
    run(ReloadResult::applied, "second");
    EXPECT_FALSE(queue.has_next());
    int merged = 0;
    for (const std::uint64_t number : numbers) {
        const Verdict verdict = queue.wait(number);
        EXPECT_EQ(verdict.number, number);
        EXPECT_EQ(verdict.run, number == 1 ? 1U : 2U);
        EXPECT_EQ(verdict.text, number == 1 ? "first" : "second");
        merged += verdict.run == verdict.number ? 0 : 1;
    }
    EXPECT_EQ(merged, 998);
}

TEST_F(TriggerQueue, ServesARollbackInItsTurnAndMergesItNever) {
    constexpr ReloadRequest reload;
    constexpr ReloadRequest back{ReloadKind::rollback, StateLoss::refused};
    constexpr ReloadRequest lossy{ReloadKind::reload, StateLoss::accepted};
    std::vector<std::uint64_t> numbers = {push(reload)};
    run();
    const std::vector<ReloadRequest> later = {reload, reload, back, back, reload, reload, lossy};
    for (const ReloadRequest& request : later) {
        numbers.push_back(push(request));
    }
    std::vector<ReloadRequest> runs;
    while (queue.has_next()) {
        std::optional<Verdict> next = queue.next();
        ASSERT_TRUE(next);
        runs.push_back(next->request);
        next->is_final = true;
        queue.publish(*next);
    }
    EXPECT_EQ(runs, (std::vector<ReloadRequest>{reload, back, back, reload, lossy}));
    std::vector<std::uint64_t> served;
    for (const std::uint64_t number : numbers) {
        const Verdict verdict = queue.wait(number);
        EXPECT_EQ(verdict.request, number == 1 ? reload : later[number - 2]);
        served.push_back(verdict.run);
    }
    EXPECT_THAT(served, ElementsAre(1, 2, 2, 4, 5, 6, 6, 8));
}

TEST_F(TriggerQueue, HasAVerdictPerTriggerForTheAuditLog) {
    (void)queue.push("first", {});
    (void)queue.push("merged", {});
    (void)queue.push("apart", {ReloadKind::rollback, StateLoss::refused});
    std::optional<Verdict> run = queue.next();
    ASSERT_TRUE(run);
    run->text = "swap w";
    const std::vector<Verdict> all = queue.of_each_trigger(*run);
    ASSERT_EQ(all.size(), 2U);
    EXPECT_EQ(all[0].who, "first");
    EXPECT_EQ(all[1].who, "merged");
    EXPECT_EQ(all[1].number, 2U);
    EXPECT_EQ(all[1].run, 1U);
    EXPECT_EQ(all[1].text, "swap w");
}

TEST_F(TriggerQueue, AVerdictOfAPlanOnProbationIsNotFinal) {
    const std::uint64_t number = push();
    std::optional<Verdict> verdict = queue.next();
    ASSERT_TRUE(verdict);
    EXPECT_FALSE(queue.look(number)->is_final);
    verdict->result = ReloadResult::applied;
    queue.publish(*verdict);
    EXPECT_EQ(queue.wait(number).result, ReloadResult::applied);
    EXPECT_FALSE(queue.look(number)->is_final);
    verdict->result = ReloadResult::rolled_back;
    verdict->is_final = true;
    queue.publish(*verdict);
    EXPECT_EQ(queue.look(number)->result, ReloadResult::rolled_back);
    EXPECT_FALSE(queue.look(number)) << "it is forgotten then";
}

TEST_F(TriggerQueue, AVerdictIsTakenOnce) {
    const std::uint64_t number = push();
    run(ReloadResult::no_change);
    EXPECT_EQ(queue.wait(number).result, ReloadResult::no_change);
    EXPECT_EQ(queue.wait(number).text, "its verdict is no longer known");
    EXPECT_EQ(queue.wait(77).result, ReloadResult::refused);
}

TEST_F(TriggerQueue, ForgetsTheVerdictsThatNobodyAskedFor) {
    for (int i = 0; i < 101; ++i) {
        (void)push();
        run();
    }
    EXPECT_FALSE(queue.look(1));
    EXPECT_TRUE(queue.look(2));
}

TEST_F(TriggerQueue, ReturnsWhatWaitsAfterItWasClosedAndRefusesWhatComesLater) {
    const std::uint64_t waits = push();
    queue.close();
    EXPECT_TRUE(queue.is_closed());
    EXPECT_TRUE(queue.has_next());
    EXPECT_FALSE(queue.wait_for_end(Nanos(0)));
    run(ReloadResult::refused, "of the thread");
    EXPECT_EQ(queue.wait(waits).text, "of the thread");
    EXPECT_FALSE(queue.next());
    EXPECT_TRUE(queue.wait_for_end(Nanos(0)));
    const Verdict late = queue.wait(push());
    EXPECT_EQ(late.result, ReloadResult::refused);
    EXPECT_EQ(late.text, "the host is ending");
    EXPECT_TRUE(late.is_final);
}

}  // namespace
}  // namespace skep::host::trigger_queue_test
