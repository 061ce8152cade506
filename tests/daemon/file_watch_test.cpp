#include "host/daemon/file_watch.hpp"

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <ostream>
#include <string>

#include <gtest/gtest.h>

#include "host/base/mutex.hpp"
#include "tests/support/temp_folder.hpp"

namespace skep::host::file_watch_test {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::system_clock;

// Counts what a watch tells of.
class Told {
public:
    void tell() {
        const MutexLock lock(mutex_);
        ++times_;
        changed_.notify_all();
    }

    void wait_for(int times) {
        const MutexLock lock(mutex_);
        changed_.wait(mutex_, [&]() REQUIRES(mutex_) { return times_ >= times; });
    }

    int times() {
        const MutexLock lock(mutex_);
        return times_;
    }

private:
    Mutex mutex_;
    Condition changed_;
    int times_ GUARDED_BY(mutex_) = 0;
};

constexpr host::FileWatch::Patience short_patience{milliseconds(1), milliseconds(50)};

class FileWatch : public testing::Test {
protected:
    explicit FileWatch(host::FileWatch::Patience patience = short_patience)
        : watch_(system_clock::now(), patience) {
        watch_.on_change([this] { told_.tell(); });
    }

    // Watches a file that was made since the beginning: the watch reports it once it begins.
    void watch(const std::string& name) {
        watch_.watch({folder_ / name});
        told_.wait_for(1);
    }

    // A file with this content, moved into its place: one event.
    void put(const std::string& name, const std::string& text) const {
        folder_.write(name + ".new", text);
        fs::rename(folder_ / (name + ".new"), folder_ / name);
    }

    const test::TempFolder folder_;
    Told told_;
    host::FileWatch watch_;
};

struct Way {
    const char* name;
    std::function<void(const test::TempFolder&)> replace;  // what "current/file" leads to
};

void PrintTo(const Way& way, std::ostream* to) {
    *to << way.name;
}

void link(const fs::path& target, const fs::path& at) {
    fs::path made = at;
    made += ".link";
    fs::create_symlink(target, made);
    fs::rename(made, at);
}

// A folder "current", which is a link to "v1", with "file", which is a link to "content" there.
class FileThatIsReplaced : public FileWatch, public testing::WithParamInterface<Way> {};

INSTANTIATE_TEST_SUITE_P(
    Ways,
    FileThatIsReplaced,
    testing::Values(Way{"InPlace", [](const auto& it) { it.write("v1/content", "new"); }},
                    Way{"ByRename",
                        [](const auto& it) {
                            fs::rename(it.write("v1/made", "new"), it / "v1/content");
                        }},
                    Way{"AfterItWasRemoved",
                        [](const auto& it) {
                            fs::remove(it / "v1/content");
                            it.write("v1/content", "new");
                        }},
                    Way{"ByAHardLink",
                        [](const auto& it) {
                            it.write("other", "new");
                            fs::remove(it / "v1/content");
                            fs::create_hard_link(it / "other", it / "v1/content");
                        }},
                    Way{"ByALinkOfTheFile",
                        [](const auto& it) {
                            it.write("v1/other", "new");
                            link("other", it / "v1/file");
                        }},
                    Way{"ByALinkOfTheFolder",
                        [](const auto& it) {
                            fs::create_directory(it / "v2");
                            it.write("v2/file", "new");
                            link("v2", it / "current");
                        }},
                    Way{"WithItsFolder",
                        [](const auto& it) {
                            fs::create_directory(it / "v2");
                            it.write("v2/file", "new");
                            fs::rename(it / "v1", it / "old");
                            fs::rename(it / "v2", it / "v1");
                        }},
                    Way{"TwiceByALinkOfTheFolder",
                        [](const auto& it) {
                            fs::create_directory(it / "v2");
                            link("v2", it / "current");  // leads to nothing yet
                            it.write("v2/file", "new");
                        }}),
    [](const auto& it) { return it.param.name; });

TEST_P(FileThatIsReplaced, IsToldOf) {
    fs::create_directory(folder_ / "v1");
    folder_.write("v1/content", "old content");
    fs::create_symlink("content", folder_ / "v1/file");
    fs::create_directory_symlink("v1", folder_ / "current");
    watch("current/file");
    GetParam().replace(folder_);
    told_.wait_for(2);
}

TEST_F(FileWatch, SaysNothingOfOtherFilesInTheFolder) {
    put("file", "1");
    watch("file");
    for (int i = 0; i < 100; ++i) {
        put("other", "2");
    }
    put("file", "new");
    told_.wait_for(2);
    watch_.end();
    EXPECT_EQ(told_.times(), 2);
}

TEST_F(FileWatch, TellsOfAFileWhenItComesIntoBeing) {
    watch_.watch({folder_ / "a/b/file"});
    fs::create_directories(folder_ / "a/b");
    folder_.write("a/b/file", "new");
    told_.wait_for(1);
}

TEST_F(FileWatch, WatchesOtherFilesWhenItIsToldTo) {
    put("file", "1");
    watch("file");
    watch_.watch({folder_ / "other"});
    put("other", "1");
    told_.wait_for(2);
}

TEST_F(FileWatch, TellsNobodyAfterTheEnd) {
    put("file", "1");
    watch("file");
    watch_.end();
    put("file", "22");
    watch_.watch({folder_ / "file"});
    EXPECT_EQ(told_.times(), 1);
}

class FileWatchThatWaits : public FileWatch {
protected:
    FileWatchThatWaits()
        : FileWatch({std::chrono::hours(1), milliseconds(50)}) {}
};

TEST_F(FileWatchThatWaits, TellsOfAFileThatNeverComesToRest) {
    put("file", "");
    watch("file");
    std::ofstream file(folder_ / "file");
    while (told_.times() < 2) {
        file << "more" << std::flush;
    }
}

}  // namespace
}  // namespace skep::host::file_watch_test
