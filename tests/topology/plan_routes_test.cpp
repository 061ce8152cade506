#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/planned.hpp"

namespace skep::host {
namespace {

// "from -> to spread"
std::vector<std::string> edges(const Plan& plan) {
    std::vector<std::string> result;
    for (const RoutePlan& route : plan.routes)
        result.push_back(route.from + " -> " + route.to + " " + std::to_string(route.spread));
    return result;
}

TEST(PlanRoutes, NamesReplicasByNumberUnlessThereIsOne) {
    const Plan plan = planned(R"(
[worker.one]
plugin = "relay"
replicas = 1
[worker.many]
plugin = "relay"
replicas = 3
)")
                          .plan;
    ASSERT_EQ(plan.workers.size(), 4u);
    EXPECT_EQ(plan.workers[0].name, "one");
    EXPECT_EQ(plan.workers[1].name, "many#0");
    EXPECT_EQ(plan.workers[2].name, "many#1");
    EXPECT_EQ(plan.workers[3].name, "many#2");
}

TEST(PlanRoutes, SpreadsOverReplicasFromEachSenderOnItsOwn) {
    const Plan plan = planned(R"(
[worker.a]
plugin = "relay"
replicas = 2
[worker.b]
plugin = "relay"
replicas = 2
[worker.c]
plugin = "relay"
[[route]]
from = "a"
to = ["b", "c"]
)")
                          .plan;
    EXPECT_EQ(edges(plan),
              (std::vector<std::string>{"a#0 -> b#0 1",
                                        "a#0 -> b#1 1",
                                        "a#1 -> b#0 2",
                                        "a#1 -> b#1 2",
                                        "a#0 -> c 0",
                                        "a#1 -> c 0"}));
}

TEST(PlanRoutes, CopiesToAllReplicasWhenSpreadIsAll) {
    const Plan plan = planned(R"(
[worker.a]
plugin = "relay"
[worker.b]
plugin = "relay"
replicas = 2
[[route]]
from = "a"
to = "b"
spread = "all"
)")
                          .plan;
    EXPECT_EQ(edges(plan), (std::vector<std::string>{"a -> b#0 0", "a -> b#1 0"}));
}

TEST(PlanRoutes, RoutesToOneReplicaByItsName) {
    const Plan plan = planned(R"(
[worker.a]
plugin = "relay"
[worker.b]
plugin = "relay"
replicas = 2
[[route]]
from = "a"
to = "b#1.in"
[[route]]
from = "b#0"
to = "a"
when_full = "drop_newest"
)")
                          .plan;
    EXPECT_EQ(edges(plan), (std::vector<std::string>{"a -> b#1 0", "b#0 -> a 0"}));
}

TEST(PlanRoutes, CarriesTheTypeOfTheEndThatHasOne) {
    const Plan plan = planned(R"(
[worker.tick]
plugin = "ticker"
[worker.relay]
plugin = "relay"
[worker.lines]
plugin = "store"
type = "lines"
[worker.any]
plugin = "sink"
[[route]]
from = "tick"
to = "relay"
[[route]]
from = "relay"
to = ["lines", "any"]
)")
                          .plan;
    ASSERT_EQ(plan.routes.size(), 3u);
    EXPECT_EQ(plan.routes[0].content_type, "text/plain");
    EXPECT_EQ(plan.routes[1].content_type, "text/plain");
    EXPECT_EQ(plan.routes[2].content_type, "*");
}

TEST(PlanRoutes, DoesNotWarnOfACircleThatDropsSomewhere) {
    const Planned result = planned(R"(
[worker.a]
plugin = "relay"
[worker.b]
plugin = "relay"
[[route]]
from = "a"
to = "b"
[[route]]
from = "b"
to = "a"
when_full = "drop_oldest"
)");
    EXPECT_TRUE(result.warnings.empty());
}

TEST(PlanRoutes, DoesNotWarnOfOptionalPorts) {
    EXPECT_TRUE(planned("[worker.a]\nplugin = \"relay\"\n").warnings.empty());
}

}  // namespace
}  // namespace skep::host
