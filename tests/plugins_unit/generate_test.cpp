#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fake_host.hpp"

namespace skep::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(Generate, EmitsAsManyAsItIsToldInBatchesAndEnds) {
    FakeHost host("generate", {{"count", "1000"}, {"payload", "line"}});
    ASSERT_EQ(host.create(), SKEP_OK);
    EXPECT_EQ(host.run(), SKEP_OK);
    const std::vector<std::string> texts = host.texts();
    ASSERT_EQ(texts.size(), 1000u);
    for (std::size_t i = 0; i < texts.size(); ++i) {
        ASSERT_EQ(texts[i], "line " + std::to_string(i + 1));
    }
    EXPECT_EQ(host.items, 1000u);
    EXPECT_EQ(host.emit_calls, 4u);
    EXPECT_THAT(host.sleeps, IsEmpty());
}

TEST(Generate, SleepsBetweenTwoButNotAfterTheLast) {
    FakeHost host("generate", {{"count", "3"}, {"interval", "1s"}});
    host.script.assign(2, [] {});
    ASSERT_EQ(host.create(), SKEP_OK);
    EXPECT_EQ(host.run(), SKEP_OK);
    EXPECT_THAT(host.texts(), ElementsAre("message 1", "message 2", "message 3"));
    EXPECT_THAT(host.sleeps, ElementsAre(s, s));
}

TEST(Generate, WithoutACountGoesOnUntilItIsToldToStop) {
    FakeHost host("generate");
    host.takes = 10'000;
    ASSERT_EQ(host.create(), SKEP_OK);
    EXPECT_EQ(host.run(), SKEP_OK);
    EXPECT_EQ(host.texts().size(), 10'000u);
    EXPECT_EQ(host.texts().back(), "message 10000");
    EXPECT_EQ(host.items, 10'000u);
}

TEST(Generate, StopsAtItsCheckpointAndWithinItsSleep) {
    FakeHost told("generate");
    told.control = 1;
    ASSERT_EQ(told.create(), SKEP_OK);
    EXPECT_EQ(told.run(), SKEP_OK);
    EXPECT_THAT(told.texts(), IsEmpty());

    FakeHost sleeping("generate", {{"interval", "1s"}});
    ASSERT_EQ(sleeping.create(), SKEP_OK);
    EXPECT_EQ(sleeping.run(), SKEP_OK);
    EXPECT_THAT(sleeping.texts(), ElementsAre("message 1"));
}

TEST(Generate, EndsWhenNobodyTakesItsMessages) {
    FakeHost host("generate", {{"count", "3"}});
    host.refuses[0] = SKEP_E_NO_ROUTE;
    ASSERT_EQ(host.create(), SKEP_OK);
    EXPECT_EQ(host.run(), SKEP_OK);
    EXPECT_EQ(host.emit_calls, 3u);
    EXPECT_EQ(host.items, 0u);
}

}  // namespace
}  // namespace skep::test
