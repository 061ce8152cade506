#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fake_host.hpp"

namespace skep::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr std::uint32_t rows = 0;
constexpr std::uint32_t failed = 1;

class Count : public ::testing::Test {
protected:
    void create(FakeHost& host) { ASSERT_EQ(host.create(), SKEP_OK) << host.failure; }

    FakeHost host_{"count", {{"group_by", "action"}}};
};

TEST_F(Count, EmitsOneRowAGroupAtTheEndTheMostFrequentFirst) {
    create(host_);
    EXPECT_EQ(host_.handle({R"({"action":"remove","n":1})",
                            R"({"action":"install"})",
                            R"({"n":2,"action":"install"})",
                            R"({"action":"configure"})"}),
              SKEP_OK);
    EXPECT_THAT(host_.texts(rows), IsEmpty());
    EXPECT_EQ(host_.drain(), SKEP_OK);
    EXPECT_THAT(host_.texts(rows),
                ElementsAre(R"({"action":"install","count":2})",
                            R"({"action":"configure","count":1})",
                            R"({"action":"remove","count":1})"));
    EXPECT_THAT(host_.timers, IsEmpty());
    EXPECT_EQ(host_.errors, 0u);
}

TEST_F(Count, EmitsNoRowsWhenNothingCame) {
    create(host_);
    EXPECT_EQ(host_.drain(), SKEP_OK);
    EXPECT_THAT(host_.texts(rows), IsEmpty());
}

TEST_F(Count, GroupsByValuesOfAnyTypeAndSortsNumbersAsNumbers) {
    create(host_);
    EXPECT_EQ(host_.handle({R"({"action":10})",
                            R"({"action":9})",
                            R"({"action":"9"})",
                            R"({"action":null})",
                            R"({"action":[1, 2]})",
                            R"({"action":[1,2]})",
                            R"({"action":{"b":1,"a":2}})",
                            R"({"action":true})",
                            R"({"action":1.5})"}),
              SKEP_OK);
    EXPECT_EQ(host_.drain(), SKEP_OK);
    EXPECT_THAT(host_.texts(rows),
                ElementsAre(R"({"action":[1,2],"count":2})",
                            R"({"action":null,"count":1})",
                            R"({"action":true,"count":1})",
                            R"({"action":1.5,"count":1})",
                            R"({"action":9,"count":1})",
                            R"({"action":10,"count":1})",
                            R"({"action":{"a":2,"b":1},"count":1})",
                            R"({"action":"9","count":1})"));
}

TEST_F(Count, EmitsAllRowsAtEachIntervalAndOnceMoreAtTheEnd) {
    FakeHost host("count", {{"group_by", "action"}, {"every", "5s"}});
    create(host);
    EXPECT_EQ(host.handle({R"({"action":"a"})"}), SKEP_OK);
    EXPECT_EQ(host.advance(4 * s), SKEP_OK);
    EXPECT_THAT(host.texts(rows), IsEmpty());
    EXPECT_EQ(host.advance(1 * s), SKEP_OK);
    EXPECT_EQ(host.handle({R"({"action":"a"})", R"({"action":"b"})"}), SKEP_OK);
    EXPECT_EQ(host.advance(5 * s), SKEP_OK);
    EXPECT_EQ(host.drain(), SKEP_OK);
    EXPECT_THAT(host.texts(rows),
                ElementsAre(R"({"action":"a","count":1})",
                            R"({"action":"a","count":2})",
                            R"({"action":"b","count":1})",
                            R"({"action":"a","count":2})",
                            R"({"action":"b","count":1})"));
}

TEST_F(Count, CountsForwardsAndSeldomWarnsOfWhatItCannotGroup) {
    create(host_);
    const std::vector<std::string> bad = {"not json",
                                          R"({"other":1})",
                                          "[1]",
                                          "",
                                          "\xff",
                                          R"({"action":1} trailing)",
                                          "3",
                                          R"("action")"};
    EXPECT_EQ(host_.handle(bad), SKEP_OK);
    EXPECT_EQ(host_.done, bad.size());
    EXPECT_EQ(host_.errors, bad.size());
    EXPECT_EQ(host_.texts(failed), bad);
    for (const Emitted& each : host_.emitted[failed]) {
        EXPECT_TRUE(each.is_shared);
    }
    EXPECT_THAT(host_.log_texts(SKEP_LOG_WARN),
                ElementsAre("refused a record, 1 in total: not JSON",
                            "refused a record, 2 in total: no field 'action'",
                            "refused a record, 4 in total: not JSON",
                            "refused a record, 8 in total: no field 'action'"));
    EXPECT_EQ(host_.drain(), SKEP_OK);
    EXPECT_THAT(host_.texts(rows), IsEmpty());
}

TEST_F(Count, RefusesAValueThatIsNestedTooDeeply) {
    create(host_);
    const auto nested = [](std::size_t levels) {
        return R"({"action":)" + std::string(levels, '[') + std::string(levels, ']') + "}";
    };
    EXPECT_EQ(host_.handle({nested(32), nested(1'000'000)}), SKEP_OK);
    EXPECT_EQ(host_.errors, 1u);
    EXPECT_EQ(host_.drain(), SKEP_OK);
    EXPECT_THAT(host_.texts(rows), SizeIs(1));
}

TEST_F(Count, TakesAFieldNameThatJsonMustEscape) {
    FakeHost host("count", {{"group_by", "a \"b\""}});
    create(host);
    EXPECT_EQ(host.handle({R"({"a \"b\"":1})"}), SKEP_OK);
    EXPECT_EQ(host.drain(), SKEP_OK);
    EXPECT_THAT(host.texts(rows), ElementsAre(R"({"a \"b\"":1,"count":1})"));
}

TEST_F(Count, RefusesAFieldThatItsRowsCouldNotShow) {
    FakeHost host("count", {{"group_by", "count"}});
    EXPECT_EQ(host.create(), SKEP_E_FAILED);
    EXPECT_THAT(host.failure, HasSubstr("group_by cannot be 'count'"));
}

}  // namespace
}  // namespace skep::test
