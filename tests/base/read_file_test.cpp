#include "host/base/read_file.hpp"

#include <functional>
#include <future>
#include <vector>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "host/base/fd.hpp"
#include "tests/support/temp_folder.hpp"

namespace skep::host {
namespace {

using testing::HasSubstr;

constexpr ReadLimits short_limits = {100, std::chrono::milliseconds(10), std::chrono::minutes(1)};
constexpr ReadLimits fuses = {100, std::chrono::minutes(1), std::chrono::minutes(1)};

std::string fifo(const std::string& path) {
    EXPECT_EQ(::mkfifo(path.c_str(), 0600), 0);
    return path;
}

std::string socket_at(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    const Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    return path;
}

// Whatever stands at the path that a user gives.
struct Place {
    const char* name;
    std::function<std::string(const test::TempFolder&)> make;  // the path
    PipeUse pipes;
    const char* text;     // that is read, or null
    const char* problem;  // that is reported, or null

    friend void PrintTo(const Place& place, std::ostream* to) { *to << place.name; }
};

class ReadFilePlace : public testing::TestWithParam<Place> {};

TEST_P(ReadFilePlace, IsReadOrRefusedWithinABound) {
    const test::TempFolder folder;
    const std::string path = GetParam().make(folder);
    const Result<std::string> read = read_file(path, GetParam().pipes, short_limits);
    if (GetParam().text != nullptr) {
        ASSERT_TRUE(read) << render(read.error().front());
        EXPECT_EQ(*read, GetParam().text);
    } else {
        ASSERT_FALSE(read);
        EXPECT_EQ(read.error().front().file, path);
        EXPECT_THAT(read.error().front().message, HasSubstr(GetParam().problem));
    }
}

INSTANTIATE_TEST_SUITE_P(
    Each,
    ReadFilePlace,
    testing::Values(Place{"a_file",
                          [](const auto& in) { return in.write("a", "text"); },
                          PipeUse::refused,
                          "text",
                          nullptr},
                    Place{"an_empty_file",
                          [](const auto& in) { return in.write("a", ""); },
                          PipeUse::refused,
                          "",
                          nullptr},
                    Place{"a_file_of_the_largest_size",
                          [](const auto& in) { return in.write("a", std::string(100, 'x')); },
                          PipeUse::refused,
                          "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
                          "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
                          nullptr},
                    Place{"a_larger_file",
                          [](const auto& in) { return in.write("a", std::string(101, 'x')); },
                          PipeUse::refused,
                          nullptr,
                          "it is larger than"},
                    Place{"nothing",
                          [](const auto& in) { return in.path("a"); },
                          PipeUse::read_to_end,
                          nullptr,
                          "No such file"},
                    Place{"a_folder",
                          [](const auto& in) { return in.path(); },
                          PipeUse::read_to_end,
                          nullptr,
                          "it is a folder"},
                    Place{"an_endless_device",
                          [](const auto&) { return std::string("/dev/zero"); },
                          PipeUse::read_to_end,
                          nullptr,
                          "it is a device"},
                    Place{"a_link_to_an_endless_device",
                          [](const auto& in) {
                              EXPECT_EQ(::symlink("/dev/zero", in.path("a").c_str()), 0);
                              return in.path("a");
                          },
                          PipeUse::refused,
                          nullptr,
                          "it is a device"},
                    Place{"a_socket",
                          [](const auto& in) { return socket_at(in.path("a")); },
                          PipeUse::read_to_end,
                          nullptr,
                          "it is a socket"},
                    Place{"a_fifo_that_nobody_writes",
                          [](const auto& in) { return fifo(in.path("a")); },
                          PipeUse::read_to_end,
                          nullptr,
                          "it is a pipe, and nothing was written to it"},
                    Place{"a_fifo_that_may_be_read_once",
                          [](const auto& in) { return fifo(in.path("a")); },
                          PipeUse::refused,
                          nullptr,
                          "it is a pipe, which gives its text once"}),
    [](const auto& it) { return it.param.name; });

TEST(ReadPipe, ReadsWhatAWriterThatComesLaterWrites) {
    const test::TempFolder folder;
    const std::string path = fifo(folder.path("a"));
    auto read = std::async(std::launch::async,
                           [&] { return read_file(path, PipeUse::read_to_end, fuses); });
    {
        const Fd writer(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
        EXPECT_EQ(::write(writer.get(), "text", 4), 4);
    }
    const Result<std::string> text = read.get();
    ASSERT_TRUE(text) << render(text.error().front());
    EXPECT_EQ(*text, "text");
}

// `skep run <(generate)`, of which the writer may have come to its end already.
TEST(ReadPipe, ReadsAnInheritedPipeByItsDescriptor) {
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    const Fd reader(ends[0]);
    EXPECT_EQ(::write(ends[1], "text", 4), 4);
    ::close(ends[1]);
    const Result<std::string> text =
        read_file("/dev/fd/" + std::to_string(reader.get()), PipeUse::read_to_end, fuses);
    ASSERT_TRUE(text) << render(text.error().front());
    EXPECT_EQ(*text, "text");
}

TEST(ReadPipe, RefusesAWriterThatStaysAndWritesNoMore) {
    const test::TempFolder folder;
    const std::string path = fifo(folder.path("a"));
    const Fd writer(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    EXPECT_EQ(::write(writer.get(), "text", 4), 4);
    const Result<std::string> text = read_file(path, PipeUse::read_to_end, short_limits);
    ASSERT_FALSE(text);
    EXPECT_THAT(text.error().front().message, HasSubstr("its writer did not close it"));
}

}  // namespace
}  // namespace skep::host
