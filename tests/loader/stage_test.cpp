#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/base/crash_report.hpp"
#include "host/loader/staging_folder.hpp"
#include "tests/support/plugin_files.hpp"

namespace skep::host {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;

std::span<const std::byte> span_of(std::string_view text) {
    return std::as_bytes(std::span(text));
}

mode_t mode_of(const std::string& path) {
    struct stat status {};

    EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
    return status.st_mode & 07777U;
}

// A small file system of its own, where the test may mount one.
class Mounted {
public:
    explicit Mounted(unsigned long flags)
        : is_mounted_(::mount("skep-test", folder_.path().c_str(), "tmpfs", flags, "size=64k") ==
                      0) {}

    ~Mounted() {
        if (is_mounted_) {
            ::umount2(folder_.path().c_str(), MNT_DETACH);
        }
    }

    [[nodiscard]] bool is_mounted() const { return is_mounted_; }

    [[nodiscard]] const std::string& path() const { return folder_.path(); }

private:
    TempFolder folder_;
    bool is_mounted_;
};

TEST(StagingFolder, IsAPrivateFolderOfThisProcess) {
    const TempFolder parent;
    const auto stage = StagingFolder::create({parent.path()});
    ASSERT_TRUE(stage) << message_of(stage);
    EXPECT_THAT((*stage)->folder(),
                MatchesRegex(parent.path() + "/skep-" + std::to_string(::getpid()) + "\\.......$"));
    EXPECT_EQ(mode_of((*stage)->folder()), 0700U);
}

TEST(StagingFolder, GoesWithEverythingInIt) {
    const TempFolder parent;
    {
        const auto stage = StagingFolder::create({parent.path()});
        ASSERT_TRUE((*stage)->add(span_of("x"), "libx", "0123abcd"));
    }
    EXPECT_TRUE(std::filesystem::is_empty(parent.path()));
}

TEST(StagingFolder, OfAProcessThatWasKilledIsRemovedByTheNext) {
    const TempFolder parent;
    const pid_t child = ::fork();
    if (child == 0) {
        const auto stage = StagingFolder::create({parent.path()});
        (void)(*stage)->add(span_of("x"), "libx", "0123abcd");
        ::raise(SIGKILL);
    }
    ASSERT_EQ(::waitpid(child, nullptr, 0), child);
    EXPECT_FALSE(std::filesystem::is_empty(parent.path()));
    { const auto stage = StagingFolder::create({parent.path()}); }
    EXPECT_TRUE(std::filesystem::is_empty(parent.path()));
}

TEST(StagingFolder, LeavesAloneWhatAnotherOneUsesAndWhatIsNotAStage) {
    const TempFolder parent;
    const auto first = StagingFolder::create({parent.path()});
    const std::vector<std::string> others = {"skep-1.abcde", "skep-x.abcdef", "skep-.abcdef", "x"};
    for (const std::string& other : others) {
        std::filesystem::create_directory(parent / other);
    }
    std::filesystem::create_directory_symlink(parent / "x", parent / "skep-1.abcdef");
    const auto second = StagingFolder::create({parent.path()});
    EXPECT_TRUE(std::filesystem::exists((*first)->folder()));
    EXPECT_TRUE(std::filesystem::is_symlink(parent / "skep-1.abcdef"));
    for (const std::string& other : others) {
        EXPECT_TRUE(std::filesystem::exists(parent / other)) << other;
    }
}

TEST(StagingFolder, WritesACopyThatNobodyMayChange) {
    const TempFolder parent;
    const auto stage = StagingFolder::create({parent.path()});
    const auto copy = (*stage)->add(span_of("content"), "libhello", "0123abcd");
    ASSERT_TRUE(copy) << message_of(copy);
    EXPECT_EQ(*copy, (*stage)->folder() + "/libhello.1.0123abcd.so");
    EXPECT_EQ(mode_of(*copy), 0500U);
    EXPECT_EQ(read_file(*copy).size(), 7U);
}

TEST(StagingFolder, MakesUsableCopiesUnderAnyUmask) {
    const TempFolder parent;
    const mode_t before = ::umask(0777);
    const auto stage = StagingFolder::create({parent.path()});
    const auto copy = (*stage)->add(span_of("content"), "libhello", "");
    ::umask(before);
    ASSERT_TRUE(copy) << message_of(copy);
    EXPECT_EQ(mode_of(*copy), 0500U);
    EXPECT_EQ(mode_of((*stage)->folder()), 0700U);
}

TEST(StagingFolder, KeepsWhatTheNewestCoresNeed) {
    const TempFolder parent;
    const auto make = [&](int pid, int age) {
        const std::filesystem::path folder = parent / ("skep-" + std::to_string(pid) + ".abcdef");
        std::filesystem::create_directory(folder);
        std::ofstream(folder / crash_marker).close();
        std::filesystem::last_write_time(
            folder / crash_marker,
            std::filesystem::file_time_type::clock::now() - std::chrono::hours(age));
        return folder;
    };
    for (int i = 1; i <= 5; ++i) {
        (void)make(i, i * 7 % 5);  // ages 2, 4, 1, 3, 0
    }
    const auto stage = StagingFolder::create({parent.path()});
    for (const int kept : {1, 3, 5}) {
        EXPECT_TRUE(std::filesystem::exists(parent / ("skep-" + std::to_string(kept) + ".abcdef")))
            << kept;
    }
    for (const int removed : {2, 4}) {
        EXPECT_FALSE(
            std::filesystem::exists(parent / ("skep-" + std::to_string(removed) + ".abcdef")))
            << removed;
    }
}

TEST(StagingFolder, NeverUsesANameTwice) {
    const TempFolder parent;
    const auto stage = StagingFolder::create({parent.path()});
    const auto first = (*stage)->add(span_of("x"), "libx", "0123abcd");
    ASSERT_TRUE(first);
    (*stage)->remove(*first);
    EXPECT_FALSE(std::filesystem::exists(*first));
    const auto second = (*stage)->add(span_of("x"), "libx", "0123abcd");
    ASSERT_TRUE(second);
    EXPECT_NE(*first, *second);
}

TEST(StagingFolder, TakesTheFirstParentThatWorks) {
    const TempFolder parent;
    const auto stage = StagingFolder::create({parent / "missing", parent.path()});
    ASSERT_TRUE(stage) << message_of(stage);
    EXPECT_EQ(std::filesystem::path((*stage)->folder()).parent_path(), parent.path());
}

TEST(StagingFolder, SaysWhereItTriedAndWhyNot) {
    const TempFolder parent;
    const auto stage = StagingFolder::create({parent / "missing", "/proc"});
    EXPECT_THAT(message_of(stage), HasSubstr("missing (No such file or directory)"));
    EXPECT_THAT(message_of(stage), HasSubstr("/proc ("));
    EXPECT_THAT(hint_of(stage), HasSubstr("TMPDIR"));
}

TEST(StagingFolder, PassesOverAParentThatCodeMayNotRunFrom) {
    const Mounted parent(MS_NOEXEC);
    if (!parent.is_mounted()) {
        GTEST_SKIP() << "may not mount a file system here";
    }
    EXPECT_THAT(message_of(StagingFolder::create({parent.path()})), HasSubstr("(mounted noexec)"));
}

TEST(StagingFolder, SaysThatTheDiskIsFullAndLeavesNothing) {
    const Mounted parent(0);
    if (!parent.is_mounted()) {
        GTEST_SKIP() << "may not mount a file system here";
    }
    const auto stage = StagingFolder::create({parent.path()});
    ASSERT_TRUE(stage) << message_of(stage);
    const auto copy = (*stage)->add(span_of(std::string(1 << 20, 'x')), "libx", "");
    EXPECT_THAT(message_of(copy), HasSubstr("No space left on device"));
    EXPECT_THAT(hint_of(copy), HasSubstr("set TMPDIR to a writable folder that has room"));
    EXPECT_TRUE(std::filesystem::is_empty((*stage)->folder()));
}

TEST(StagingFolder, TakesTheNextParentForWhatTheFirstHasNoRoomFor) {
    const Mounted small(0);
    if (!small.is_mounted()) {
        GTEST_SKIP() << "may not mount a file system here";
    }
    const TempFolder large;
    const auto stage = StagingFolder::create({small.path(), large.path()});
    const auto first = (*stage)->add(span_of("x"), "libx", "");
    const auto second = (*stage)->add(span_of(std::string(1 << 20, 'x')), "libx", "");
    ASSERT_TRUE(first && second) << message_of(second);
    EXPECT_TRUE(first->starts_with(small.path()));
    EXPECT_TRUE(second->starts_with(large.path()));
    EXPECT_EQ(mode_of((*stage)->folder()), 0700U);
}

// What may be in the way of a private copy while the process runs: how it comes, and whether the
// first parent can still take one.
struct Removed {
    const char* what;
    std::function<void(const std::string& parent, const std::string& stage)> happens;
    bool first_takes;
};

TEST(StagingFolder, GoesOnWhereItsFolderHasGone) {
    const std::vector<Removed> cases = {
        {"a cleaner removed it",
         [](const auto&, const auto& stage) { std::filesystem::remove_all(stage); },
         true},
        {"the runtime folder is gone",
         [](const auto& parent, const auto&) { std::filesystem::remove_all(parent); },
         false},
        {"another is at its place",
         [](const auto&, const auto& stage) {
             std::filesystem::remove_all(stage);
             std::filesystem::create_directory(stage);
         },
         true},
        {"a file is at its place",
         [](const auto& parent, const auto&) {
             std::filesystem::remove_all(parent);
             std::ofstream file(parent);
         },
         false},
    };
    for (const Removed& it : cases) {
        const TempFolder first;
        const TempFolder second;
        std::filesystem::create_directory(first / "run");
        const auto stage = StagingFolder::create({first / "run", second.path()});
        const auto before = (*stage)->add(span_of("x"), "libx", "");
        ASSERT_TRUE(before && before->starts_with(first.path())) << it.what;
        it.happens(first / "run", (*stage)->folder());
        const auto copy = (*stage)->add(span_of("content"), "libx", "");
        ASSERT_TRUE(copy) << it.what << ": " << message_of(copy);
        EXPECT_EQ(copy->starts_with(first.path()), it.first_takes) << it.what;
        EXPECT_EQ(mode_of((*stage)->folder()), 0700U) << it.what;
        EXPECT_EQ(read_file(*copy).size(), 7U) << it.what;
    }
}

TEST(StagingFolder, TakesAPluginWithTheLongestName) {
    const TempFolder parent;
    const auto stage = StagingFolder::create({parent.path()});
    const auto copy = (*stage)->add(span_of("x"), std::string(252, 'x'), "0123abcd");
    EXPECT_TRUE(copy) << message_of(copy);
}

// As above where nothing can be mounted: another way to make a write stop half way.
TEST(StagingFolder, LeavesNothingOfACopyThatFails) {
    const TempFolder parent;
    const auto stage = StagingFolder::create({parent.path()});
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
    const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
    const rlimit low{4096, before.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &low), 0);
    const auto copy = (*stage)->add(span_of(std::string(1 << 20, 'x')), "libx", "");
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
    std::signal(SIGXFSZ, old_handler);
    EXPECT_THAT(message_of(copy), HasSubstr("File too large"));
    EXPECT_TRUE(std::filesystem::is_empty((*stage)->folder()));
}

}  // namespace
}  // namespace skep::host
