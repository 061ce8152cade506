#include "host/topology/nesting.hpp"

#include <string>

#include <gtest/gtest.h>

#include "host/topology/topology.hpp"
#include "tests/support/fake_plugins.hpp"

namespace skep::host {
namespace {

std::string repeated(const std::string& text, int count) {
    std::string result;
    for (int i = 0; i < count; ++i)
        result += text;
    return result;
}

TEST(ParseTopology, RefusesWhatNestsDeeperThanAStackIs) {
    constexpr int deep = 100'000;
    const std::string braces_with_keys =
        repeated("{ " + repeated("a.", 150) + "a = ", 150) + "1" + repeated(" }", 150);
    for (const std::string& source : {repeated("a.", deep) + "a = 1\n",
                                      "[" + repeated("a.", deep) + "a]\n",
                                      "[[" + repeated("a.", deep) + "a]]\n",
                                      "a = " + repeated("[", deep) + repeated("]", deep) + "\n",
                                      "a = " + repeated("{ a = ", deep) + "1\n",
                                      "a = " + braces_with_keys + "\n"}) {
        const Topology topology =
            parse_topology("version = 1\n" + source, "deep.toml", fake_environment);
        ASSERT_EQ(topology.errors.size(), 1u) << source.substr(0, 20);
        EXPECT_EQ(topology.errors[0].message, "values are nested more than 200 levels deep");
        EXPECT_EQ(topology.errors[0].span.line, 2);
    }
}

TEST(FindDeepNesting, GivesThePlaceOfTheFirstLevelTooMany) {
    EXPECT_FALSE(find_deep_nesting("a = " + repeated("[", 200)));
    EXPECT_EQ(find_deep_nesting("\na = " + repeated("[", 201)), (SourceSpan{2, 205, 1}));
    EXPECT_EQ(find_deep_nesting("a = [\n" + repeated("[", 200)), (SourceSpan{2, 200, 1}));
    EXPECT_EQ(find_deep_nesting("a = [\n{ " + repeated("a.", 200)), (SourceSpan{2, 400, 1}));
}

TEST(FindDeepNesting, CountsLevelsAndNotHowOftenThereIsOne) {
    EXPECT_FALSE(find_deep_nesting(repeated("a.b.c = [[1.0], { d.e = 2.5 }]\n[a.b]\n", 300)));
    EXPECT_FALSE(find_deep_nesting("a = [" + repeated("1.5, [2.5], { a.b = 1 }, ", 300) + "]"));
    EXPECT_FALSE(find_deep_nesting("a = [\n" + repeated("1.5\n, ", 300) + "]"));
    EXPECT_FALSE(find_deep_nesting(repeated("]", 300)));
}

TEST(FindDeepNesting, SkipsStringsAndComments) {
    const std::string deep = repeated("[", 300);
    for (const std::string& text : {"# " + deep,
                                    "# " + deep + "\n",
                                    R"("\")" + deep + "\"",
                                    "\"\"\"\n\" \\\"\"\"" + deep + "\"\"\"",
                                    "'\"" + deep + "'",
                                    "'''\n''" + deep + "'''",
                                    "\"" + deep,
                                    "\"\"\"" + deep + "\\"})
        EXPECT_FALSE(find_deep_nesting("a = " + text)) << text;
}

TEST(FindDeepNesting, GoesOnBehindStringsAndComments) {
    const std::string deep = repeated("[", 300);
    for (const std::string text :
         {R"("")", "''", "''''''", "'''a'''''", R"("""a"""")", R"('\')", "'", R"("\\")", "# '"})
        EXPECT_EQ(find_deep_nesting("a = " + text + "\nb = " + deep), (SourceSpan{2, 205, 1}))
            << text;
    EXPECT_EQ(find_deep_nesting("a = '''\n\n'''" + deep), (SourceSpan{3, 204, 1}));
}

}  // namespace
}  // namespace skep::host
