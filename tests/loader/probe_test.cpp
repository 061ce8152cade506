#include "host/loader/probe.hpp"

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include "host/loader/file_loader.hpp"
#include "tests/support/temp_folder.hpp"

namespace skep::host {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

std::string plugin(const std::string& name) {
    return std::string(SKEP_TEST_PLUGIN_DIR) + "/lib" + name + ".so";
}

std::string verdict(const std::string& name, milliseconds limit = probe_limit) {
    const Result<Done, std::string> lived = probe(SKEP_EXECUTABLE, plugin(name), limit);
    return lived ? "" : lived.error();
}

TEST(Probe, APluginThatCanBeLoadedPasses) {
    EXPECT_EQ(verdict("greeter_1"), "");
}

TEST(Probe, OneThatEndsTheProcessEndsTheChild) {
    EXPECT_EQ(verdict("crashes_when_loaded"),
              "it crashed while it was loaded in a child process: SIGABRT");
}

TEST(Probe, OneThatCrashesLeavesNoCoreFile) {
    const test::TempFolder folder;
    const auto before = std::filesystem::current_path();
    rlimit core{};
    ASSERT_EQ(::getrlimit(RLIMIT_CORE, &core), 0);
    core.rlim_cur = core.rlim_max;
    ASSERT_EQ(::setrlimit(RLIMIT_CORE, &core), 0);
    std::filesystem::current_path(folder.path());
    EXPECT_THAT(verdict("crashes_when_loaded"), HasSubstr("SIGABRT"));
    std::filesystem::current_path(before);
    EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(Probe, OneThatHangsIsNotWaitedFor) {
    EXPECT_EQ(verdict("hangs_when_loaded", milliseconds(50)),
              "it did not come back from being loaded within 50 ms, in a child process");
}

TEST(Probe, OneThatIsRefusedIsRefusedInTheWordsOfTheLoader) {
    EXPECT_THAT(verdict("undefined_symbol"), HasSubstr("undefined symbol"));
}

TEST(Probe, WithoutAnExecutableThereIsNone) {
    const Result<Done, std::string> lived = probe("/nowhere/skep", plugin("greeter_1"));
    ASSERT_FALSE(lived);
    EXPECT_THAT(lived.error(), HasSubstr("the probe cannot be started: No such file"));
}

TEST(Probe, IsMadeByALoaderThatIsToldTo) {
    const auto loader = FileLoader::create();
    ASSERT_TRUE(loader);
    (*loader)->probe_with(SKEP_EXECUTABLE);
    const auto refused = (*loader)->open(plugin("crashes_when_loaded"));
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().front().message, HasSubstr("SIGABRT"));
    auto opened = (*loader)->open(plugin("greeter_1"));
    ASSERT_TRUE(opened);
    EXPECT_TRUE((*loader)->close(std::move(*opened)).unloaded);
}

}  // namespace
}  // namespace skep::host
