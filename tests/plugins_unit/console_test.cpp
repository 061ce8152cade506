#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <future>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/support/fake_host.hpp"

namespace skep::test {
namespace {

using ::testing::IsEmpty;

// Stands in for standard output while it lives: a pipe whose other end the test reads.
class Redirected {
public:
    Redirected() {
        std::fflush(stdout);
        saved_ = ::dup(STDOUT_FILENO);
        int ends[2] = {-1, -1};
        EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
        EXPECT_EQ(::fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
        ::dup2(ends[1], STDOUT_FILENO);
        ::close(ends[1]);
        read_end_ = ends[0];
    }

    ~Redirected() {
        restore_limit();
        std::fflush(stdout);
        ::dup2(saved_, STDOUT_FILENO);
        ::close(saved_);
        close_reader();
        std::clearerr(stdout);
    }

    void to_file(const char* path, int mode = O_WRONLY) {
        const int file = ::open(path, mode | O_CLOEXEC);
        ASSERT_GE(file, 0);
        ::dup2(file, STDOUT_FILENO);
        ::close(file);
    }

    // A file of its own, that takes no more than `size` bytes. Until restore_limit().
    void to_limited_file(rlim_t size) {
        const int file = ::open("/tmp", O_WRONLY | O_TMPFILE | O_CLOEXEC, 0600);
        ASSERT_GE(file, 0);
        ::dup2(file, STDOUT_FILENO);
        ::close(file);
        ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &limit_), 0);
        before_ = ::signal(SIGXFSZ, SIG_IGN);
        const rlimit low = {size, limit_.rlim_max};
        ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &low), 0);
        is_limited_ = true;
    }

    void restore_limit() {
        if (std::exchange(is_limited_, false)) {
            ::setrlimit(RLIMIT_FSIZE, &limit_);
            ::signal(SIGXFSZ, before_);
        }
    }

    void make_non_blocking() const { EXPECT_EQ(::fcntl(STDOUT_FILENO, F_SETFL, O_NONBLOCK), 0); }

    // Until the pipe takes no more.
    void fill() {
        const int flags = ::fcntl(STDOUT_FILENO, F_GETFL);
        EXPECT_EQ(::fcntl(STDOUT_FILENO, F_SETFL, O_NONBLOCK), 0);
        const std::string block(4096, '-');
        while (::write(STDOUT_FILENO, block.data(), block.size()) ==
               static_cast<ssize_t>(block.size())) {
            filling_ += block.size();
        }
        EXPECT_EQ(::fcntl(STDOUT_FILENO, F_SETFL, flags), 0);
    }

    [[nodiscard]] std::size_t filling() const { return filling_; }

    void close_reader() {
        if (read_end_ >= 0) {
            ::close(read_end_);
            read_end_ = -1;
        }
    }

    // What has been written so far.
    std::string read() const {
        std::string all;
        char block[4096];
        for (ssize_t got = 0; (got = ::read(read_end_, block, sizeof(block))) > 0;) {
            all.append(block, static_cast<std::size_t>(got));
        }
        return all;
    }

private:
    int saved_ = -1;
    int read_end_ = -1;
    std::size_t filling_ = 0;
    bool is_limited_ = false;
    rlimit limit_{};
    void (*before_)(int) = SIG_DFL;
};

class Console : public ::testing::Test {
protected:
    // A reader that has gone is an error of write(), as in a host, which ignores SIGPIPE.
    Console()
        : before_(::signal(SIGPIPE, SIG_IGN)) {}

    ~Console() override { ::signal(SIGPIPE, before_); }

    void (*before_)(int);
    FakeHost host_{"console"};
};

TEST_F(Console, WritesEveryByteAndANewline) {
    Redirected out;
    ASSERT_EQ(host_.create(), SKEP_OK);
    EXPECT_EQ(host_.handle({"one", "", std::string("a\0\xff", 3)}), SKEP_OK);
    EXPECT_EQ(host_.drain(), SKEP_OK);
    EXPECT_EQ(out.read(), std::string("one\n\na\0\xff\n", 9));
}

TEST_F(Console, HasWrittenALineWhenItsMessageIsFinished) {
    Redirected out;
    ASSERT_EQ(host_.create(), SKEP_OK);
    EXPECT_EQ(host_.handle({"one"}), SKEP_OK);
    EXPECT_EQ(out.read(), "one\n");
    EXPECT_EQ(host_.handle({"two", "three"}), SKEP_OK);
    EXPECT_EQ(host_.done, 2u);
    EXPECT_EQ(out.read(), "two\nthree\n");
    EXPECT_THAT(host_.timers, IsEmpty());
}

