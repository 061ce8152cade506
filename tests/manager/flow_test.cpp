#include "host/manager/flow.hpp"

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace skep::host {
namespace {

Plan plan_of(const std::vector<std::string>& workers,
             const std::vector<std::pair<std::string, std::string>>& routes) {
    Plan plan;
    for (const std::string& name : workers) {
        WorkerPlan worker;
        worker.name = name;
        plan.workers.push_back(worker);
    }
    for (const auto& [from, to] : routes) {
        RoutePlan route;
        route.from = from;
        route.to = to;
        plan.routes.push_back(route);
    }
    return plan;
}

std::size_t place_of(const std::vector<FlowGroup>& groups, const std::string& worker) {
    const auto found = std::find_if(groups.begin(), groups.end(), [&](const FlowGroup& it) {
        return std::count(it.workers.begin(), it.workers.end(), worker) > 0;
    });
    return static_cast<std::size_t>(found - groups.begin());
}

TEST(FlowGroups, ReceiversStandBeforeTheirSenders) {
    const auto groups = flow_groups(plan_of({"a", "b", "c"}, {{"a", "b"}, {"b", "c"}, {"a", "c"}}));
    ASSERT_EQ(groups.size(), 3U);
    EXPECT_LT(place_of(groups, "c"), place_of(groups, "b"));
    EXPECT_LT(place_of(groups, "b"), place_of(groups, "a"));
}

TEST(FlowGroups, AGroupKnowsWhoFeedsItOnceEach) {
    const auto groups = flow_groups(plan_of({"a", "b"}, {{"a", "b"}, {"a", "b"}}));
    EXPECT_EQ(groups[place_of(groups, "b")].upstream,
              std::vector<std::size_t>{place_of(groups, "a")});
    EXPECT_TRUE(groups[place_of(groups, "a")].upstream.empty());
}

TEST(FlowGroups, WorkersThatFeedEachOtherAreOneGroup) {
    const auto groups = flow_groups(
        plan_of({"a", "b", "c", "d"}, {{"a", "b"}, {"b", "c"}, {"c", "b"}, {"c", "d"}}));
    ASSERT_EQ(groups.size(), 3U);
    EXPECT_EQ(place_of(groups, "b"), place_of(groups, "c"));
    EXPECT_TRUE(groups[place_of(groups, "b")].is_cycle);
    EXPECT_FALSE(groups[place_of(groups, "a")].is_cycle);
    EXPECT_EQ(groups[place_of(groups, "b")].upstream,
              std::vector<std::size_t>{place_of(groups, "a")});
}

TEST(FlowGroups, AWorkerThatFeedsItselfIsACycle) {
    const auto groups = flow_groups(plan_of({"a"}, {{"a", "a"}}));
    ASSERT_EQ(groups.size(), 1U);
    EXPECT_TRUE(groups[0].is_cycle);
    EXPECT_TRUE(groups[0].upstream.empty());
}

TEST(FlowGroups, AChainOfAHundredThousandDoesNotOverflowTheStack) {
    std::vector<std::string> names;
    std::vector<std::pair<std::string, std::string>> routes;
    for (int i = 0; i < 100'000; ++i) {
        names.push_back("w" + std::to_string(i));
        if (i > 0) {
            routes.emplace_back(names[names.size() - 2], names.back());
        }
    }
    const auto groups = flow_groups(plan_of(names, routes));
    ASSERT_EQ(groups.size(), 100'000U);
    EXPECT_EQ(groups.front().workers.front(), "w99999");
}

TEST(JoinedTo, AreThoseThatRoutesReachThroughEachOtherWhicheverWayTheyLead) {
    const std::vector<RoutePlan> routes =
        plan_of({}, {{"a", "b"}, {"c", "b"}, {"c", "d"}, {"d", "e"}, {"f", "g"}}).routes;
    const std::set<std::string> all = {"a", "b", "c", "d", "e", "f", "g", "alone"};
    EXPECT_EQ(joined_to("a", all, routes), (std::set<std::string>{"b", "c", "d", "e"}));
    EXPECT_EQ(joined_to("g", all, routes), std::set<std::string>{"f"});
    EXPECT_EQ(joined_to("alone", all, routes), std::set<std::string>{});
    EXPECT_EQ(joined_to("a", {"a", "b", "d"}, routes), std::set<std::string>{"b"})
        << "not through others";
}

TEST(FlowGroups, NoWorkersAreNoGroups) {
    EXPECT_TRUE(flow_groups(Plan{}).empty());
}

}  // namespace
}  // namespace skep::host
