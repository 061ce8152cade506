#include <fstream>
#include <iterator>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fake_host.hpp"

namespace skep::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::uint32_t ok = 0;
constexpr std::uint32_t unmatched = 1;

FakeHost& created(FakeHost& host) {
    EXPECT_EQ(host.create(), SKEP_OK) << host.failure;
    return host;
}

std::string refusal_of(const std::string& pattern) {
    FakeHost host("regex", {{"pattern", pattern}});
    EXPECT_EQ(host.create(), SKEP_E_FAILED);
    return host.failure;
}

TEST(Regex, MakesARecordOfTheNamedGroupsInTheirOrder) {
    FakeHost host("regex",
                  {{"pattern", R"(^(?P<when>\S+) (?P<action>\S+) (\d+) (?P<a_rest>.*)$)"}});
    EXPECT_EQ(created(host).handle({"2026 install 7 lib foo"}), SKEP_OK);
    EXPECT_THAT(host.texts(ok),
                ElementsAre(R"({"when":"2026","action":"install","a_rest":"lib foo"})"));
    EXPECT_THAT(host.texts(unmatched), IsEmpty());
}

TEST(Regex, ForwardsLinesThatDoNotMatchWithoutACopy) {
    FakeHost host("regex", {{"pattern", "^(?P<number>[0-9]+)$"}});
    EXPECT_EQ(created(host).handle({"12", "twelve", "", "13"}), SKEP_OK);
    EXPECT_EQ(host.done, 4u);
    EXPECT_THAT(host.texts(ok), ElementsAre(R"({"number":"12"})", R"({"number":"13"})"));
    EXPECT_THAT(host.emitted[unmatched],
                ElementsAre(Emitted{"twelve", "", true}, Emitted{"", "", true}));
}

TEST(Regex, MatchesAnywhereInTheLineUnlessThePatternSaysOtherwise) {
    FakeHost host("regex", {{"pattern", "id=(?P<id>[0-9]+)"}});
    EXPECT_EQ(created(host).handle({"x id=4 id=5"}), SKEP_OK);
    EXPECT_THAT(host.texts(ok), ElementsAre(R"({"id":"4"})"));
}

TEST(Regex, TellsAGroupThatTookNoPartFromAnEmptyOne) {
    FakeHost host("regex", {{"pattern", "^(?P<a>x)?(?P<b>y*)$"}});
    EXPECT_EQ(created(host).handle({"yy", "x", ""}), SKEP_OK);
    EXPECT_THAT(
        host.texts(ok),
        ElementsAre(R"({"a":null,"b":"yy"})", R"({"a":"x","b":""})", R"({"a":null,"b":""})"));
}

TEST(Regex, EscapesWhatJsonWantsEscaped) {
    FakeHost host("regex", {{"pattern", "(?s)^(?P<all>.*)$"}});
    EXPECT_EQ(created(host).handle({std::string("a\0\"\\\t\xc3\xa9", 7)}), SKEP_OK);
    EXPECT_THAT(host.texts(ok), ElementsAre("{\"all\":\"a\\u0000\\\"\\\\\\t\xc3\xa9\"}"));
}

TEST(Regex, LosesNoLineThatIsNotUtf8) {
    const std::string line = "caf\xe9 open";
    FakeHost anchored("regex", {{"pattern", "^(?P<name>.*) open$"}});
    EXPECT_EQ(created(anchored).handle({line}), SKEP_OK);
    EXPECT_THAT(anchored.texts(ok), ElementsAre("{\"name\":\"caf\xef\xbf\xbd\"}"));

    // One that is UTF-8 is matched letter by letter.
    FakeHost letters("regex", {{"pattern", "^(?P<name>.{4})$"}});
    EXPECT_EQ(created(letters).handle({"caf\xc3\xa9", "caf\xc3"}), SKEP_OK);
    EXPECT_THAT(letters.texts(ok),
                ElementsAre("{\"name\":\"caf\xc3\xa9\"}", "{\"name\":\"caf\xef\xbf\xbd\"}"));
}

TEST(Regex, CharactersAreThoseOfUtf8) {
    FakeHost host("regex", {{"pattern", "^(?P<one>.)(?P<letter>\\pL)$"}});
    EXPECT_EQ(created(host).handle({"\xc3\xa9\xc3\xbc"}), SKEP_OK);
    EXPECT_THAT(host.texts(ok), ElementsAre("{\"one\":\"\xc3\xa9\",\"letter\":\"\xc3\xbc\"}"));
}

TEST(Regex, LeavesRe2MappedBecauseItsTablesAreNeverFreed) {
    {
        FakeHost host("regex", {{"pattern", "(?P<a>x)"}});
        EXPECT_EQ(host.create(), SKEP_OK);
    }
    std::ifstream maps("/proc/self/maps");
    const std::string all((std::istreambuf_iterator<char>(maps)), {});
    EXPECT_THAT(all, HasSubstr("/libre2.so"));
    EXPECT_THAT(all, Not(HasSubstr("/libregex.so")));
}

TEST(Regex, RefusesAPatternWithItsTextAndTheReason) {
    const struct {
        const char* pattern;
        const char* reason;
    } rows[] = {
        {"(?P<a>[0-9)", "missing ]: [0-9)"},
        {"(?P<a>x)(?P<a>y)", "two groups have the same name"},  // a record has room for one
        {"([0-9]+)", "no named group (?P<name>...)"},
    };

    for (const auto& row : rows) {
        EXPECT_EQ(refusal_of(row.pattern),
                  "cannot use pattern '" + std::string(row.pattern) + "': " + row.reason);
    }
}

}  // namespace
}  // namespace skep::test
