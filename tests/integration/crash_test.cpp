// Deaths inside of plugins: what is said, and with which code the process ends. One row a way to
// die; docs/running.md has the table of codes.
#include <algorithm>
#include <csignal>
#include <filesystem>
#include <ostream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <skep/note.h>

#include "host/base/crash_report.hpp"
#include "host/loader/staging_folder.hpp"
#include "tests/support/plugin_files.hpp"
#include "tests/support/process.hpp"
#include "tests/support/temp_folder.hpp"

namespace skep::host {
namespace {

using test::Finished;
using test::TempFolder;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr bool is_sanitized = SKEP_THIS_SANITIZERS != 0;

// A worker that dies when it gets its first message, or in the call of that name.
std::string dying_topology(const std::string& way,
                           const std::string& call,
                           const std::string& placement = "") {
    return "version = 1\nhost.stop_grace = \"1s\"\n" +
           (placement.empty() ? placement : "[pool.p]\nthreads = 1\n") +
           "[worker.source]\nplugin = \"generate\"\nconfig = { count = 1 }\n"
           "[worker.fragile]\nplugin = \"" +
           test_plugin("dies_as_told") + "\"\nconfig = { way = \"" + way + "\", in = \"" + call +
           "\" }\n" + placement + "[[route]]\nfrom = \"source\"\nto = \"fragile\"\n";
}

struct Death {
    const char* way;
    const char* call;
    int exit_code;  // negative: the signal
    const char* said;
};

void PrintTo(const Death& death, std::ostream* out) {
    *out << death.way << " in " << death.call;
}

class DeathInAPlugin : public testing::TestWithParam<Death> {
protected:
    void SetUp() override {
        if (is_sanitized) {
            GTEST_SKIP() << "a sanitizer reports this in its own way";
        }
    }

    Finished die(const std::string& topology, const test::Arguments& flags = {}) {
        test::Arguments arguments = {SKEP_EXECUTABLE, "run", folder.write("a.toml", topology)};
        arguments.insert(arguments.end(), flags.begin(), flags.end());
        return test::run(arguments, {{"XDG_RUNTIME_DIR", folder.path()}});
    }

