// A host whose stderr takes nothing more works, answers and ends as any other.
#include <array>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <string>
#include <utility>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <termios.h>
#include <unistd.h>

#include "host/base/fd.hpp"
#include "tests/support/process.hpp"
#include "tests/support/temp_folder.hpp"

namespace skep::host {
namespace {

using test::Process;
using test::TempFolder;

// What a program may have as its stderr. `fd` is for it, `other` keeps it alive.
struct Terminal {
    int fd = Process::closed_stderr;
    int other = -1;
};

Terminal full_pipe() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    const int flags = ::fcntl(ends[1], F_GETFL);
    ::fcntl(ends[1], F_SETFL, flags | O_NONBLOCK);
    const std::string dots(4096, '.');
    while (::write(ends[1], dots.data(), dots.size()) > 0) {
    }
    ::fcntl(ends[1], F_SETFL, flags);
    return {ends[1], ends[0]};
}

Terminal pipe_without_a_reader() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    ::close(ends[0]);
    return {ends[1], -1};
}

// As after Ctrl-S.
Terminal stopped_terminal() {
    const int controller = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    EXPECT_EQ(::grantpt(controller), 0);
    EXPECT_EQ(::unlockpt(controller), 0);
    const int terminal = ::open(::ptsname(controller), O_RDWR | O_NOCTTY | O_CLOEXEC);
    EXPECT_EQ(::tcflow(terminal, TCOOFF), 0);
    return {terminal, controller};
}

Terminal full_disk() {
    return {::open("/dev/full", O_WRONLY | O_CLOEXEC), -1};
}

struct Kind {
    const char* name;
    std::function<Terminal()> make;

    friend void PrintTo(const Kind& kind, std::ostream* to) { *to << kind.name; }
};

class BlockedStderr : public testing::TestWithParam<Kind> {
protected:
    BlockedStderr()
        : terminal(GetParam().make()) {}

    ~BlockedStderr() override {
        for (const int fd : {terminal.fd, terminal.other}) {
            if (fd >= 0) {
                ::close(fd);
            }
        }
    }

    // A source whose messages are shown on stdout, and `more` workers.
    std::string topology(const std::string& more = "") const {
        return folder.write("a.toml", R"(version = 1
[worker.source]
plugin = "generate"
config = { interval = "10ms" }
[worker.console]
plugin = "console"
[[route]]
from = "source"
to   = "console"
)" + more);
    }

    const TempFolder folder;
    const Terminal terminal;
};

TEST_P(BlockedStderr, HoldsUpNeitherTheHostNorItsEnd) {
    const std::string summary = folder.path("s.json");
    Process run({SKEP_EXECUTABLE, "run", topology(), "--summary", summary, "--log-level", "debug"},
                {},
                std::chrono::minutes(1),
                terminal.fd);
    ASSERT_TRUE(run.wait_for_out("message 3"));
    run.send(SIGTERM);
    EXPECT_EQ(run.wait().exit_code, 0);
    EXPECT_THAT(folder.read("s.json"), testing::HasSubstr("\"balanced\":true"));
}

TEST_P(BlockedStderr, DoesNotKeepSignalsFromEscalating) {
    const std::string stuck = "[worker.stuck]\nplugin = \"" + std::string(SKEP_TEST_PLUGIN_DIR) +
                              "/libnever_returns.so\"\ntype = \"never_reaches_checkpoint\"\n";
    Process run(
        {SKEP_EXECUTABLE, "run", topology(stuck)}, {}, std::chrono::minutes(1), terminal.fd);
    ASSERT_TRUE(run.wait_for_out("message 3"));
    run.send(SIGTERM);
    run.send(SIGINT);  // another one: two of the same may come as one
    EXPECT_EQ(run.wait().exit_code, 130);
}

// Original defect S02.
TEST_P(BlockedStderr, DoesNotKeepAFailureFromEndingTheHost) {
    const std::string failing =
        "[worker.reader]\nplugin = \"file_tail\"\nconfig.path = \"/no/such/log\"\n"
        "[[route]]\nfrom = \"reader\"\nto = \"console\"\n";
    Process run(
        {SKEP_EXECUTABLE, "run", topology(failing)}, {}, std::chrono::minutes(1), terminal.fd);
    EXPECT_EQ(run.wait().exit_code, 1);
}

INSTANTIATE_TEST_SUITE_P(Each,
                         BlockedStderr,
                         testing::Values(Kind{"full_pipe", full_pipe},
                                         Kind{"stopped_terminal", stopped_terminal},
                                         Kind{"pipe_without_a_reader", pipe_without_a_reader},
                                         Kind{"full_disk", full_disk},
                                         Kind{"closed", [] { return Terminal(); }}),
                         [](const auto& it) { return it.param.name; });

}  // namespace
}  // namespace skep::host
