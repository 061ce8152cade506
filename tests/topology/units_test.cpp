#include "host/topology/units.hpp"

#include <limits>

#include <gtest/gtest.h>

#include "host/topology/plugin_info.hpp"

namespace skep::host {
namespace {

constexpr std::int64_t largest = std::numeric_limits<std::int64_t>::max();

TEST(Units, DurationsAreNanoseconds) {
    EXPECT_EQ(parse_duration("7ns"), 7);
    EXPECT_EQ(parse_duration("7us"), 7'000);
    EXPECT_EQ(parse_duration("200ms"), 200'000'000);
    EXPECT_EQ(parse_duration("3s"), 3'000'000'000);
    EXPECT_EQ(parse_duration("2m"), 120'000'000'000);
    EXPECT_EQ(parse_duration("1h"), 3'600'000'000'000);
    EXPECT_EQ(parse_duration("1d"), 86'400'000'000'000);
    EXPECT_EQ(parse_duration("0s"), 0);
}

TEST(Units, DecimalsAreRoundedToTheNearest) {
    EXPECT_EQ(parse_duration("1.5s"), 1'500'000'000);
    EXPECT_EQ(parse_duration("0.1s"), 100'000'000);
    EXPECT_EQ(parse_duration("0.6ns"), 1);
    EXPECT_EQ(parse_size("1.5KiB"), 1536);
}

TEST(Units, SizesAreBytes) {
    EXPECT_EQ(parse_size("7B"), 7);
    EXPECT_EQ(parse_size("2kB"), 2'000);
    EXPECT_EQ(parse_size("64KiB"), 65'536);
    EXPECT_EQ(parse_size("10MB"), 10'000'000);
    EXPECT_EQ(parse_size("1MiB"), 1'048'576);
    EXPECT_EQ(parse_size("1GB"), 1'000'000'000);
    EXPECT_EQ(parse_size("1GiB"), 1'073'741'824);
}

TEST(Units, WholeNumbersStayExact) {
    EXPECT_EQ(parse_duration("9223372036854775807ns"), largest);
    EXPECT_EQ(parse_size("9007199254740993B"), 9'007'199'254'740'993);
}

TEST(Units, OverflowIsRefused) {
    EXPECT_FALSE(parse_duration("9223372036854775808ns"));
    EXPECT_FALSE(parse_duration("106752d"));
    EXPECT_FALSE(parse_duration("106752.0d"));
    EXPECT_FALSE(parse_size("8589934592GiB"));
    EXPECT_FALSE(parse_size("99999999999999999999999999B"));
    EXPECT_TRUE(parse_duration("106751d"));
    EXPECT_TRUE(parse_size("8589934591GiB"));
}

TEST(Units, NothingButOneNumberAndOneUnitIsTaken) {
    for (const char* text :
         {"",    "5",   "s",      "5 s",  " 5s",   "5s ",  "-5s", "+5s",  "5sec", "5S",
          ".5s", "5.s", "1.2.3s", "1e3s", "1m30s", "0x5s", "5KB", "5KiB", "infs", "nans"})
        EXPECT_FALSE(parse_duration(text)) << text;
    for (const char* text : {"", "5", "B", "64K", "64KB", "64kib", "-1B", "5 B", "5s", "1TB"})
        EXPECT_FALSE(parse_size(text)) << text;
}

TEST(Units, IntegersNumbersAndBooleansAreTakenWhole) {
    EXPECT_EQ(parse_integer("-42"), -42);
    EXPECT_EQ(parse_integer("9223372036854775807"), largest);
    EXPECT_EQ(parse_number("1.5"), 1.5);
    EXPECT_EQ(parse_number("-2e3"), -2000.0);
    EXPECT_EQ(parse_boolean("true"), true);
    EXPECT_EQ(parse_boolean("false"), false);
    for (const char* text : {"", " 1", "1 ", "+1", "1x", "9223372036854775808", "1.0", "0x1"})
        EXPECT_FALSE(parse_integer(text)) << text;
    for (const char* text : {"", "x", "1x", "inf", "nan", "1e999", "1,5"})
        EXPECT_FALSE(parse_number(text)) << text;
    for (const char* text : {"", "True", "yes", "1", "true "})
        EXPECT_FALSE(parse_boolean(text)) << text;
}

TEST(Units, NumbersAreWrittenAsNumbers) {
    EXPECT_EQ(number_text(1), "1.0");
    EXPECT_EQ(number_text(-2.5), "-2.5");
    EXPECT_EQ(number_text(0.1), "0.1");
    EXPECT_EQ(number_text(1e300), "1e+300");
}

TEST(ParseParam, GivesTheValueThatAPluginSees) {
    EXPECT_EQ(parse_param(ParamType::string, " as it is "), ParamValue(std::string(" as it is ")));
    EXPECT_EQ(parse_param(ParamType::integer, "42"), ParamValue(std::int64_t{42}));
    EXPECT_EQ(parse_param(ParamType::number, "1"), ParamValue(1.0));
    EXPECT_EQ(parse_param(ParamType::boolean, "true"), ParamValue(std::int64_t{1}));
    EXPECT_EQ(parse_param(ParamType::boolean, "false"), ParamValue(std::int64_t{0}));
    EXPECT_EQ(parse_param(ParamType::duration, "2us"), ParamValue(std::int64_t{2000}));
    EXPECT_EQ(parse_param(ParamType::size, "2KiB"), ParamValue(std::int64_t{2048}));
}

TEST(ParseParam, IsEmptyForAnotherType) {
    EXPECT_FALSE(parse_param(ParamType::integer, "1.5"));
    EXPECT_FALSE(parse_param(ParamType::number, "one"));
    EXPECT_FALSE(parse_param(ParamType::boolean, "1"));
    EXPECT_FALSE(parse_param(ParamType::duration, "1KiB"));
    EXPECT_FALSE(parse_param(ParamType::size, "1s"));
}

TEST(ParamType, HasANameForPeople) {
    EXPECT_STREQ(name_of(ParamType::string), "string");
    EXPECT_STREQ(name_of(ParamType::integer), "integer");
    EXPECT_STREQ(name_of(ParamType::number), "number");
    EXPECT_STREQ(name_of(ParamType::boolean), "boolean");
    EXPECT_STREQ(name_of(ParamType::duration), "duration");
    EXPECT_STREQ(name_of(ParamType::size), "size");
}

}  // namespace
}  // namespace skep::host
