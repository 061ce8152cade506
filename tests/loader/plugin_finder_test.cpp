#include "host/loader/plugin_finder.hpp"

#include <cstdlib>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/loader_fixture.hpp"

namespace skep::host::plugin_finder_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class PluginFinder : public LoaderFixture {
protected:
    PluginFinder() {
        ::unsetenv("SKEP_PLUGIN_PATH");
        ::setenv("HOME", folder_.path().c_str(), 1);
        for (const char* name : {"base", "first", "second"}) {
            std::filesystem::create_directory(folder_ / name);
        }
    }

    ~PluginFinder() override {
        ::unsetenv("SKEP_PLUGIN_PATH");
        ::setenv("HOME", home_.c_str(), 1);
    }

    // The plugin `source` of the tests, installed as `to` within the folder of this test.
    void install(const std::string& source, const std::string& to) {
        write_file(folder_ / to, read_file(test_plugin(source)));
    }

    host::PluginFinder finder() { return {*loader_, folder_ / "base", folder_ / "second"}; }

private:
    const std::string home_ = std::getenv("HOME") != nullptr ? std::getenv("HOME") : "";
};

TEST_F(PluginFinder, TakesANameWithASlashForAPathFromTheBase) {
    install("counts", "base/libcounts.so");
    install("counts", "first/libcounts.so");
    host::PluginFinder plugins = finder();
    for (const std::string path : {"./libcounts.so", "libcounts.so", "../first/libcounts.so"}) {
        const auto found = plugins.find(path, {});
        ASSERT_TRUE(found) << message_of(found);
        EXPECT_EQ(found->info->id, "org.skep.test.counts");
    }
    const auto absolute = plugins.find(folder_ / "first/libcounts.so", {});
    ASSERT_TRUE(absolute);
    EXPECT_EQ(absolute->path, folder_ / "first/libcounts.so");
}

TEST_F(PluginFinder, LooksInTheFoldersInTheirOrder) {
    ::setenv("SKEP_PLUGIN_PATH", "/a::/b", 1);
    EXPECT_THAT(finder().folders({"/search"}),
                ElementsAre("/search",
                            "/a",
                            "/b",
                            folder_ / "second",
                            folder_ / ".local/lib/skep/plugins",
                            "/usr/lib/skep/plugins"));
}

TEST_F(PluginFinder, TakesTheFirstPlaceThatHasTheName) {
    install("answers_2", "second/libanswers.so");
    host::PluginFinder plugins = finder();
    const auto only = plugins.find("answers", {folder_ / "first"});
    ASSERT_TRUE(only) << message_of(only);
    EXPECT_EQ(only->path, folder_ / "second/libanswers.so");
    install("answers_1", "first/libanswers.so");
    const auto earlier = plugins.find("answers", {folder_ / "first"});
    ASSERT_TRUE(earlier);
    EXPECT_EQ(earlier->path, folder_ / "first/libanswers.so");
}

TEST_F(PluginFinder, SaysWhereItLookedAndWhatIsNear) {
    install("counts", "first/libcounts.so");
    const auto found = finder().find("count", {folder_ / "first"});
    EXPECT_THAT(message_of(found),
                HasSubstr("cannot find plugin 'count': no libcount.so in " + (folder_ / "first") +
                          ", " + (folder_ / "second")));
    EXPECT_EQ(hint_of(found), "did you mean 'counts'?");
}

TEST_F(PluginFinder, SaysHowToFindAPluginThatNothingIsNear) {
    EXPECT_THAT(hint_of(finder().find("zzz", {})), HasSubstr("SKEP_PLUGIN_PATH"));
}

TEST_F(PluginFinder, SaysInWordsWhichFileIsWrongAndGivesNoPlace) {
    write_file(folder_ / "first/libx.so", "text");
    const auto found = finder().find("x", {folder_ / "first"});
    EXPECT_THAT(message_of(found),
                HasSubstr("plugin " + (folder_ / "first/libx.so") + ": not an ELF"));
    EXPECT_EQ(found.error().at(0).file, "");
}

TEST_F(PluginFinder, ReadsAFileOnce) {
    install("answers_1", "first/libanswers.so");
    host::PluginFinder plugins = finder();
    const auto first = plugins.find("answers", {folder_ / "first"});
    write_file(folder_ / "first/libanswers.so", "text");
    const auto again = plugins.find("answers", {folder_ / "first"});
    ASSERT_TRUE(again);
    EXPECT_EQ(first->info, again->info);
}

}  // namespace
}  // namespace skep::host::plugin_finder_test
