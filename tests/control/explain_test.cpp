#include "host/control/explain.hpp"

#include <chrono>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace skep::host {
namespace {

using namespace std::chrono_literals;  // NOLINT(google-build-using-namespace): units alone
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// "a" feeds "b" by a route that blocks when 4 wait there.
class Explain : public testing::Test {
protected:
    Explain() {
        add("a");
        add("b");
        plan.workers.resize(2);
        plan.workers[0].name = "a";
        plan.workers[1].name = "b";
        RoutePlan route;
        route.from = "a";
        route.to = "b";
        route.queue = 4;
        plan.routes.push_back(route);
    }

    void add(const std::string& name) {
        WorkerMetrics made;
        made.name = name;
        made.state = WorkerState::running;
        made.checkpoint_age = 10ms;
        host.workers.push_back(made);
    }

    WorkerMetrics& a() { return host.workers[0]; }

    WorkerMetrics& b() { return host.workers[1]; }

    Explanation of(const WorkerMetrics& worker) { return explain(worker, host, plan); }

    HostMetrics host;
    Plan plan;
};

TEST_F(Explain, AReceiverThatIsFullOfBytesHoldsUpItsSenders) {
    a().in.queued = 1;
    b().in.queued = 1;
    EXPECT_THAT(of(a()).waits_for, IsEmpty());
    b().is_full_of_bytes = true;
    EXPECT_THAT(of(a()).why, HasSubstr("waiting for room at a receiver"));
    EXPECT_THAT(of(a()).waits_for, ElementsAre("b"));
}

TEST_F(Explain, EveryStateHasASentence) {
    const std::vector<std::tuple<WorkerState, std::string, std::string>> table = {
        {WorkerState::created, "it was created, but not started", "skep restart a"},
        {WorkerState::loading, "plugin is being opened", ""},
        {WorkerState::starting, "creating the instance; its last checkpoint was 10ms ago", ""},
        {WorkerState::running, "no message waits in its mailbox", ""},
        {WorkerState::pausing, "not reached a checkpoint; its last checkpoint was 10ms", ""},
        {WorkerState::paused, "waits at a checkpoint", "skep resume a"},
        {WorkerState::draining, "finishes its queued messages", ""},
        {WorkerState::stopping, "asked to stop now", ""},
        {WorkerState::stopped, "ended without an error", "skep restart a"},
        {WorkerState::backoff, "waits for its restart", "skep restart a"},
        {WorkerState::failed, "it failed: out of honey", "skep restart a"},
        {WorkerState::lost, "its thread is still inside the plugin", ""},
    };
    ASSERT_EQ(table.size(), worker_state_count);
    for (const auto& [state, why, advice] : table) {
        a().state = state;
        a().error =
            state == WorkerState::failed || state == WorkerState::lost ? "out of honey" : "";
        EXPECT_THAT(of(a()).why, HasSubstr(why)) << name_of(state);
        EXPECT_EQ(of(a()).advice, advice) << name_of(state);
    }
}

TEST_F(Explain, WhatWaitsAtItIsCounted) {
    a().state = WorkerState::paused;
    EXPECT_THAT(of(a()).also, IsEmpty());
    a().in.queued = 1;
    EXPECT_THAT(of(a()).also, Contains("1 message waits in its mailbox"));
}

TEST_F(Explain, AnOldErrorIsTold) {
    a().state = WorkerState::backoff;
    a().error = "out of honey";
    EXPECT_THAT(of(a()).also, ElementsAre("its last error: out of honey"));
}

TEST_F(Explain, ASenderWaitsForTheReceiverThatIsFull) {
    b().state = WorkerState::paused;
    b().in.queued = 3;
    EXPECT_THAT(of(a()).waits_for, IsEmpty());
    b().in.queued = 4;
    const Explanation it = of(a());
    EXPECT_THAT(it.why, HasSubstr("room at a receiver"));
    EXPECT_THAT(it.waits_for, ElementsAre("b"));
    EXPECT_THAT(it.also, ElementsAre("its receiver 'b' is paused, and 4 messages wait there"));
    EXPECT_EQ(it.advice, "skep resume b");
    b().state = WorkerState::running;
    EXPECT_EQ(of(a()).advice, "skep explain b");
}

TEST_F(Explain, NobodyWaitsOnARouteThatDrops) {
    b().in.queued = 4;
    for (const WhenFull when_full : {WhenFull::drop_newest, WhenFull::drop_oldest}) {
        plan.routes[0].when_full = when_full;
        EXPECT_THAT(of(a()).waits_for, IsEmpty());
    }
}

TEST_F(Explain, AWorkerWithoutMessagesWaitsForItsSenders) {
    a().state = WorkerState::failed;
    const Explanation it = of(b());
    EXPECT_THAT(it.why, HasSubstr("no message waits"));
    EXPECT_THAT(it.waits_for, ElementsAre("a"));
    EXPECT_THAT(it.also, ElementsAre("its sender 'a' is failed"));
}

TEST_F(Explain, ACallThatDoesNotComeBackIsNamed) {
    b().call = "on_message";
    b().in.in_flight = 1;
    EXPECT_THAT(of(b()).why, HasSubstr("has messages to work on"));
    b().checkpoint_age = 3100ms;
    for (const WorkerState state : {WorkerState::running,
                                    WorkerState::starting,
                                    WorkerState::pausing,
                                    WorkerState::draining,
                                    WorkerState::stopping}) {
        b().state = state;
        EXPECT_THAT(of(b()).why, HasSubstr("inside 'on_message' of its plugin for 3.1s"));
    }
}

TEST_F(Explain, AWorkerThatDoesNotLookAtItsMessagesIsNotSaidToWorkOnThem) {
    b().in.queued = 1;
    EXPECT_THAT(of(b()).why, HasSubstr("has messages to work on"));
    b().checkpoint_age = 3100ms;
    EXPECT_THAT(of(b()).why, HasSubstr("has not read its messages for 3.1s"));
}

TEST_F(Explain, OfTwoWithOneNameTheLaterCounts) {
    add("b");
    b().in.queued = 4;
    EXPECT_THAT(of(a()).waits_for, IsEmpty());
}

TEST(SpanText, HasTwoUnitsAtMost) {
    EXPECT_EQ(span_text(0ms), "0ms");
    EXPECT_EQ(span_text(999ms), "999ms");
    EXPECT_EQ(span_text(1549ms), "1.5s");
    EXPECT_EQ(span_text(59999ms), "59.9s");
    EXPECT_EQ(span_text(192s), "3m12s");
    EXPECT_EQ(span_text(2h + 3min + 4s), "2h3m");
}

}  // namespace
}  // namespace skep::host
