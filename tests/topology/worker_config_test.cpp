#include <cstdint>
#include <string>

#include <gtest/gtest.h>

#include "host/topology/plan.hpp"
#include "host/topology/planning.hpp"

namespace skep::host {
namespace {

TEST(WorkerConfig, ACopySharesItsValuesUntilOneOfThemIsChanged) {
    const WorkerConfig first = {{"limit", ParamValue(std::int64_t{5})}};
    WorkerConfig second = first;
    EXPECT_EQ(second.find("limit"), first.find("limit"));
    second["limit"] = ParamValue(std::int64_t{6});
    EXPECT_EQ(first.at("limit"), ParamValue(std::int64_t{5}));
    EXPECT_EQ(second.at("limit"), ParamValue(std::int64_t{6}));
    EXPECT_FALSE(first == second);
}

TEST(WorkerConfig, IsEqualWhenItsValuesAre) {
    const WorkerConfig first = {{"text", ParamValue(std::string("a"))}};
    const WorkerConfig second = {{"text", ParamValue(std::string("a"))}};
    EXPECT_TRUE(first == second);
    EXPECT_FALSE(first == WorkerConfig());
    EXPECT_TRUE(WorkerConfig() == WorkerConfig());
}

TEST(WorkerConfig, FindsNothingThatIsNotSet) {
    EXPECT_EQ(WorkerConfig().find("text"), nullptr);
    EXPECT_EQ(WorkerConfig().count("text"), 0U);
}

TEST(PlanConfig, KeepsApartWhatMayChangeWhileAnInstanceWorks) {
    ParamInfo fixed;
    fixed.name = "mode";
    fixed.default_value = ParamValue(std::string("fast"));
    ParamInfo reloadable;
    reloadable.name = "limit";
    reloadable.reloadable = true;
    reloadable.default_value = ParamValue(std::int64_t{7});
    WorkerTypeInfo type;
    type.params = {fixed, reloadable};
    const TopologyWorker worker;
    const WorkerConfig mode{{"mode", *fixed.default_value}};
    const WorkerConfig limit{{"limit", *reloadable.default_value}};
    const auto both =
        WorkerConfig{{"mode", *fixed.default_value}, {"limit", *reloadable.default_value}};
    Problems problems("");
    EXPECT_EQ(plan_config(worker, type, problems), std::pair(both, WorkerConfig()))
        << "the type is not told of changes";
    type.can_reconfigure = true;
    EXPECT_EQ(plan_config(worker, type, problems), std::pair(mode, limit));
}

}  // namespace
}  // namespace skep::host
