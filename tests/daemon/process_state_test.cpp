// What the host inherits, and what the children of its plugins inherit: by the real program,
// started as careless parents start it.
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <regex>
#include <string>
#include <string_view>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <skep/note.h>

#include "tests/support/plugin_files.hpp"
#include "tests/support/process.hpp"
#include "tests/support/temp_folder.hpp"

namespace skep::host {
namespace {

using test::Finished;
using test::Process;
using test::TempFolder;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

std::string worker_that_starts(const std::string& way) {
    return "version = 1\n[worker.w]\nplugin = \"" + test_plugin("starts_children") +
           "\"\nconfig = { way = \"" + way + "\" }\n";
}

const std::string counter =
    "version = 1\n[worker.source]\nplugin = \"generate\"\nconfig = { count = 100000 }\n"
    "[worker.show]\nplugin = \"console\"\n[[route]]\nfrom = \"source\"\nto = \"show\"\n";

class ProcessState : public testing::Test {
protected:
    // `start` is a line of a shell, in which $SKEP is the program and $FILE the topology.
    Process start(const std::string& start, const std::string& topology) {
        return Process({"/bin/sh", "-c", start},
                       {{"FILE", folder.write("a.toml", topology)},
                        {"SKEP", SKEP_EXECUTABLE},
                        {"FOLDER", folder.path()},
                        {"XDG_RUNTIME_DIR", folder.path()}});
    }

