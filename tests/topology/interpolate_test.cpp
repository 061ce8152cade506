#include "host/topology/interpolate.hpp"

#include <cstdlib>

#include <gtest/gtest.h>

#include "tests/support/fake_plugins.hpp"

namespace skep::host {
namespace {

std::string interpolated(std::string_view text) {
    const Interpolated result = interpolate(text, fake_environment);
    return result.errors.empty() ? result.text : "error: " + result.errors.front().message;
}

TEST(Interpolate, ReplacesAVariable) {
    EXPECT_EQ(interpolated("${FOLDER}/access.log"), "/var/log/access.log");
    EXPECT_EQ(interpolated("<${FIVE}${FIVE}>"), "<55>");
    EXPECT_EQ(interpolated("[${EMPTY}]"), "[]");
}

TEST(Interpolate, TakesTheDefaultWhenTheVariableIsUnsetOrEmpty) {
    EXPECT_EQ(interpolated("${UNSET:-7}"), "7");
    EXPECT_EQ(interpolated("${EMPTY:-7}"), "7");
    EXPECT_EQ(interpolated("${FIVE:-7}"), "5");
    EXPECT_EQ(interpolated("${UNSET:-}"), "");
    EXPECT_EQ(interpolated("${UNSET:-a:-b $ c}"), "a:-b $ c");
}

TEST(Interpolate, RefusesWithTheMessageOfTheAuthor) {
    EXPECT_EQ(interpolated("${FIVE:?needed}"), "5");
    EXPECT_EQ(interpolated("${UNSET:?where to listen}"),
              "error: the environment variable 'UNSET' is not set: where to listen");
    EXPECT_EQ(interpolated("${EMPTY:?}"), "error: the environment variable 'EMPTY' is empty");
}

TEST(Interpolate, TurnsTwoDollarsIntoOne) {
    EXPECT_EQ(interpolated("$$"), "$");
    EXPECT_EQ(interpolated("$${FIVE}"), "${FIVE}");
    EXPECT_EQ(interpolated("$$${FIVE}"), "$5");
}

TEST(Interpolate, LeavesADollarOfARegularExpressionAlone) {
    EXPECT_EQ(interpolated("^\\S+$"), "^\\S+$");
    EXPECT_EQ(interpolated("$1 costs $5"), "$1 costs $5");
    EXPECT_EQ(interpolated("a{2}$|b"), "a{2}$|b");
}

TEST(Interpolate, SaysWhetherAnythingWasReferredTo) {
    EXPECT_TRUE(interpolate("${FIVE}", fake_environment).changed);
    EXPECT_TRUE(interpolate("${UNSET:-}", fake_environment).changed);
    EXPECT_FALSE(interpolate("5", fake_environment).changed);
    EXPECT_FALSE(interpolate("$$5", fake_environment).changed);
}

TEST(Interpolate, NeverLooksAtTheValueOfAVariable) {
    EXPECT_EQ(interpolated("${DOLLAR}"), "${FIVE}");
}

TEST(Interpolate, SaysWhereEachReferenceIsWrong) {
    const Interpolated result = interpolate("ab ${A} ${FIVE} ${B:x}", fake_environment);
    ASSERT_EQ(result.errors.size(), 2u);
    EXPECT_EQ(result.errors[0].offset, 3u);
    EXPECT_EQ(result.errors[0].length, 4u);
    EXPECT_EQ(result.errors[1].offset, 16u);
    EXPECT_EQ(result.errors[1].length, 6u);
}

TEST(Interpolate, RefusesWhatIsNeverClosedOrNested) {
    EXPECT_EQ(interpolated("a ${FIVE"), "error: '${' is never closed");
    EXPECT_EQ(interpolated("${"), "error: '${' is never closed");
    EXPECT_EQ(interpolated("${A:-${B}}"), "error: '${' inside of '${...}' is not supported");
    EXPECT_EQ(interpolated("${A ${FIVE}"), "error: '${' inside of '${...}' is not supported");
    EXPECT_EQ(interpolated("${A ${"), "error: '${' inside of '${...}' is not supported");
}

TEST(ProcessEnvironment, TellsUnsetFromEmpty) {
    ::setenv("SKEP_TEST_VARIABLE", "", 1);
    EXPECT_EQ(process_environment("SKEP_TEST_VARIABLE"), "");
    ::unsetenv("SKEP_TEST_VARIABLE");
    EXPECT_EQ(process_environment("SKEP_TEST_VARIABLE"), std::nullopt);
}

}  // namespace
}  // namespace skep::host
