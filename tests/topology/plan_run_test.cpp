// What a file says of threads: run, pools and shared cores.
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "host/topology/diff.hpp"
#include "tests/support/planned.hpp"

namespace skep::host {
namespace {

// Relays of these names, each with what its table says besides.
std::string relays(const std::map<std::string, std::string>& workers) {
    std::string text;
    for (const auto& [name, keys] : workers)
        text += "[worker." + name + "]\nplugin = \"relay\"\n" + keys + "\n";
    return text;
}

std::string shared_route(const std::string& from, const std::string& to) {
    return "[[route]]\nfrom = \"" + from + "\"\nto = \"" + to +
           "\"\nwhen_full = \"drop_newest\"\nshare_core = true\n";
}

// "name cpus group", for each worker.
std::vector<std::string> cores(const Plan& plan) {
    std::vector<std::string> result;
    for (const WorkerPlan& worker : plan.workers) {
        std::string cpus;
        for (const int cpu : worker.run.placement.cpus)
            cpus += (cpus.empty() ? "" : ",") + std::to_string(cpu);
        result.push_back(worker.name + " [" + cpus + "] " + std::to_string(worker.run.core_group));
    }
    return result;
}

using Cores = std::vector<std::string>;

TEST(PlanRun, GivesAWorkerAThreadOfItsOwnUnlessToldOtherwise) {
    const Plan plan = planned(relays({{"a", ""}, {"b", "run = {}"}})).plan;
    EXPECT_EQ(plan.workers.at(0).run, RunPlan{});
    EXPECT_EQ(plan.workers.at(1).run, RunPlan{});
    EXPECT_EQ(plan.workers.at(0).run.pool, "");
    EXPECT_TRUE(plan.pools.empty());
}

TEST(PlanRun, TakesThePlacementOfEveryReplica) {
    const Plan plan = planned(relays({
                                  {"a",
                                   "replicas = 2\n"
                                   "run = { cpus = [3, \"${FIVE}\"], nice = -5, "
                                   "policy = \"batch\" }"},
                                  {"b", "run = { policy = \"fifo\", priority = 99 }"},
                                  {"c", "[worker.c.run]\npolicy = \"rr\"\npriority = 1"},
                                  {"d", "run.policy = \"idle\""},
                                  {"e", "run = { policy = \"other\", nice = 19 }"},
                              }))
                          .plan;
    using Policy = SchedulingPolicy;
    ASSERT_EQ(plan.workers.size(), 6u);
    const Placement both{{3, 5}, -5, Policy::batch, 0};
    EXPECT_EQ(plan.workers[0].run, (RunPlan{"", both, 0}));
    EXPECT_EQ(plan.workers[1].run, (RunPlan{"", both, 0}));
    EXPECT_EQ(plan.workers[2].run.placement, (Placement{{}, 0, Policy::fifo, 99}));
    EXPECT_EQ(plan.workers[3].run.placement, (Placement{{}, 0, Policy::rr, 1}));
    EXPECT_EQ(plan.workers[4].run.placement, (Placement{{}, 0, Policy::idle, 0}));
    EXPECT_EQ(plan.workers[5].run.placement, (Placement{{}, 19, Policy::other, 0}));
}

TEST(PlanRun, PutsHandlersOnPools) {
    const Planned result = planned(relays({{"a", "run = { pool = \"light\" }"},
                                           {"b", "replicas = 2\nrun = { pool = \"heavy\" }"},
                                           {"c", "run.pool = \"any\""}}) +
                                   R"(
[pool.light]
threads = 2
cpus = [1, 0, 4]
nice = 5
[pool.heavy]
cpus = [2, 3]
[pool.any]
)");
    EXPECT_TRUE(result.warnings.empty());
    const Plan& plan = result.plan;
    ASSERT_EQ(plan.workers.size(), 4u);
    EXPECT_EQ(plan.workers[0].run, (RunPlan{"light", {}, 0}));
    EXPECT_EQ(plan.workers[1].run, (RunPlan{"heavy", {}, 0}));
    EXPECT_EQ(plan.workers[2].run, (RunPlan{"heavy", {}, 0}));
    EXPECT_EQ(plan.workers[3].run, (RunPlan{"any", {}, 0}));
    const Placement light{{1, 0, 4}, 5, SchedulingPolicy::other, 0};
    const Placement heavy{{2, 3}, 0, SchedulingPolicy::other, 0};
    EXPECT_EQ(plan.pools,
              (std::vector<PoolPlan>{{"light", 2, light}, {"heavy", 2, heavy}, {"any", 0, {}}}));
    EXPECT_EQ(plan.find_pool("heavy"), &plan.pools[1]);
    EXPECT_EQ(plan.find_pool("heav"), nullptr);
}

TEST(PlanRun, RefusesNothingWithoutLimits) {
    const Planned result = planned(relays({{"a", "run = { cpus = [8191], nice = -20 }"},
                                           {"b", "run = { policy = \"rr\", priority = 99 }"},
                                           {"c", "run.pool = \"light\""}}) +
                                   "[pool.light]\ncpus = [5]\nnice = -20\n");
    EXPECT_TRUE(result.warnings.empty());
}

TEST(ShareCore, LeavesTheChoiceOfTheCpuToTheStart) {
    const Plan plan =
        planned(relays({{"a", ""}, {"b", "run.nice = 3"}, {"c", ""}}) + shared_route("a", "b"))
            .plan;
    EXPECT_EQ(cores(plan), (Cores{"a [] 1", "b [] 1", "c [] 0"}));
    EXPECT_EQ(plan.workers.at(1).run.placement.nice, 3);
}

TEST(ShareCore, FalseSharesNothing) {
    const Plan plan = planned(relays({{"a", ""}, {"b", ""}}) +
                              "[[route]]\nfrom = \"a\"\nto = \"b\"\nshare_core = false\n")
                          .plan;
    EXPECT_EQ(cores(plan), (Cores{"a [] 0", "b [] 0"}));
}

TEST(ShareCore, JoinsWorkersThroughOthers) {
    const std::string workers =
        relays({{"a", ""}, {"b", ""}, {"c", ""}, {"d", ""}, {"e", ""}, {"f", ""}});
    const Plan plan = planned(workers + shared_route("e", "d") + shared_route("a", "b") +
                              shared_route("f", "f") + shared_route("c", "b"))
                          .plan;
    EXPECT_EQ(cores(plan), (Cores{"a [] 1", "b [] 1", "c [] 1", "d [] 2", "e [] 2", "f [] 0"}));
}

TEST(ShareCore, TakesTheFirstCpuThatAWorkerOfTheGroupNames) {
    const Plan plan = planned(relays({{"a", ""}, {"b", "run.cpus = [4, 2]"}, {"c", ""}}) +
                              shared_route("a", "b") + shared_route("b", "c"))
                          .plan;
    EXPECT_EQ(cores(plan), (Cores{"a [4] 0", "b [4] 0", "c [4] 0"}));
}

TEST(ShareCore, TakesACpuThatAllWhoNameAnyHaveInCommon) {
    const Plan plan =
        planned(relays({{"a", "run.cpus = [4, 2, 1]"}, {"b", ""}, {"c", "run.cpus = [1, 2, 5]"}}) +
                shared_route("a", "b") + shared_route("b", "c"))
            .plan;
    EXPECT_EQ(cores(plan), (Cores{"a [2] 0", "b [2] 0", "c [2] 0"}));
}

TEST(ShareCore, JoinsAllReplicasOrThoseThatAreNamed) {
    const std::string workers = relays({{"a", "replicas = 2"}, {"b", "replicas = 2"}});
    EXPECT_EQ(cores(planned(workers + shared_route("a", "b")).plan),
              (Cores{"a#0 [] 1", "a#1 [] 1", "b#0 [] 1", "b#1 [] 1"}));
    EXPECT_EQ(
        cores(planned(workers + shared_route("a#0", "b#0") + shared_route("a#1", "b#1")).plan),
        (Cores{"a#0 [] 1", "a#1 [] 2", "b#0 [] 1", "b#1 [] 2"}));
}

TEST(ShareCore, WhenTakenAwayChangesTheWorkers) {
    const std::string workers = relays({{"a", ""}, {"b", ""}, {"c", ""}});
    const std::string plain = "[[route]]\nfrom = \"a\"\nto = \"b\"\nwhen_full = \"drop_newest\"\n";
    const Plan apart = planned(workers + plain).plan;
    const Plan together = planned(workers + shared_route("a", "b")).plan;
    EXPECT_EQ(diff(apart, together), (Changes{{}, {}, {"a", "b"}, {}, false, false}));
}

}  // namespace
}  // namespace skep::host