    const TempFolder folder;
};

// The mask of a line of /proc/PID/status: "SigBlk:\t0000000000000000".
std::uint64_t mask_in(const std::string& text, const std::string& name) {
    std::smatch match;
    const std::regex line(name + R"(:\D*([0-9a-f]{16}))");
    EXPECT_TRUE(std::regex_search(text, match, line)) << text;
    return match.empty() ? 0 : std::stoull(match[1], nullptr, 16);
}

TEST_F(ProcessState, ThreadsHaveEnoughStackUnderASmallLimit) {
    const Finished ended = start("ulimit -s 64; exec $SKEP run $FILE", counter).wait();
    EXPECT_EQ(ended.exit_code, 0) << ended.err;
    EXPECT_THAT(ended.err, HasSubstr("delivered 100000"));
}

constexpr std::uint64_t bit(int signal) {
    return std::uint64_t{1} << (signal - 1);
}

// Which it uses itself, and lets nobody change.
constexpr std::uint64_t of_the_c_library = bit(32) | bit(33);

class ChildOfAPlugin : public ProcessState, public testing::WithParamInterface<const char*> {};

TEST_P(ChildOfAPlugin, BlocksIgnoresAndHandlesNothing) {
    // As badly as a parent can.
    Process host =
        start("exec env --block-signal --ignore-signal=CHLD,PIPE,USR1,TERM $SKEP run $FILE",
              worker_that_starts(GetParam()));
    ASSERT_TRUE(host.wait_for_err("running")) << host.wait().err;
    host.send(SIGTERM);
    const Finished& ended = host.wait();
    EXPECT_EQ(ended.exit_code, 0) << ended.err;
    EXPECT_THAT(ended.err, HasSubstr("status 0"));
    const std::string shown = ended.out + ended.err;
    EXPECT_EQ(mask_in(shown, "SigBlk"), 0U);
    EXPECT_EQ(mask_in(shown, "SigIgn") & ~of_the_c_library, 0U);
    // What is executed has handlers of its own alone, and so have sanitizers.
    if (std::string_view(GetParam()) == "fork" && SKEP_THIS_SANITIZERS == 0) {
        EXPECT_EQ(mask_in(shown, "SigCgt") & ~of_the_c_library, 0U);
    }
}

INSTANTIATE_TEST_SUITE_P(Ways,
                         ChildOfAPlugin,
                         testing::Values("popen", "system", "posix_spawn", "fork"));

TEST_F(ProcessState, StandardStreamsThatAreClosedAreNotTakenByFiles) {
    Process host =
        start("exec $SKEP run $FILE --summary $FOLDER/s.json --audit $FOLDER/audit <&- >&- 2>&-",
              counter);
    EXPECT_EQ(host.wait().exit_code, 0);
    EXPECT_THAT(folder.read("s.json"), testing::StartsWith("{\"workers\":"));
    EXPECT_THAT(folder.read("audit"), Not(HasSubstr("running")));
    EXPECT_THAT(folder.read("audit"), Not(HasSubstr("accounting:")));
}

TEST_F(ProcessState, AFileSizeLimitIsAnErrorOfTheWriteAndNotASignal) {
    Process host = start("ulimit -f 512; exec $SKEP run $FILE > $FOLDER/out", counter);
    const Finished& ended = host.wait();
    EXPECT_EQ(ended.exit_code, 1) << ended.err;
    EXPECT_THAT(ended.err, AllOf(HasSubstr("File too large"), HasSubstr(": balanced\n")));
}

TEST_F(ProcessState, AHangUpDoesNothingUnderNohup) {
    Process host = start("trap '' HUP; exec $SKEP run $FILE", worker_that_starts("none"));
    ASSERT_TRUE(host.wait_for_err("running")) << host.wait().err;
    host.send(SIGHUP);
    host.send(SIGTERM);
    const Finished& ended = host.wait();
    EXPECT_EQ(ended.exit_code, 0) << ended.err;
    EXPECT_THAT(ended.err, Not(HasSubstr("reload")));
}

// A shell without job control has its background jobs ignore SIGINT and SIGQUIT.
TEST_F(ProcessState, SignalsThatStopDoSoAlsoWhereTheParentIgnoredThem) {
    for (const int signal : {SIGINT, SIGTERM}) {
        Process host =
            start("trap '' INT QUIT TERM; exec $SKEP run $FILE", worker_that_starts("none"));
        ASSERT_TRUE(host.wait_for_err("running")) << host.wait().err;
        host.send(signal);
        EXPECT_EQ(host.wait().exit_code, 0) << host.wait().err;
    }
}

// By the kernel's own word. A child that a plugin starts inherits the mask of its thread.
TEST_F(ProcessState, OnlyTheMainThreadBlocksSignals) {
    Process host = start("exec $SKEP run $FILE", worker_that_starts("none"));
    ASSERT_TRUE(host.wait_for_err("running")) << host.wait().err;
    const std::filesystem::path proc = "/proc/" + std::to_string(host.pid());
    for (const auto& task : std::filesystem::directory_iterator(proc / "task")) {
        std::ifstream status(task.path() / "status");
        const std::string text{std::istreambuf_iterator<char>(status), {}};
        const bool is_of_sanitizer =
            SKEP_THIS_SANITIZERS != 0 && (mask_in(text, "SigBlk") & bit(SIGSEGV)) != 0;
        if (task.path().filename() == std::to_string(host.pid()) || is_of_sanitizer) {
            continue;
        }
        EXPECT_EQ(mask_in(text, "SigBlk") & (bit(SIGTERM) | bit(SIGINT) | bit(SIGHUP)), 0U) << text;
    }
    host.send(SIGTERM);
    EXPECT_EQ(host.wait().exit_code, 0) << host.wait().err;
}

class FirstProcess : public ProcessState {
protected:
    // In a pid namespace of its own, with a shell that does what `then` says meanwhile.
    void SetUp() override {
        const Finished tried = test::run({"/usr/bin/unshare", "-p", "-f", "--mount-proc", "true"});
        if (tried.exit_code != 0) {
            GTEST_SKIP() << "no pid namespace to be had here: " << tried.err;
        }
    }
};

TEST_F(FirstProcess, TakesInWhatIsOrphaned) {
    Process host = start("exec unshare -p -f --kill-child --mount-proc $SKEP run $FILE",
                         worker_that_starts("orphans"));
    ASSERT_TRUE(host.wait_for_err("running")) << host.wait().err;
    // Every process below unshare: process 1, the host, and what is not taken in yet.
    const auto zombies = [&] {
        return test::run({"/bin/sh",
                          "-c",
                          "nsenter -t $(pgrep -P " + std::to_string(host.pid()) +
                              ") -p -m sh -c \"grep -l '^State:.Z' /proc/[0-9]*/status\""})
            .out;
    };
    for (int tries = 0; tries < 1000 && !zombies().empty(); ++tries) {
    }
    EXPECT_EQ(zombies(), "");
    EXPECT_THAT(
        test::run({"/bin/sh", "-c", "kill -TERM $(pgrep -P " + std::to_string(host.pid()) + ")"})
            .err,
        "");
    EXPECT_EQ(host.wait().exit_code, 0) << host.wait().err;
}

TEST_F(FirstProcess, EndsAsItsHostEnds) {
    const auto ends_with = [&](const std::string& topology) {
        return start("exec unshare -p -f --mount-proc $SKEP run $FILE", topology).wait().exit_code;
    };
    EXPECT_EQ(ends_with(counter), 0);
    EXPECT_EQ(ends_with("version = 1\n[worker.a]\nplugn = 1\n"), 78);
}

}  // namespace
}  // namespace skep::host
