#include "host/base/working_folder.hpp"

#include <cstdlib>
#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/temp_folder.hpp"

namespace skep::host::working_folder_test {
namespace {

namespace fs = std::filesystem;
using test::TempFolder;

// Goes back where the test was, with $PWD as it was.
class WorkingFolder : public testing::Test {
protected:
    ~WorkingFolder() override {
        fs::current_path(before_);
        set_pwd(pwd_);
    }

    static void set_pwd(const std::string& pwd) { ::setenv("PWD", pwd.c_str(), 1); }

    // As a shell does it.
    static void enter(const std::string& path) {
        fs::current_path(path);
        set_pwd(path);
    }

    const TempFolder folder;

private:
    const fs::path before_ = fs::current_path();
    const std::string pwd_ = std::getenv("PWD") == nullptr ? "" : std::getenv("PWD");
};

TEST_F(WorkingFolder, LeavesAnAbsolutePath) {
    EXPECT_EQ(absolute_path("/a/../b"), "/a/../b");
    EXPECT_EQ(absolute_path(""), "");
}

TEST_F(WorkingFolder, FoldsNothingButTheDotAtTheStart) {
    enter(folder.path());
    EXPECT_EQ(absolute_path("t.toml"), folder / "t.toml");
    EXPECT_EQ(absolute_path(".//./t.toml"), folder / "t.toml");
    EXPECT_EQ(absolute_path("a/../t.toml"), folder / "a/../t.toml");
}

TEST_F(WorkingFolder, KeepsTheLinkByWhichAShellEnteredTheFolder) {
    fs::create_directory(folder / "one");
    fs::create_directory_symlink("one", folder / "current");
    enter(folder / "current");
    EXPECT_EQ(absolute_path("t.toml"), folder / "current/t.toml");
    set_pwd("/");  // left by somebody who was elsewhere
    EXPECT_EQ(absolute_path("t.toml"), folder / "one/t.toml");
}

TEST_F(WorkingFolder, EntersTheFolderThatReplacedARemovedOne) {
    fs::create_directory(folder / "app");
    enter(folder / "app");
    const host::WorkingFolder started;
    fs::remove(folder / "app");
    started.enter_if_removed();
    EXPECT_FALSE(fs::exists("t.toml"));
    fs::create_directory(folder / "app");
    (void)folder.write("app/t.toml", "");
    EXPECT_FALSE(fs::exists("t.toml"));
    started.enter_if_removed();
    EXPECT_TRUE(fs::exists("t.toml"));
}

TEST_F(WorkingFolder, StaysInAFolderThatIsThere) {
    fs::create_directory(folder / "app");
    enter(folder / "app");
    const host::WorkingFolder started;
    fs::rename(folder / "app", folder / "old");
    fs::create_directory(folder / "app");
    started.enter_if_removed();
    EXPECT_EQ(fs::current_path(), folder / "old");
}

}  // namespace
}  // namespace skep::host::working_folder_test
