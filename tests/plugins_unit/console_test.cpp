#include <cstdio>
#include <string>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
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
        std::fflush(stdout);
        ::dup2(saved_, STDOUT_FILENO);
        ::close(saved_);
        close_reader();
        std::clearerr(stdout);
    }

    void to_file(const char* path) {
        const int file = ::open(path, O_WRONLY | O_CLOEXEC);
        ASSERT_GE(file, 0);
        ::dup2(file, STDOUT_FILENO);
        ::close(file);
    }

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

TEST_F(Console, FlushesSoonAfterTheFirstLineThatWaitsAndThenRests) {
    Redirected out;
    ASSERT_EQ(host_.create(), SKEP_OK);
    EXPECT_THAT(host_.timers, IsEmpty());
    EXPECT_EQ(host_.handle({"one"}), SKEP_OK);
    EXPECT_EQ(host_.advance(99 * ms), SKEP_OK);
    EXPECT_EQ(host_.handle({"two"}), SKEP_OK);
    EXPECT_EQ(out.read(), "");
    EXPECT_EQ(host_.advance(1 * ms), SKEP_OK);
    EXPECT_EQ(out.read(), "one\ntwo\n");
    EXPECT_THAT(host_.timers, IsEmpty());
    EXPECT_EQ(host_.handle({"three"}), SKEP_OK);
    EXPECT_EQ(host_.advance(100 * ms), SKEP_OK);
    EXPECT_EQ(out.read(), "three\n");
}

TEST_F(Console, LosesNothingWhenItIsDestroyedWithoutADrain) {
    Redirected out;
    ASSERT_EQ(host_.create(), SKEP_OK);
    EXPECT_EQ(host_.handle({"one"}), SKEP_OK);
    host_.destroy();
    EXPECT_EQ(out.read(), "one\n");
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

TEST_F(Console, FailsWhenTheReaderHasGone) {
    Redirected out;
    ASSERT_EQ(host_.create(), SKEP_OK);
    out.close_reader();
    EXPECT_EQ(host_.handle({"one"}), SKEP_OK);
    EXPECT_EQ(host_.advance(100 * ms), SKEP_E_FAILED);
    EXPECT_EQ(host_.failure, "cannot write to stdout: Broken pipe");
}

TEST_F(Console, FailsOnAFullDisk) {
    Redirected out;
    out.to_file("/dev/full");
    ASSERT_EQ(host_.create(), SKEP_OK);
    EXPECT_EQ(host_.handle({"fits the buffer", std::string(1 << 20, 'x'), "after"}), SKEP_E_FAILED);
    EXPECT_EQ(host_.done, 1u);
    EXPECT_EQ(host_.failure, "cannot write to stdout: No space left on device");
}

}  // namespace
}  // namespace skep::test
