#include "host/loader/trust.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "host/base/fd.hpp"
#include "tests/support/plugin_files.hpp"

namespace skep::host {
namespace {

using testing::HasSubstr;

TEST(Trust, ReadsAFileThatOnlyItsOwnerCanWrite) {
    const TempFolder folder;
    write_file(folder / "x.so", "content");
    const auto bytes = read_trusted(folder / "x.so");
    ASSERT_TRUE(bytes) << message_of(bytes);
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(bytes->data.get()), bytes->size),
              "content");
}

TEST(Trust, FollowsASymbolicLink) {
    const TempFolder folder;
    write_file(folder / "real.so", "content");
    ASSERT_EQ(::symlink("real.so", (folder / "link.so").c_str()), 0);
    EXPECT_TRUE(read_trusted(folder / "link.so"));
}

TEST(Trust, ChecksTheFolderThatALinkLeadsTo) {
    const TempFolder folder;
    std::filesystem::create_directory(folder / "open");
    write_file(folder / "open/real.so", "content");
    ASSERT_EQ(::chmod((folder / "open").c_str(), 0777), 0);
    ASSERT_EQ(::symlink("open/real.so", (folder / "link.so").c_str()), 0);
    EXPECT_THAT(message_of(read_trusted(folder / "link.so")), HasSubstr("open"));
}

TEST(Trust, RefusesAFileThatOthersMayWrite) {
    const TempFolder folder;
    const std::string path = folder / "x.so";
    write_file(path, "content");
    for (const mode_t mode : {0664U, 0646U, 0666U}) {
        ASSERT_EQ(::chmod(path.c_str(), mode), 0);
        const auto bytes = read_trusted(path);
        EXPECT_EQ(message_of(bytes), "other users than its owner may write to it");
        EXPECT_EQ(hint_of(bytes), "chmod go-w " + path);
    }
}

TEST(Trust, RefusesAFolderThatAnyoneMayWriteUnlessItIsSticky) {
    const TempFolder folder;
    write_file(folder / "x.so", "content");
    ASSERT_EQ(::chmod(folder.path().c_str(), 0777), 0);
    const auto bytes = read_trusted(folder / "x.so");
    EXPECT_THAT(message_of(bytes), HasSubstr("every user may write to its folder"));
    EXPECT_THAT(hint_of(bytes), HasSubstr("chmod o-w "));
    ASSERT_EQ(::chmod(folder.path().c_str(), 01777), 0);
    EXPECT_TRUE(read_trusted(folder / "x.so"));
}

TEST(Trust, RefusesAFileOfAnotherUser) {
    const TempFolder folder;
    write_file(folder / "x.so", "content");
    if (::chown((folder / "x.so").c_str(), 12345, 12345) != 0) {
        GTEST_SKIP() << "only root can give a file away";
    }
    EXPECT_THAT(message_of(read_trusted(folder / "x.so")), HasSubstr("owned by user 12345"));
}

TEST(Trust, RefusesWhatItMayNotRead) {
    const TempFolder folder;
    write_file(folder / "x.so", "content");
    ASSERT_EQ(::chmod(folder.path().c_str(), 0755), 0);
    ASSERT_EQ(::chmod((folder / "x.so").c_str(), 0), 0);
    // Root may read everything, and so is somebody else for as long as it reads.
    const bool is_root = ::geteuid() == 0;
    ASSERT_TRUE(!is_root || ::seteuid(65534) == 0);
    const auto bytes = read_trusted(folder / "x.so");
    ASSERT_TRUE(!is_root || ::seteuid(0) == 0);
    EXPECT_EQ(message_of(bytes), "cannot open the file: Permission denied");
}

TEST(Trust, RefusesWhatIsNotThere) {
    const TempFolder folder;
    EXPECT_EQ(message_of(read_trusted(folder / "x.so")),
              "cannot find the file: No such file or directory");
}

TEST(Trust, RefusesWhatIsNotARegularFileWithoutWaitingForIt) {
    const TempFolder folder;
    ASSERT_EQ(::mkfifo((folder / "pipe.so").c_str(), 0600), 0);
    EXPECT_EQ(message_of(read_trusted(folder / "pipe.so")), "not a regular file");
    EXPECT_EQ(message_of(read_trusted(folder.path())), "not a regular file");
    EXPECT_EQ(message_of(read_trusted("/dev/zero")), "not a regular file");
}

TEST(Trust, RefusesAFileThatIsTooLarge) {
    const TempFolder folder;
    write_file(folder / "x.so", "content");
    ASSERT_EQ(::truncate((folder / "x.so").c_str(), (off_t{1} << 30) + 1), 0);
    EXPECT_THAT(message_of(read_trusted(folder / "x.so")), HasSubstr("1 GiB"));
}

TEST(Trust, RefusesAFileThatChangesWhileItIsRead) {
    const TempFolder folder;
    const std::string path = folder / "x.so";
    write_file(path, "content");
    const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));

    struct stat before {};

    ASSERT_EQ(::fstat(file.get(), &before), 0);
    ASSERT_EQ(::truncate(path.c_str(), 3), 0);
    EXPECT_EQ(message_of(read_unchanged(file.get(), before, path)),
              "the file changed while it was read");

    // Of the same size, and of another time.
    ASSERT_EQ(::fstat(file.get(), &before), 0);
    before.st_mtim.tv_nsec ^= 1;
    ASSERT_EQ(::lseek(file.get(), 0, SEEK_SET), 0);
    EXPECT_EQ(message_of(read_unchanged(file.get(), before, path)),
              "the file changed while it was read");
}

}  // namespace
}  // namespace skep::host
