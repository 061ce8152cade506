#include "host/topology/diff.hpp"

#include <chrono>
#include <functional>

#include <gtest/gtest.h>

namespace skep::host {
namespace {

using Names = std::vector<std::string>;

WorkerPlan worker(std::string name) {
    WorkerPlan plan;
    plan.name = std::move(name);
    plan.plugin_path = "/plugins/relay.so";
    plan.type = "relay";
    plan.config = {{"limit", ParamValue(std::int64_t{5})}};
    return plan;
}

RoutePlan route(std::string from, std::string to) {
    RoutePlan plan;
    plan.from = std::move(from);
    plan.to = std::move(to);
    return plan;
}

Plan two_workers() {
    Plan plan;
    plan.workers = {worker("b"), worker("a")};
    plan.routes = {route("b", "a")};
    return plan;
}

TEST(Diff, IsEmptyBetweenEqualPlans) {
    EXPECT_TRUE(diff(Plan{}, Plan{}).empty());
    EXPECT_TRUE(diff(two_workers(), two_workers()).empty());
}

TEST(Diff, FromTheEmptyPlanAddsAllInTheirOrder) {
    const Changes changes = diff(Plan{}, two_workers());
    EXPECT_EQ(changes, (Changes{Names{"b", "a"}, {}, {}, true, false}));
    EXPECT_FALSE(changes.empty());
}

TEST(Diff, ToTheEmptyPlanRemovesAllInTheirOrder) {
    EXPECT_EQ(diff(two_workers(), Plan{}), (Changes{{}, Names{"b", "a"}, {}, true, false}));
}

TEST(Diff, SwapsAWorkerWhoseConfigDiffers) {
    Plan next = two_workers();
    next.workers[1].config["limit"] = ParamValue(std::int64_t{6});
    EXPECT_EQ(diff(two_workers(), next), (Changes{{}, {}, Names{"a"}, false, false}));
}

TEST(Diff, ReconfiguresAWorkerOfWhichOnlyLiveParametersDiffer) {
    Plan next = two_workers();
    next.workers[1].live["limit"] = ParamValue(std::int64_t{6});
    Changes expected;
    expected.to_reconfigure = {"a"};
    EXPECT_EQ(diff(two_workers(), next), expected);
    next.workers[1].config["mode"] = ParamValue(std::string("fast"));
    expected = {};
    expected.to_swap = {"a"};
    EXPECT_EQ(diff(two_workers(), next), expected) << "its successor has both";
}

// The first worker, changed so.
Changes changed(const std::function<void(WorkerPlan&)>& change) {
    Plan next = two_workers();
    change(next.workers[0]);
    return diff(two_workers(), next);
}

TEST(Diff, SwapsAWorkerWhosePluginOrTypeDiffers) {
    const Changes swap = {{}, {}, Names{"b"}, false, false};
    EXPECT_EQ(changed([](WorkerPlan& plan) { plan.plugin_path = "/other.so"; }), swap);
    EXPECT_EQ(changed([](WorkerPlan& plan) { plan.plugin_content = "6f"; }), swap);
    EXPECT_EQ(changed([](WorkerPlan& plan) { plan.type = "other"; }), swap);
}

TEST(Diff, SwapsAWorkerThatIsPlacedElsewhere) {
    const Changes swap = {{}, {}, Names{"b"}, false, false};
    EXPECT_EQ(changed([](WorkerPlan& plan) { plan.run.pool = "light"; }), swap);
    EXPECT_EQ(changed([](WorkerPlan& plan) { plan.run.core_group = 1; }), swap);
    EXPECT_EQ(changed([](WorkerPlan& plan) { plan.run.placement.cpus = {1}; }), swap);
    EXPECT_EQ(changed([](WorkerPlan& plan) { plan.run.placement.nice = 1; }), swap);
}

TEST(Diff, TellsSettingsThatChangeInPlace) {
    const Changes settings = {{}, {}, {}, false, true};
    EXPECT_EQ(changed([](WorkerPlan& plan) { plan.mailbox = 1; }), settings);
    EXPECT_EQ(changed([](WorkerPlan& plan) { plan.queue_bytes = 1; }), settings);
    EXPECT_EQ(changed([](WorkerPlan& plan) { plan.on_failure = OnFailure::isolate; }), settings);
    EXPECT_EQ(changed([](WorkerPlan& plan) { plan.reload = OnReload::never; }), settings);
    for (const auto span :
         {&WorkerPlan::quiesce, &WorkerPlan::probation, &WorkerPlan::stop_grace}) {
        EXPECT_EQ(changed([&](WorkerPlan& plan) { plan.*span = std::chrono::seconds(1); }),
                  settings);
    }
    Plan next = two_workers();
    next.stop_grace = std::chrono::seconds(1);
    EXPECT_EQ(diff(two_workers(), next), settings);
    next = two_workers();
    next.watch = true;
    EXPECT_EQ(diff(two_workers(), next), settings);
}

TEST(Veto, IsThatOfAWorkerThatDiffersAndShallNot) {
    Plan current = two_workers();
    current.workers[1].reload = OnReload::never;
    const std::string name = current.workers[1].name;
    const std::string refusal = "cannot change worker '" + name +
                                "': it has reload = \"never\"; set reload = \"swap\" in a "
                                "separate reload first";
    EXPECT_EQ(veto(current, {{}, {}, {name}}), refusal);
    Changes reconfigures;
    reconfigures.to_reconfigure = {name};
    EXPECT_EQ(veto(current, reconfigures), refusal);
    EXPECT_EQ(veto(current, {{}, {}, {current.workers[0].name}}), std::nullopt);
    EXPECT_EQ(veto(current, {{}, {name}, {}}), std::nullopt) << "it is removed";
}

TEST(Diff, TellsThatTheScheduleDiffers) {
    Plan next = two_workers();
    next.schedule.emplace_back();
    EXPECT_EQ(diff(two_workers(), next), (Changes{{}, {}, {}, false, false, true}));
}

TEST(Diff, SwapsTheWorkersOfAPoolThatDiffers) {
    Plan plan = two_workers();
    plan.pools = {{"light", 1, {}}, {"heavy", 2, {}}};
    plan.workers[0].run.pool = "light";
    plan.workers[1].run.pool = "heavy";
    Plan next = plan;
    EXPECT_TRUE(diff(plan, next).empty());
    next.pools[0].threads = 3;
    EXPECT_EQ(diff(plan, next), (Changes{{}, {}, Names{"b"}, false, false}));
    next.pools[1].placement.nice = 1;
    EXPECT_EQ(diff(plan, next), (Changes{{}, {}, Names{"b", "a"}, false, false}));
}

TEST(Diff, IgnoresTheOrderOfPools) {
    Plan plan = two_workers();
    plan.pools = {{"light", 1, {}}, {"heavy", 2, {}}};
    plan.workers[0].run.pool = "light";
    Plan next = plan;
    std::swap(next.pools[0], next.pools[1]);
    EXPECT_TRUE(diff(plan, next).empty());
}

TEST(Diff, RewiringTouchesNoWorker) {
    Plan next = two_workers();
    next.routes[0].when_full = WhenFull::drop_oldest;
    EXPECT_EQ(diff(two_workers(), next), (Changes{{}, {}, {}, true, false}));
    next.routes.clear();
    EXPECT_EQ(diff(two_workers(), next), (Changes{{}, {}, {}, true, false}));
}

TEST(Diff, AddsAndRemovesAroundAWorkerThatStays) {
    Plan next = two_workers();
    next.workers = {worker("c"), worker("a")};
    next.routes = {};
    EXPECT_EQ(diff(two_workers(), next), (Changes{Names{"c"}, Names{"b"}, {}, true, false}));
}

TEST(Diff, IgnoresTheOrderOfWorkers) {
    Plan next = two_workers();
    std::swap(next.workers[0], next.workers[1]);
    EXPECT_TRUE(diff(two_workers(), next).empty());
}

}  // namespace
}  // namespace skep::host