TEST_F(Console, KeepsTheLinesOfTwoConsolesWholeAndInOrder) {
    Redirected out;
    FakeHost other("console");
    ASSERT_EQ(host_.create(), SKEP_OK);
    ASSERT_EQ(other.create(), SKEP_OK);
    std::string expected;
    for (int i = 0; i < 500; ++i) {
        const std::string line = std::to_string(i) + std::string(20, 'x');
        EXPECT_EQ((i % 2 == 0 ? host_ : other).handle({line}), SKEP_OK);
        expected += line + "\n";
    }
    EXPECT_EQ(host_.drain(), SKEP_OK);
    EXPECT_EQ(out.read(), expected);
}

// Both kinds of pipe: one that blocks its writer, and one that somebody else has made non-blocking.
class ConsoleOnAFullPipe : public Console, public ::testing::WithParamInterface<bool> {
protected:
    void SetUp() override {
        if (GetParam()) {
            out_.make_non_blocking();
        }
        out_.fill();
        ASSERT_EQ(host_.create(), SKEP_OK);
    }

    Redirected out_;
};

TEST_P(ConsoleOnAFullPipe, WaitsUntilThereIsRoomAndLosesNothing) {
    std::vector<std::string> messages;
    std::string expected;
    for (int i = 0; i < 20; ++i) {  // several times what the pipe holds
        messages.emplace_back(10'000, static_cast<char>('a' + i));
        expected += messages.back() + "\n";
    }
    auto handled = std::async(std::launch::async, [&] { return host_.handle(messages); });
    std::string all;
    while (all.size() < out_.filling() + expected.size()) {
        all += out_.read();
    }
    EXPECT_EQ(handled.get(), SKEP_OK);
    EXPECT_EQ(host_.done, 20u);
    EXPECT_EQ(all.substr(out_.filling()), expected);
}

TEST_P(ConsoleOnAFullPipe, GivesBackWhatItHasNotWrittenWhenTheHostWantsSomething) {
    host_.control = 1;
    EXPECT_EQ(host_.handle({"one", "two"}), SKEP_OK);
    EXPECT_EQ(host_.done, 0u);
    EXPECT_EQ(out_.read().size(), out_.filling());
    host_.control = 0;
    EXPECT_EQ(host_.handle({"one", "two"}), SKEP_OK);
    EXPECT_EQ(host_.done, 2u);
    EXPECT_EQ(out_.read(), "one\ntwo\n");
}

TEST_P(ConsoleOnAFullPipe, FailsWhenTheReaderGoesWhileItWaits) {
    auto handled = std::async(std::launch::async, [&] { return host_.handle({"one", "two"}); });
    out_.close_reader();
    EXPECT_EQ(handled.get(), SKEP_E_FAILED);
    EXPECT_EQ(host_.done, 0u);
    EXPECT_EQ(host_.failure, "cannot write to stdout: Broken pipe");
}

INSTANTIATE_TEST_SUITE_P(Console,
                         ConsoleOnAFullPipe,
                         ::testing::Bool(),
                         [](const auto& is_non_blocking) {
                             return is_non_blocking.param ? "NonBlocking" : "Blocking";
                         });

struct BadOutput {
    const char* name;
    void (*prepare)(Redirected&);
    const char* failure;
    std::uint32_t done;  // of four messages, of which the third does not fit a full file
};

class ConsoleFails : public Console, public ::testing::WithParamInterface<BadOutput> {};

TEST_P(ConsoleFails, WithTheCauseOnTheFirstMessageThatIsNotWritten) {
    Redirected out;
    ASSERT_EQ(host_.create(), SKEP_OK);
    GetParam().prepare(out);
    EXPECT_EQ(host_.handle({"one", "two", std::string(20'000, 'x'), "four"}), SKEP_E_FAILED);
    EXPECT_EQ(host_.done, GetParam().done);
    EXPECT_EQ(host_.failure, std::string("cannot write to stdout: ") + GetParam().failure);
    out.restore_limit();
}

INSTANTIATE_TEST_SUITE_P(
    Console,
    ConsoleFails,
    ::testing::Values(
        BadOutput{"NoReader", [](Redirected& out) { out.close_reader(); }, "Broken pipe", 0},
        BadOutput{"FullDisk",
                  [](Redirected& out) { out.to_file("/dev/full"); },
                  "No space left on device",
                  0},
        BadOutput{"FileSizeLimit",
                  [](Redirected& out) { out.to_limited_file(10'000); },
                  "File too large",
                  2},
        BadOutput{"ReadOnly",
                  [](Redirected& out) { out.to_file("/dev/null", O_RDONLY); },
                  "Bad file descriptor",
                  0}),
    [](const auto& output) { return output.param.name; });

}  // namespace
}  // namespace skep::test
