// Plugins that misbehave, against every verb that opens plugins, by the real program. The table of
// what they do, and what each verdict says, is in tests/loader/probe_test.cpp; here are the ways to
// meet such a plugin.
#include <csignal>
#include <fstream>
#include <string>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "tests/support/reload_fixture.hpp"

namespace skep::host {
namespace {

using testing::AllOf;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

struct Misbehaviour {
    const char* how;
    const char* verdict;
    const char* when = "LOADED";
};

// While it is loaded.
const Misbehaviour misbehaviours[] = {
    {"ends with 0", "it ended the process while it was loaded in a child process: exit code 0"},
    {"aborts", "it crashed while it was loaded in a child process: SIGABRT"},
    {"stops itself", "it stopped the process while it was loaded in a child process: SIGSTOP"},
    {"closes the first descriptors", "it closed descriptor 0 of the process while it was loaded"},
    {"aborts", "it crashed while it was unloaded in a child process: SIGABRT", "UNLOADED"},
    {"exits with 0", "it ended the process while it was unloaded in a child process", "UNLOADED"},
};

class Misbehaving : public Reload, public testing::WithParamInterface<Misbehaviour> {
protected:
    [[nodiscard]] test::Variables misbehaving() const {
        test::Variables set = variables();
        set[std::string("SKEP_TEST_WHEN_") + GetParam().when] = GetParam().how;
        return set;
    }
};

INSTANTIATE_TEST_SUITE_P(Each, Misbehaving, testing::ValuesIn(misbehaviours));

TEST_P(Misbehaving, CheckAndRunRefuseThePluginWithItsPlace) {
    install("misbehaves");
    write(one_worker);
    for (const char* const verb : {"check", "run", "graph"}) {
        const Finished refused =
            test::run({SKEP_EXECUTABLE, verb, folder / "bees.toml"}, misbehaving());
        EXPECT_EQ(refused.exit_code, 78) << verb;
        EXPECT_THAT(
            refused.err,
            AllOf(HasSubstr("bees.toml:5:10: error: plugin"), HasSubstr(GetParam().verdict)));
    }
}

TEST_P(Misbehaving, InspectRefusesThePlugin) {
    install("misbehaves");
    const Finished refused =
        test::run({SKEP_EXECUTABLE, "inspect", folder / "libplugin.so"}, misbehaving());
    EXPECT_EQ(refused.exit_code, 78);
    EXPECT_THAT(refused.out, IsEmpty());
    EXPECT_THAT(refused.err, HasSubstr(GetParam().verdict));
}

TEST_P(Misbehaving, PlanAndReloadRefuseThePluginAndTheHostGoesOn) {
    install("greeter_1");
    write(one_worker);
    host = std::make_unique<Process>(test::Arguments{SKEP_EXECUTABLE, "run", folder / "bees.toml"},
                                     misbehaving());
    ASSERT_TRUE(host->wait_for_err("running 'bees'")) << host->wait().err;
    install("misbehaves");
    const Finished plan = skep({"plan"});
    EXPECT_EQ(plan.exit_code, 1);
    EXPECT_THAT(plan.err, HasSubstr(GetParam().verdict));
    EXPECT_THAT(reload(1), HasSubstr(GetParam().verdict));
    greet("Ada", "version 1: hello Ada, number 1");
    stop();
}

// In create, which a reload tries with the parameters that it would get.
class MisbehavingCreate : public Reload, public testing::WithParamInterface<Misbehaviour> {};

const Misbehaviour in_create[] = {
    {"ends with 0", "worker 'w': create ended the process in a child process: exit code 0"},
    {"kills itself", "worker 'w': create crashed in a child process: SIGKILL"},
    {"stops itself", "worker 'w': create stopped the process in a child process: SIGSTOP"},
};

INSTANTIATE_TEST_SUITE_P(Each, MisbehavingCreate, testing::ValuesIn(in_create));

TEST_P(MisbehavingCreate, IsRefusedForASuccessorAndForANewWorker) {
    const std::string misbehaving =
        "config.when_created = \"" + std::string(GetParam().how) + "\"\n";
    const std::string other = "[worker.v]\nplugin = \"plugin\"\n";
    install("misbehaves");
    write(one_worker + other);
    start();
    write(one_worker + misbehaving + other);
    const Finished plan = skep({"plan"});
    EXPECT_EQ(plan.exit_code, 1);
    EXPECT_THAT(plan.err, HasSubstr(GetParam().verdict));
    EXPECT_THAT(reload(1), HasSubstr(GetParam().verdict));
    write(one_worker + other + "[worker.x]\nplugin = \"plugin\"\n" + misbehaving);
    std::string verdict = GetParam().verdict;
    verdict.replace(verdict.find("'w'"), 3, "'x'");
    EXPECT_THAT(reload(1), HasSubstr(verdict));
    write(one_worker + "config.when_sent = \"raises limits\"\n" + other);
    EXPECT_THAT(reload(), HasSubstr("applied: swap w; 1 stay"));
    stop();
}

TEST_F(Reload, ATypeCanBeCreatedInTheHostOnly) {
    install("created_in_host_only");
    write(source);
    start();
    write(source + one_worker);
    EXPECT_THAT(reload(), HasSubstr("applied: start w; 1 stay"));
    stop();
    const Finished shown = skep({"inspect", folder / "libplugin.so"});
    EXPECT_THAT(shown.out, HasSubstr("(handler, created in the host only)"));
    EXPECT_THAT(skep({"inspect", "-o", "json", folder / "libplugin.so"}).out,
                HasSubstr("\"create_in_host_only\": true"));
}

// Where the worker runs: its own thread, a pool, and from one to the other.
struct Places {
    const char* name;
    const char* before;
    const char* next;
};

constexpr const char* on_pool = "run = { pool = \"p\" }\n";

class ReloadToAHang : public Reload, public testing::WithParamInterface<Places> {};

TEST_P(ReloadToAHang, ASuccessorThatHangsInAMessageIsRolledBack) {
    probation = "1s";  // the first message comes in that time
    install("misbehaves");
    const std::string fed =
        "[worker.g]\nplugin = \"generate\"\nconfig.interval = \"1ms\"\n"
        "[[route]]\nfrom = \"g\"\nto = \"w\"\n[pool.p]\nthreads = 1\n";
    write(one_worker + GetParam().before + fed);
    start();
    for (int round = 1; round <= 2; ++round) {
        write(one_worker + GetParam().next + "config.when_sent = \"hangs\"\n" + fed);
        const std::string verdict = reload(1);
        EXPECT_THAT(verdict, HasSubstr("rolled back: "));
        EXPECT_THAT(verdict, HasSubstr("has been in on_message for 1."));
        EXPECT_TRUE(host->wait_for_err("generation 1 is back"));
        write(one_worker + GetParam().before + fed);
        EXPECT_THAT(reload(), HasSubstr("no change"));
    }
    EXPECT_THAT(skep({"drain", "g"}).err, IsEmpty());
    host->send(SIGTERM);
    const Finished ended = host->wait();
    EXPECT_EQ(ended.exit_code, 1);
    EXPECT_THAT(ended.err, HasSubstr("leaving while threads are inside plugins: w, w"));
    EXPECT_THAT(ended.err, HasSubstr("dead-lettered 2: balanced"));
}

INSTANTIATE_TEST_SUITE_P(ReloadToAHang,
                         ReloadToAHang,
                         testing::Values(Places{"OnItsThread", "", ""},
                                         Places{"OnAPool", on_pool, on_pool},
                                         Places{"FromItsThreadToAPool", "", on_pool},
                                         Places{"FromAPoolToItsThread", on_pool, ""}),
                         [](const auto& it) { return it.param.name; });

// Whether a child of the process is in pause(), as one that hangs is.
bool has_child_in_pause(pid_t pid) {
    for (const auto& task : fs::directory_iterator("/proc/" + std::to_string(pid) + "/task")) {
        std::ifstream children(task.path() / "children");
        for (std::string child; children >> child;) {
            std::ifstream call("/proc/" + child + "/syscall");
            if (std::string number; call >> number && number == std::to_string(SYS_pause)) {
                return true;
            }
        }
    }
    return false;
}

// The child is ended with the host, which had nothing else to wait for.
TEST_F(Reload, AStopDoesNotWaitForATrialThatHangs) {
    install("misbehaves");
    write(one_worker);
    start();
    write(one_worker + "config.when_created = \"hangs\"\n");
    Process reload({SKEP_EXECUTABLE, "reload"}, variables());
    while (!has_child_in_pause(host->pid())) {
    }
    host->send(SIGTERM);
    EXPECT_EQ(host->wait().exit_code, 0) << host->wait().err;
    EXPECT_THAT(host->wait().err, Not(HasSubstr("leaving while")));
}

TEST_F(Reload, WhatAPluginPrintsWhileItIsLoadedIsNoPartOfAnAnswer) {
    install("misbehaves");
    write(one_worker);
    test::Variables set = variables();
    set["SKEP_TEST_WHEN_LOADED"] = "writes garbage";
    for (const test::Arguments& verb : {test::Arguments{"inspect", folder / "libplugin.so"},
                                        test::Arguments{"check", folder / "bees.toml"}}) {
        const Finished shown = test::run({SKEP_EXECUTABLE, verb[0], "-o", "json", verb[1]}, set);
        EXPECT_EQ(shown.exit_code, 0) << shown.err;
        EXPECT_THAT(shown.out, AllOf(StartsWith("{"), Not(HasSubstr("0123456789abcdef"))));
    }
}

// The child process that tries a plugin cannot see this.
TEST_F(Reload, StaticConstructorsThatHangInTheHostAreRefusedInTimeAndDoNotBlockTheStop) {
    install("greeter_1");
    write(one_worker);
    start();
    install("hangs_in_host_only");
    EXPECT_THAT(reload(1), HasSubstr("its static constructors hang"));
    install("greeter_2");  // the C library loads one plugin at a time
    EXPECT_THAT(reload(1), HasSubstr("the static constructors of another plugin hang"));
    greet("Ada", "version 1: hello Ada, number 1");
    EXPECT_EQ(skep({"stop"}).exit_code, 0);
    const Finished& ended = host->wait();
    EXPECT_EQ(ended.exit_code, 1);
    EXPECT_THAT(ended.err,
                testing::AllOf(HasSubstr("balanced"),
                               HasSubstr("leaving while the static constructors of a plugin")));
}

TEST_F(Reload, AStopWaitsForStaticConstructorsThatComeToAnEnd) {
    const std::string pipe = folder / "pipe";
    ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
    install("greeter_1");
    write(one_worker);
    test::Variables set = variables();
    set["SKEP_TEST_PIPE"] = pipe;
    host = std::make_unique<Process>(test::Arguments{SKEP_EXECUTABLE, "run", folder / "bees.toml"},
                                     set);
    ASSERT_TRUE(host->wait_for_err("running 'bees'")) << host->wait().err;
    install("hangs_in_host_only");
    const Process reload({SKEP_EXECUTABLE, "reload"}, variables());
    const int fd = ::open(pipe.c_str(), O_WRONLY | O_CLOEXEC);  // when the constructor reads
    ASSERT_GE(fd, 0);
    host->send(SIGTERM);
    EXPECT_TRUE(host->wait_for_err("stopping"));
    ::close(fd);
    EXPECT_EQ(host->wait().exit_code, 0) << host->wait().err;
    EXPECT_THAT(host->wait().err, Not(HasSubstr("leaving while")));
}

// A topology that was started from a pipe is one case of this.
TEST_F(Reload, ATopologyThatHasBecomeAPipeIsRefusedAndDoesNotBlockTheStop) {
    install("greeter_1");
    write(one_worker);
    start();
    fs::remove(folder / "bees.toml");
    ASSERT_EQ(::mkfifo((folder / "bees.toml").c_str(), 0600), 0);
    EXPECT_THAT(reload(1), HasSubstr("it is a pipe, which gives its text once"));
    greet("Ada", "version 1: hello Ada, number 1");
    stop();
}

TEST(Start, ASignalWhilePluginsAreLoadedIsHeeded) {
    const test::TempFolder folder;
    const std::string from = std::string(SKEP_TEST_PLUGIN_DIR) + "/libhangs_when_loaded.so";
    const std::string file =
        folder.write("a.toml", "version = 1\n[worker.w]\nplugin = \"" + from + "\"\n");
    for (const int signal : {SIGTERM, SIGINT}) {
        Process host({SKEP_EXECUTABLE, "run", file, "--log-level", "debug"},
                     {{"XDG_RUNTIME_DIR", folder.path()}});
        ASSERT_TRUE(host.wait_for_err("probing")) << host.wait().err;
        host.send(SIGHUP);
        host.send(signal);
        EXPECT_EQ(host.wait().exit_code, 0);
        EXPECT_THAT(host.wait().err, HasSubstr("stopped before the host ran"));
        EXPECT_THAT(host.wait().err, testing::Not(HasSubstr("error")));
    }
}

}  // namespace
}  // namespace skep::host
