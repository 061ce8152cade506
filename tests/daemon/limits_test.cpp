// A host with few descriptors, little address space or no threads: it runs, or it says at once what
// it could not get. By the real program, under the limits of a shell.
#include <csignal>
#include <fstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <skep/note.h>

#include "tests/support/reload_fixture.hpp"

namespace skep::host {
namespace {

using testing::AnyOf;

const std::string topology = R"(version = 1
[worker.source]
plugin = "generate"
config = { count = 10 }
[worker.sink]
plugin = "blackhole"
[[route]]
from = "source"
to   = "sink"
)";

// `flag` of ulimit, from `first` to `last`.
struct LimitRow {
    const char* flag;
    long first, last, step;
};

class Limits : public testing::TestWithParam<LimitRow> {};

// clang-format off
INSTANTIATE_TEST_SUITE_P(Each, Limits, testing::Values(
    LimitRow{"-n", 4, 24, 2},                                       // descriptors
    LimitRow{"-v", 60'000, 460'000, 50'000},                        // KiB of address space
    LimitRow{"-s", 68'719'476'736, 68'719'476'736, 1}));  // KiB of stack: too many

// clang-format on

TEST_P(Limits, AHostRunsOrSaysAtOnceWhatItCouldNotGet) {
    if (SKEP_THIS_SANITIZERS != 0) {
        GTEST_SKIP() << "a sanitizer needs more than that itself";
    }
    const test::TempFolder folder;
    const std::string file = folder.write("a.toml", topology);
    const LimitRow row = GetParam();
    for (long limit = row.first; limit <= row.last; limit += row.step) {
        for (const char* const verb : {"check", "run"}) {
            const std::string command = std::string("ulimit ") + row.flag + " " +
                                        std::to_string(limit) + "; exec \"$0\" " + verb + " \"$1\"";
            const Finished ended = test::run({"/bin/sh", "-c", command, SKEP_EXECUTABLE, file},
                                             {{"XDG_RUNTIME_DIR", folder.path()}});
            SCOPED_TRACE(command);
            EXPECT_GE(ended.exit_code, 0) << ended.err;  // no signal
            if (ended.exit_code != 0) {
                EXPECT_THAT(ended.err,
                            AnyOf(HasSubstr("Too many open files"),
                                  HasSubstr("annot allocate memory"),
                                  HasSubstr("out of memory"),
                                  HasSubstr("Resource temporarily unavailable"),
                                  HasSubstr("failed to map segment"),  // the loader's words
                                  HasSubstr("error while loading shared libraries"),
                                  HasSubstr("threads")));
            }
        }
    }
}

bool has_thread(pid_t process, const std::string& name) {
    for (const auto& task : fs::directory_iterator("/proc/" + std::to_string(process) + "/task")) {
        std::string found;
        std::getline(std::ifstream(task.path() / "comm"), found);
        if (found == name) {
            return true;
        }
    }
    return false;
}

// A host that runs, and gets no more memory than it has: no child, no stack of a new thread.
TEST_F(Reload, WithoutMemoryForAChildItIsRefusedAndTheHostGoesOn) {
    if (SKEP_THIS_SANITIZERS != 0) {
        GTEST_SKIP() << "a sanitizer needs more than that itself";
    }
    install("greeter_1");
    write(one_worker);
    start();
    while (!has_thread(host->pid(), "control")) {  // the last that it starts by itself
    }
    install("greeter_2");
    rlimit before{};
    std::size_t pages = 0;  // of its address space
    std::ifstream("/proc/" + std::to_string(host->pid()) + "/statm") >> pages;
    const rlim_t some_words = 512UL * 1024;  // for what it says about that
    const rlimit nothing_more = {pages * ::sysconf(_SC_PAGESIZE) + some_words, RLIM_INFINITY};
    ASSERT_EQ(::prlimit(host->pid(), RLIMIT_AS, &nothing_more, &before), 0);
    host->send(SIGHUP);
    ASSERT_TRUE(host->wait_for_err("reload #1 (SIGHUP): refused"));
    ASSERT_EQ(::prlimit(host->pid(), RLIMIT_AS, &before, nullptr), 0);
    EXPECT_EQ(reload(), "reload #2: applied: swap w; 0 stay\n");
    greet("Ada", "version 2: hello Ada, number 1");
    EXPECT_THAT(stop(),
                AnyOf(HasSubstr("annot allocate memory"),
                      HasSubstr("out of memory"),
                      HasSubstr("cannot create a thread")));
}

}  // namespace
}  // namespace skep::host
