#include <cstdint>
#include <string>

#include <gtest/gtest.h>

#include "host/topology/plan.hpp"

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

}  // namespace
}  // namespace skep::host
