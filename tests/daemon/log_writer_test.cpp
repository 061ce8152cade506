#include "host/daemon/log_writer.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <string>
#include <utility>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace skep::host::log_writer_test {
namespace {

constexpr Nanos fuse = std::chrono::minutes(1);
constexpr Nanos at_once = std::chrono::milliseconds(1);

std::string lost_text(std::uint64_t lines, int error) {
    return "lost " + std::to_string(lines) + " for " + std::to_string(error) + "\n";
}

class LogWriter : public testing::Test {
protected:
    LogWriter() {
        std::signal(SIGPIPE, SIG_IGN);  // as the host does
        if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
            std::abort();
        }
    }

    ~LogWriter() override {
        ::close(ends[0]);
        close_writing_end();
    }

    void close_writing_end() {
        if (ends[1] >= 0) {
            ::close(std::exchange(ends[1], -1));
        }
    }

    // Fills the pipe: a writer then blocks until take() has made room.
    void fill() {
        const int flags = ::fcntl(ends[1], F_GETFL);
        ::fcntl(ends[1], F_SETFL, flags | O_NONBLOCK);
        const std::string dots(4096, '.');
        while (::write(ends[1], dots.data(), dots.size()) > 0) {
        }
        ::fcntl(ends[1], F_SETFL, flags);
    }

    // Reads until `text` has come. What is not a dot.
    std::string take_until(const std::string& text) {
        std::string taken;
        std::array<char, 65536> buffer{};
        while (taken.find(text) == std::string::npos) {
            const ssize_t size = ::read(ends[0], buffer.data(), buffer.size());
            if (size <= 0) {
                return taken + "<end>";
            }
            taken.append(buffer.data(), static_cast<std::size_t>(size));
        }
        std::erase(taken, '.');
        return taken;
    }

    std::array<int, 2> ends{};
};

TEST_F(LogWriter, WritesLinesInOrder) {
    host::LogWriter writer(ends[1], lost_text);
    writer.write("a\n");
    writer.write("b\n");
    EXPECT_TRUE(writer.flush(fuse));
    EXPECT_EQ(take_until("b\n"), "a\nb\n");
}

TEST_F(LogWriter, NeverBlocksAndCountsWhatFindsNoRoomWhereItWasLost) {
    fill();
    host::LogWriter writer(ends[1], lost_text, 8);
    writer.write("first\n");
    writer.write("fits\n");  // fewer than eight bytes wait
    writer.write("lost\n");
    writer.write("lost\nlost\n");
    EXPECT_FALSE(writer.flush(at_once));
    EXPECT_FALSE(writer.flush_in_signal_handler(at_once));
    EXPECT_EQ(take_until("for 0\n"), "first\nfits\nlost 3 for 0\n");
    writer.write("next\n");
    EXPECT_TRUE(writer.flush(fuse));
    EXPECT_TRUE(writer.flush_in_signal_handler(fuse));
    EXPECT_EQ(take_until("next\n"), "next\n");
}

TEST_F(LogWriter, ATextLargerThanTheQueueIsWrittenWhenNothingWaits) {
    const std::string large = std::string(100'000, 'x') + "\n";
    host::LogWriter writer(ends[1], lost_text, 8);
    writer.write(large);
    EXPECT_EQ(take_until("\n"), large);
}

TEST_F(LogWriter, EndsThoughNobodyReads) {
    fill();
    host::LogWriter(ends[1], lost_text).write("never read\n");
}

TEST_F(LogWriter, SurvivesThatItsDescriptorIsClosedByOthers) {
    host::LogWriter writer(ends[1], lost_text);
    close_writing_end();
    writer.write("a\n");
    EXPECT_EQ(take_until("a\n"), "a\n");
}

TEST_F(LogWriter, LeavesTheFlagsOfTheOpenFileAsTheyAre) {
    const int before = ::fcntl(ends[1], F_GETFL);
    const host::LogWriter writer(ends[1], lost_text);
    EXPECT_EQ(::fcntl(ends[1], F_GETFL), before);
}

TEST_F(LogWriter, WaitsForRoomInAPipeThatOthersMadeNonBlocking) {
    fill();
    ::fcntl(ends[1], F_SETFL, ::fcntl(ends[1], F_GETFL) | O_NONBLOCK);
    host::LogWriter writer(ends[1], lost_text);
    writer.write("a\n");
    EXPECT_EQ(take_until("a\n"), "a\n");
}

TEST(LogWriterOnAFullDisk, GoesOnWithoutTheLines) {
    const Fd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
    host::LogWriter writer(full.get(), lost_text);
    writer.write("a\n");
    writer.write("b\n");
    EXPECT_TRUE(writer.flush(fuse));
}

TEST(LogWriterWithoutADescriptor, GoesOn) {
    host::LogWriter writer(-1, lost_text);
    writer.write("a\n");
    EXPECT_TRUE(writer.flush(fuse));
}

}  // namespace
}  // namespace skep::host::log_writer_test
