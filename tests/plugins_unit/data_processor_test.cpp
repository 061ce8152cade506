#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fake_host.hpp"

namespace skep::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(DataProcessor, WaitsForAMessageThenWorksThenCounts) {
    FakeHost host("data_processor", {{"poll", "30ms"}, {"work", "70ms"}});
    host.script.assign(2, [] {});
    ASSERT_EQ(host.create(), SKEP_OK);
    EXPECT_EQ(host.run(), SKEP_OK);
    EXPECT_EQ(host.items, 1u);
    EXPECT_THAT(host.sleeps, ElementsAre(70 * ms));
    EXPECT_EQ(host.now, (30 + 70 + 30) * ms);
}

TEST(DataProcessor, LogsEveryTenItems) {
    FakeHost host("data_processor", {{"data_source", "data_source_1"}});
    host.script.assign(50, [] {});
    ASSERT_EQ(host.create(), SKEP_OK);
    EXPECT_EQ(host.run(), SKEP_OK);
    EXPECT_EQ(host.items, 25u);
    EXPECT_THAT(host.log_texts(SKEP_LOG_INFO),
                ElementsAre("processed 10 items from data_source_1",
                            "processed 20 items from data_source_1"));
}

TEST(DataProcessor, EndsAtAShutdownMessageAndIgnoresOthers) {
    FakeHost host("data_processor");
    host.inbox = {"hello", "shutdown", "never seen"};
    host.script.assign(9, [] {});
    ASSERT_EQ(host.create(), SKEP_OK);
    EXPECT_EQ(host.run(), SKEP_OK);
    EXPECT_EQ(host.items, 1u);
    EXPECT_EQ(host.inbox.size(), 1u);
}

TEST(DataProcessor, StopsAtItsCheckpointAndWithinItsWork) {
    FakeHost told("data_processor");
    told.control = 1;
    ASSERT_EQ(told.create(), SKEP_OK);
    EXPECT_EQ(told.run(), SKEP_OK);
    EXPECT_EQ(told.items, 0u);
    EXPECT_EQ(told.now, 0);

    FakeHost working("data_processor");
    working.script.assign(1, [] {});
    ASSERT_EQ(working.create(), SKEP_OK);
    EXPECT_EQ(working.run(), SKEP_OK);
    EXPECT_EQ(working.items, 0u) << "work that was cut short is not done";
}

}  // namespace
}  // namespace skep::test
