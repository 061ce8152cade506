#include "host/control/listener.hpp"

#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <latch>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/support/raw_client.hpp"
#include "tests/support/temp_folder.hpp"

namespace skep::host {
namespace {

namespace fs = std::filesystem;
using test::RawClient;
using test::TempFolder;
using testing::AllOf;
using testing::HasSubstr;

mode_t mode_of(const std::string& path) {
    struct stat file {};

    EXPECT_EQ(::lstat(path.c_str(), &file), 0) << path;
    return file.st_mode & 07777U;
}

std::string refusal_of(const std::string& path) {
    const Listener::Opened opened = Listener::open(path, "bees");
    return opened ? "opened" : opened.error().why;
}

TEST(Listener, MakesAFolderAndASocketForThisUserAlone) {
    const TempFolder folder;
    const std::string path = folder / "skep/bees.sock";
    const mode_t before = ::umask(0);  // the modes are not those of a careful user
    const Listener::Opened opened = Listener::open(path, "bees");
    ::umask(before);
    ASSERT_TRUE(opened) << opened.error().why;
    EXPECT_EQ(mode_of(folder / "skep"), 0700U);
    EXPECT_EQ(mode_of(path), 0600U);
    EXPECT_TRUE(RawClient(path).is_connected());
}

TEST(Listener, TakesItsSocketAwayAtTheEnd) {
    const TempFolder folder;
    const std::string path = folder / "bees.sock";
    { EXPECT_TRUE(Listener::open(path, "bees")); }
    EXPECT_FALSE(fs::exists(fs::symlink_status(path)));
}

TEST(Listener, LeavesTheSocketOfAnotherAlone) {
    const TempFolder folder;
    const std::string path = folder / "bees.sock";
    {
        const Listener::Opened opened = Listener::open(path, "bees");
        ASSERT_TRUE(opened);
        fs::remove(path);
        folder.write("bees.sock", "of another");
    }
    EXPECT_EQ(folder.read("bees.sock"), "of another");
}

TEST(Listener, AFolderThatOthersMayWriteToIsRefused) {
    for (const mode_t mode : {0770U, 0707U, 01777U}) {
        const TempFolder folder;
        fs::create_directory(folder / "skep");
        ASSERT_EQ(::chmod((folder / "skep").c_str(), mode), 0);
        EXPECT_THAT(refusal_of(folder / "skep/bees.sock"), HasSubstr("others may write"));
    }
}

TEST(Listener, AFolderOfAnotherUserIsRefused) {
    if (::geteuid() != 0) {
        GTEST_SKIP() << "needs root, who can give a folder away";
    }
    const TempFolder folder;
    fs::create_directory(folder / "skep");
    ASSERT_EQ(::chown((folder / "skep").c_str(), 4242, 4242), 0);
    EXPECT_THAT(refusal_of(folder / "skep/bees.sock"), HasSubstr("belongs to another user"));
}

TEST(Listener, ALinkToAFolderIsRefused) {
    const TempFolder folder;
    fs::create_directory(folder / "real");
    fs::create_directory_symlink(folder / "real", folder / "skep");
    EXPECT_THAT(refusal_of(folder / "skep/bees.sock"), HasSubstr("its folder"));
}

TEST(Listener, WhatIsNoSocketIsNotReplaced) {
    const TempFolder folder;
    const std::string path = folder.write("bees.sock", "precious");
    EXPECT_THAT(refusal_of(path), AllOf(HasSubstr(path), HasSubstr("not a socket")));
    EXPECT_EQ(folder.read("bees.sock"), "precious");
}

TEST(Listener, APathThatNoSocketCanHaveIsRefused) {
    const TempFolder folder;
    EXPECT_THAT(refusal_of(folder / (std::string(200, 'x') + ".sock")), HasSubstr("107 bytes"));
    EXPECT_THAT(refusal_of(""), HasSubstr("107 bytes"));
    EXPECT_THAT(refusal_of(folder / "none/none/bees.sock"), HasSubstr("No such file"));
}

TEST(Listener, ALivingHostIsRefusedWithItsProcess) {
    const TempFolder folder;
    const std::string path = folder / "bees.sock";
    const Listener::Opened first = Listener::open(path, "bees");
    ASSERT_TRUE(first);
    const Listener::Opened second = Listener::open(path, "bees");
    ASSERT_FALSE(second);
    EXPECT_TRUE(second.error().is_taken);
    EXPECT_EQ(second.error().why,
              "a host named 'bees' runs already, process " + std::to_string(::getpid()));
    EXPECT_TRUE(RawClient(path).is_connected());
}

// As a host leaves it that was killed.
void leave_dead_socket(const std::string& path) {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    ASSERT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    ::close(fd);
}

TEST(Listener, TheSocketOfADeadHostIsReplaced) {
    const TempFolder folder;
    const std::string path = folder / "bees.sock";
    leave_dead_socket(path);
    const Listener::Opened opened = Listener::open(path, "bees");
    ASSERT_TRUE(opened) << opened.error().why;
    EXPECT_TRUE(RawClient(path).is_connected());
}

TEST(Listener, OfManyThatBeginAtOnceOneIsLetIn) {
    const TempFolder folder;
    const std::string path = folder / "bees.sock";
    for (int round = 0; round < 200; ++round) {
        leave_dead_socket(path);
        std::latch begin(4);
        std::vector<std::future<Listener::Opened>> opened;
        for (int i = 0; i < 4; ++i) {
            opened.push_back(std::async(std::launch::async, [&] {
                begin.arrive_and_wait();
                return Listener::open(path, "bees");
            }));
        }
        std::vector<Listener::Opened> ends;
        int let_in = 0;
        for (auto& it : opened) {
            ends.push_back(it.get());
            let_in += ends.back() ? 1 : 0;
        }
        ASSERT_EQ(let_in, 1) << round;
    }
}

TEST(Listener, TakesTheFirstFolderThatWillDo) {
    const TempFolder folder;
    folder.write("file", "");
    const std::vector<std::string> folders = {folder / "file", folder / "skep"};
    const Listener::Opened opened = Listener::open_in(folders, "bees");
    ASSERT_TRUE(opened) << opened.error().why;
    EXPECT_EQ((*opened)->path(), folder / "skep/bees.sock");
}

TEST(Listener, SaysOfEveryFolderWhyItWillNotDo) {
    const TempFolder folder;
    folder.write("one", "");
    folder.write("two", "");
    const Listener::Opened opened = Listener::open_in({folder / "one", folder / "two"}, "bees");
    ASSERT_FALSE(opened);
    EXPECT_FALSE(opened.error().is_taken);
    EXPECT_THAT(opened.error().why,
                AllOf(HasSubstr(folder / "one/bees.sock"), HasSubstr(folder / "two/bees.sock")));
}

TEST(Listener, AHostThatLivesInOneFolderIsNotPutIntoTheNext) {
    const TempFolder folder;
    const std::vector<std::string> folders = {folder / "one", folder / "two"};
    const Listener::Opened first = Listener::open_in(folders, "bees");
    ASSERT_TRUE(first);
    const Listener::Opened second = Listener::open_in(folders, "bees");
    ASSERT_FALSE(second);
    EXPECT_TRUE(second.error().is_taken);
    EXPECT_FALSE(Listener::open_in(folders, "a/b"));
}

// What happens to the socket of a host that runs, and what the host does about it.
struct Loss {
    const char* what;
    std::function<void(const fs::path& runtime)> happens;
    Listener::Place place;
    const char* why;  // a part of it
};

TEST(Listener, BindsAgainWhatOthersHaveRemoved) {
    Listener::Opened other = Unexpected<Listener::Refused>({});
    const std::vector<Loss> cases = {
        {"nothing", [](const auto&) {}, Listener::Place::kept, ""},
        {"the socket is removed",
         [](const auto& it) { fs::remove(it / "skep/bees.sock"); },
         Listener::Place::bound_again,
         ""},
        {"its folder is removed",
         [](const auto& it) { fs::remove_all(it / "skep"); },
         Listener::Place::bound_again,
         ""},
        {"the runtime folder is removed",
         [](const auto& it) { fs::remove_all(it); },
         Listener::Place::bound_again,
         ""},
        {"a dead host's is in its place",
         [](const auto& it) {
             fs::remove(it / "skep/bees.sock");
             leave_dead_socket(it / "skep/bees.sock");
         },
         Listener::Place::bound_again,
         ""},
        {"another host has taken the name",
         [&other](const auto& it) {
             fs::remove(it / "skep/bees.sock");
             other = Listener::open(it / "skep/bees.sock", "bees");
         },
         Listener::Place::lost,
         "a host named 'bees' runs already"},
        {"a file is in its place",
         [](const auto& it) {
             fs::remove(it / "skep/bees.sock");
             std::ofstream file(it / "skep/bees.sock");
         },
         Listener::Place::lost,
         "not a socket"},
        {"others may write to its folder",
         [](const auto& it) {
             fs::remove_all(it / "skep");
             fs::create_directory(it / "skep");
             ::chmod((it / "skep").c_str(), 0777);
         },
         Listener::Place::lost,
         "others may write"},
    };
    for (const Loss& it : cases) {
        const TempFolder folder;
        fs::create_directory(folder / "run");
        const Listener::Opened opened = Listener::open_in({folder / "run/skep"}, "bees");
        ASSERT_TRUE(opened) << opened.error().why;
        it.happens(folder / "run");
        const Listener::Checked checked = (*opened)->keep_in_place();
        EXPECT_EQ(checked.place, it.place) << it.what;
        EXPECT_THAT(checked.why, HasSubstr(it.why)) << it.what;
        if (it.place != Listener::Place::lost) {
            EXPECT_EQ(mode_of(folder / "run/skep"), 0700U) << it.what;
            EXPECT_EQ(mode_of((*opened)->path()), 0600U) << it.what;
            EXPECT_TRUE(RawClient((*opened)->path()).is_connected()) << it.what;
            EXPECT_EQ((*opened)->keep_in_place().place, Listener::Place::kept) << it.what;
        }
    }
}

TEST(Listener, GoesToTheNextFolderWhenItsOwnCannotBeMadeAgain) {
    const TempFolder folder;
    const std::vector<std::string> folders = {folder / "run/user/skep", folder / "second"};
    fs::create_directories(folder / "run/user");
    const Listener::Opened opened = Listener::open_in(folders, "bees");
    ASSERT_TRUE(opened) << opened.error().why;
    fs::remove_all(folder / "run");
    EXPECT_EQ((*opened)->keep_in_place().place, Listener::Place::bound_again);
    EXPECT_EQ((*opened)->path(), folder / "second/bees.sock");
    EXPECT_TRUE(RawClient((*opened)->path()).is_connected());
}

}  // namespace
}  // namespace skep::host