    const TempFolder folder;
};

TEST_P(DeathInAPlugin, NamesWorkerGenerationPluginAndVersion) {
    const Death& death = GetParam();
    const Finished ended = die(dying_topology(death.way, death.call));
    EXPECT_EQ(ended.exit_code, death.exit_code) << ended.err;
    EXPECT_THAT(ended.err,
                AllOf(HasSubstr("skep: worker 'fragile'@1: " + std::string(death.said)),
                      HasSubstr("; plugin 'org.skep.test.dies_as_told' 1.2.3, " +
                                test_plugin("dies_as_told"))));
}

TEST_P(DeathInAPlugin, IsNamedOnAPoolToo) {
    const Death& death = GetParam();
    const Finished ended = die(dying_topology(death.way, death.call, "run = { pool = \"p\" }\n"));
    EXPECT_EQ(ended.exit_code, death.exit_code) << ended.err;
    EXPECT_THAT(ended.err, HasSubstr("; plugin 'org.skep.test.dies_as_told' 1.2.3, "));
    // A thread of the plugin's own goes by the name of the pool's thread that started it.
    if (std::string(death.said).find(" in thread ") == std::string::npos) {
        EXPECT_THAT(ended.err, HasSubstr("worker 'fragile'@1: " + std::string(death.said)));
    }
}

INSTANTIATE_TEST_SUITE_P(
    Ways,
    DeathInAPlugin,
    testing::Values(
        Death{"null", "on_message", -SIGSEGV, "SIGSEGV in on_message"},
        Death{"null", "create", -SIGSEGV, "SIGSEGV in create"},
        Death{"null", "on_timer", -SIGSEGV, "SIGSEGV in on_timer"},
        Death{"null", "on_drain", -SIGSEGV, "SIGSEGV in on_drain"},
        Death{"null", "destroy", -SIGSEGV, "SIGSEGV in destroy"},
        Death{"jump", "on_message", -SIGSEGV, "SIGSEGV in on_message"},
        Death{"overflow", "on_message", -SIGSEGV, "SIGSEGV (the stack is full) in on_message"},
        Death{"bus", "on_message", -SIGBUS, "SIGBUS in on_message"},
        Death{"divide", "on_message", -SIGFPE, "SIGFPE in on_message"},
        Death{"illegal", "on_message", -SIGILL, "SIGILL in on_message"},
        Death{"alarm", "on_message", -SIGALRM, "SIGALRM in on_message"},
        Death{"abort", "on_message", -SIGABRT, "SIGABRT in on_message"},
        Death{"terminate", "on_message", -SIGABRT, "SIGABRT in on_message"},
        Death{"double free", "on_message", -SIGABRT, "SIGABRT in on_message"},
        Death{"pthread_exit", "on_message", -SIGABRT, "SIGABRT in on_message"},
        Death{"release twice",
              "on_message",
              -SIGABRT,
              "a message that is not kept was released in on_message"},
        Death{"release a view",
              "on_message",
              -SIGABRT,
              "a message that is not kept was released in on_message"},
        Death{"null in a thread", "on_message", -SIGSEGV, "SIGSEGV in thread 'w:fragile#1'"},
        Death{"abort in a thread", "on_message", -SIGABRT, "SIGABRT in thread 'w:fragile#1'"},
        Death{"throw in a thread", "on_message", -SIGABRT, "SIGABRT in thread 'w:fragile#1'"},
        Death{"exit", "on_message", 1, "exit(0) was called in on_message"},
        Death{"exit", "create", 1, "exit(0) was called in create"},
        Death{"quick_exit", "on_message", 1, "quick_exit() was called in on_message"},
        Death{"exit in a thread", "on_message", 1, "exit(5) was called in thread 'w:fragile#1'"}));

using DeathReport = DeathInAPlugin;

TEST_F(DeathReport, TellsWhereInTheFileOfThePlugin) {
    const Finished ended = die(dying_topology("null", "on_message"));
    EXPECT_THAT(ended.err,
                testing::ContainsRegex("libdies_as_told.so\\+0x[0-9a-f]+; address 0x0\n"));
}

TEST_F(DeathReport, IsAnObjectWhereTheLogIsJson) {
    const Finished ended = die(dying_topology("null", "on_message"), {"--log-format", "json"});
    EXPECT_THAT(ended.err,
                AllOf(HasSubstr(R"("level":"error","worker":"fragile","generation":1,)"
                                R"("text":"SIGSEGV in on_message; plugin 'org.skep.test.dies)"),
                      HasSubstr("; address 0x0\"}\n")));
}

TEST_F(DeathReport, OfAnExitComesWithTheAccounting) {
    const Finished ended = die(dying_topology("exit", "on_message"));
    EXPECT_THAT(ended.err, AllOf(HasSubstr("WORKER"), HasSubstr(": balanced\n")));
}

TEST_F(DeathReport, IsNotMadeForAForkedChildThatExits) {
    const Finished ended = die(dying_topology("fork and exit", "on_message"));
    EXPECT_EQ(ended.exit_code, 0) << ended.err;
    EXPECT_THAT(ended.err, Not(HasSubstr("was called")));
}

TEST_F(DeathReport, NamesWhoForkedAChildThatReturnsToTheHostAndEndsTheChild) {
    const Finished ended = die(dying_topology("fork and return", "on_message"));
    EXPECT_EQ(ended.exit_code, 0) << ended.err;
    EXPECT_THAT(ended.err,
                AllOf(HasSubstr("worker 'fragile'@1: a child that was forked has returned to the "
                                "host in on_message"),
                      HasSubstr("accepted = delivered 1 + ")));
}

TEST_F(DeathReport, ToleratesAPluginThatTookTheHandlerAway) {
    EXPECT_EQ(die(dying_topology("default handler", "on_message")).exit_code, -SIGSEGV);
}

TEST_F(DeathReport, NamesTheSenderOfASignalFromOutside) {
    test::Process host(
        {SKEP_EXECUTABLE, "run", folder.write("a.toml", dying_topology("hang", "on_message"))},
        {{"XDG_RUNTIME_DIR", folder.path()}});
    ASSERT_TRUE(host.wait_for_err("running")) << host.wait().err;
    host.send(SIGUSR2);
    const Finished& ended = host.wait();
    EXPECT_EQ(ended.exit_code, -SIGUSR2);
    EXPECT_THAT(ended.err,
                HasSubstr("skep: SIGUSR2, sent by process " + std::to_string(::getpid()) + "\n"));
}

// One that never comes back, on a thread of its own.
TEST_F(DeathReport, NamesAWorkerThatHangs) {
    test::Process host(
        {SKEP_EXECUTABLE, "run", folder.write("a.toml", dying_topology("hang", "on_message"))},
        {{"XDG_RUNTIME_DIR", folder.path()}});
    EXPECT_TRUE(host.wait_for_err("worker 'fragile'@1: has been in on_message for 1."))
        << host.wait().err;
    host.send(SIGTERM);
    EXPECT_EQ(host.wait().exit_code, 1) << host.wait().err;
}

std::size_t stages_in(const std::string& folder) {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        count += entry.path().filename().string().starts_with("skep-") ? 1 : 0;
    }
    return count;
}

TEST_F(DeathReport, KeepsTheCopiesOfPluginsThatACoreNeeds) {
    for (std::size_t i = 0; i < StagingFolder::crashes_kept + 2; ++i) {
        (void)die(dying_topology("null", "on_message"));
        EXPECT_EQ(stages_in(folder.path()), std::min(i + 1, StagingFolder::crashes_kept + 1));
    }
    const std::string well =
        "version = 1\n[worker.source]\nplugin = \"generate\"\n"
        "config = { count = 1 }\n";
    EXPECT_EQ(die(well).exit_code, 0);
    EXPECT_EQ(stages_in(folder.path()), StagingFolder::crashes_kept);
}

}  // namespace
}  // namespace skep::host
