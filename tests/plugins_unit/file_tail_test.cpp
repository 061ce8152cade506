#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/support/fake_host.hpp"
#include "tests/support/temp_folder.hpp"

namespace skep::test {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class FileTail : public ::testing::Test {
protected:
    [[nodiscard]] std::string path(const std::string& name = "log") const {
        return folder_.path(name);
    }

    void write(const std::string& bytes) const { folder_.write("log", bytes); }

    static void append_to(const std::string& path, const std::string& bytes) {
        std::ofstream(path, std::ios::binary | std::ios::app) << bytes;
    }

    void append(const std::string& bytes) const { append_to(path(), bytes); }

    // Creates and runs a worker over `bytes`, to its end.
    void run_over(const std::string& bytes, std::map<std::string, std::string> more = {}) {
        write(bytes);
        more["path"] = path();
        host_.emplace("file_tail", more);
        ASSERT_EQ(host_->create(), SKEP_OK) << host_->failure;
        ASSERT_EQ(host_->run(), SKEP_OK) << host_->failure;
    }

    // The same with follow; the steps run at one poll each.
    void follow(const std::string& bytes, std::vector<std::function<void()>> steps) {
        write(bytes);
        host_.emplace("file_tail",
                      std::map<std::string, std::string>{{"path", path()}, {"follow", "true"}});
        host_->script.assign(steps.begin(), steps.end());
        ASSERT_EQ(host_->create(), SKEP_OK) << host_->failure;
        ASSERT_EQ(host_->run(), SKEP_OK) << host_->failure;
    }

    // The open descriptors of this process that lead to a file of the folder.
    [[nodiscard]] std::vector<int> open_descriptors() const {
        std::vector<int> found;
        for (const auto& entry : fs::directory_iterator("/proc/self/fd")) {
            std::error_code ignored;
            if (fs::read_symlink(entry, ignored).string().starts_with(path(""))) {
                found.push_back(std::stoi(entry.path().filename()));
            }
        }
        return found;
    }

    TempFolder folder_;
    std::optional<FakeHost> host_;
};

TEST_F(FileTail, EmitsEachLineWithoutItsNewline) {
    run_over("one\ntwo\n\nfour\n");
    EXPECT_THAT(host_->texts(), ElementsAre("one", "two", "", "four"));
    EXPECT_EQ(host_->items, 4u);
    EXPECT_EQ(host_->errors, 0u);
    EXPECT_THAT(host_->sleeps, IsEmpty());
}

TEST_F(FileTail, EmitsALastLineThatHasNoNewline) {
    run_over("one\ntwo");
    EXPECT_THAT(host_->texts(), ElementsAre("one", "two"));
}

TEST_F(FileTail, EmitsNothingForAnEmptyFile) {
    run_over("");
    EXPECT_THAT(host_->texts(), IsEmpty());
}

TEST_F(FileTail, PassesEveryByteUnchangedButTheNewline) {
    std::string every;
    for (int byte = 0; byte < 256; ++byte) {
        if (byte != '\n') {
            every.push_back(static_cast<char>(byte));
        }
    }
    run_over(every + "\n" + std::string(3, '\0') + "\ndos\r\n");
    EXPECT_THAT(host_->texts(), ElementsAre(every, std::string(3, '\0'), "dos\r"));
}

TEST_F(FileTail, LosesNothingOverTheEdgesOfItsBlocksAndBatches) {
    std::vector<std::string> lines;
    std::string bytes;
    for (int i = 0; i < 60'000; ++i) {
        lines.push_back(std::to_string(i) + std::string(static_cast<std::size_t>(i % 37), 'x'));
        bytes += lines.back() + "\n";
    }
    ASSERT_GT(bytes.size(), 5u * 256 * 1024);
    run_over(bytes);
    EXPECT_TRUE(host_->texts() == lines);
    EXPECT_EQ(host_->items, lines.size());
    EXPECT_LT(host_->emit_calls, lines.size() / 200) << "lines are emitted in batches";
}

TEST_F(FileTail, EmitsALineOfExactlyMaxLineWhole) {
    const std::string longest(8 << 20, 'a');
    run_over(longest + "\nnext\n");
    EXPECT_TRUE(host_->texts() == std::vector<std::string>({longest, "next"}));
    EXPECT_EQ(host_->errors, 0u);
}

TEST_F(FileTail, SplitsALongerLineIntoPiecesOfMaxLine) {
    const std::string longer = std::string(8 << 20, 'a') + "b";
    run_over(longer + "\nnext\n");
    EXPECT_TRUE(host_->texts() ==
                std::vector<std::string>({std::string(8 << 20, 'a'), "b", "next"}));
    EXPECT_EQ(host_->errors, 1u);
}

TEST_F(FileTail, CountsEachLongLineOnceAndWarnsOfTheFirstWithItsNumber) {
    const std::string sixteen(16, 'a');
    run_over("ok\n" + sixteen + sixteen + "\n" + sixteen + sixteen + "rest\n",
             {{"max_line", "16B"}});
    EXPECT_THAT(host_->texts(), ElementsAre("ok", sixteen, sixteen, sixteen, sixteen, "rest"));
    EXPECT_EQ(host_->errors, 2u);
    EXPECT_THAT(host_->log_texts(SKEP_LOG_WARN), ElementsAre(HasSubstr(path() + ":2:")));
}

TEST_F(FileTail, SplitsALongLastLineThatHasNoNewline) {
    run_over(std::string(40, 'a'), {{"max_line", "16B"}});
    EXPECT_THAT(host_->texts(),
                ElementsAre(std::string(16, 'a'), std::string(16, 'a'), std::string(8, 'a')));
    EXPECT_EQ(host_->errors, 1u);
}

TEST_F(FileTail, NeitherLosesNorRepeatsLinesWhenToldToStopWithinABatch) {
    write("1\n2\n3\n4\n5\n");
    host_.emplace("file_tail", std::map<std::string, std::string>{{"path", path()}});
    host_->takes = 3;
    ASSERT_EQ(host_->create(), SKEP_OK);
    EXPECT_EQ(host_->run(), SKEP_OK);
    EXPECT_THAT(host_->texts(), ElementsAre("1", "2", "3"));
    EXPECT_EQ(host_->items, 3u);
}

TEST_F(FileTail, StopsAtTheCheckpointAfterABatch) {
    std::string bytes;
    for (int i = 0; i < 1000; ++i) {
        bytes += "line\n";
    }
    write(bytes);
    host_.emplace("file_tail", std::map<std::string, std::string>{{"path", path()}});
    ASSERT_EQ(host_->create(), SKEP_OK);
    host_->control = 1;
    EXPECT_EQ(host_->run(), SKEP_OK);
    EXPECT_THAT(host_->texts(), IsEmpty());
}

TEST_F(FileTail, GoesThroughTheFileWhenItsLinesAreRefused) {
    write("1\n2\n3\n");
    host_.emplace("file_tail", std::map<std::string, std::string>{{"path", path()}});
    host_->refuses[0] = SKEP_E_NO_ROUTE;
    ASSERT_EQ(host_->create(), SKEP_OK);
    EXPECT_EQ(host_->run(), SKEP_OK);
    EXPECT_EQ(host_->emit_calls, 3u);
    EXPECT_EQ(host_->items, 0u);
}

TEST_F(FileTail, RefusesAFileThatIsNotThereWithItsPathAndTheReason) {
    FakeHost host("file_tail", {{"path", path("missing")}});
    EXPECT_EQ(host.create(), SKEP_E_FAILED);
    EXPECT_EQ(host.failure, path("missing") + ": No such file or directory");
}

TEST_F(FileTail, RefusesAFileThatCannotBeRead) {
    write("secret\n");
    fs::permissions(path(), fs::perms::none);
    FakeHost host("file_tail", {{"path", path()}});
    const uid_t before = ::geteuid();
    const uid_t nobody = 65534;
    if (before == 0) {  // root can read everything
        ASSERT_EQ(::seteuid(nobody), 0);
    }
    EXPECT_EQ(host.create(), SKEP_E_FAILED);
    ASSERT_EQ(::seteuid(before), 0);
    EXPECT_EQ(host.failure, path() + ": Permission denied");
}

TEST_F(FileTail, RefusesWhatIsNotARegularFileAndDoesNotWaitForAFifo) {
    ASSERT_EQ(::mkfifo(path("fifo").c_str(), 0600), 0);
    for (const std::string& other : {path(""), path("fifo")}) {
        FakeHost host("file_tail", {{"path", other}});
        EXPECT_EQ(host.create(), SKEP_E_FAILED);
        EXPECT_EQ(host.failure, other + ": not a regular file");
    }
    EXPECT_THAT(open_descriptors(), IsEmpty());
}

TEST_F(FileTail, ClosesItsFileAndKeepsItFromChildren) {
    run_over("one\n");
    const std::vector<int> open = open_descriptors();
    ASSERT_EQ(open.size(), 1u);
    EXPECT_NE(::fcntl(open[0], F_GETFD) & FD_CLOEXEC, 0);
    host_->destroy();
    EXPECT_THAT(open_descriptors(), IsEmpty());
}

TEST_F(FileTail, FollowEmitsWhatIsAppended) {
    follow("one\n", {[&] { append("two\n"); }, [] {}, [&] { append("three\nfour\n"); }});
    EXPECT_THAT(host_->texts(), ElementsAre("one", "two", "three", "four"));
    EXPECT_THAT(host_->sleeps, ElementsAreArray(std::vector<std::int64_t>(4, 200 * ms)));
}

TEST_F(FileTail, FollowWaitsForTheRestOfALine) {
    follow("on",
           {[&] {
                EXPECT_THAT(host_->texts(), IsEmpty());
                append("e\ntw");
            },
            [&] {
                EXPECT_THAT(host_->texts(), ElementsAre("one"));
                append("o\n");
            }});
    EXPECT_THAT(host_->texts(), ElementsAre("one", "two"));
}

TEST_F(FileTail, FollowReadsACutFileFromItsStartAndWarns) {
    follow("one\ntwo\npart", {[&] { write("new\n"); }});
    EXPECT_THAT(host_->texts(), ElementsAre("one", "two", "part", "new"));
    EXPECT_THAT(host_->log_texts(SKEP_LOG_WARN), ElementsAre(HasSubstr(path() + ": cut short")));
}

TEST_F(FileTail, FollowReadsARotatedFileToItsEndAndThenItsSuccessor) {
    follow("one\n",
           {[&] {
                append("two\nlast");
                fs::rename(path(), path("log.1"));
                write("three\n");
            },
            [&] { append("four\n"); }});
    EXPECT_THAT(host_->texts(), ElementsAre("one", "two", "last", "three", "four"));
    EXPECT_THAT(host_->log_texts(SKEP_LOG_WARN), IsEmpty());
    EXPECT_EQ(open_descriptors().size(), 1u);
}

TEST_F(FileTail, FollowReadsOnWhileItsPathLeadsNowhere) {
    follow("one\n",
           {[&] { fs::rename(path(), path("log.1")); },
            [&] { append_to(path("log.1"), "two\n"); },
            [&] { write("three\n"); }});
    EXPECT_THAT(host_->texts(), ElementsAre("one", "two", "three"));
    EXPECT_THAT(host_->log_texts(SKEP_LOG_WARN),
                ElementsAre(path() + ": No such file or directory; waiting for it"));
}

TEST_F(FileTail, NumbersTheLinesOfEachFileFromOne) {
    const std::string longer(17, 'a');
    write("1\n2\n" + longer + "\n");
    host_.emplace("file_tail",
                  std::map<std::string, std::string>{
                      {"path", path()}, {"follow", "true"}, {"max_line", "16B"}});
    host_->script.push_back([&] {
        fs::rename(path(), path("log.1"));
        write("1\n" + longer + "\n");
    });
    ASSERT_EQ(host_->create(), SKEP_OK);
    ASSERT_EQ(host_->run(), SKEP_OK);
    EXPECT_THAT(host_->log_texts(SKEP_LOG_WARN),
                ElementsAre(HasSubstr(path() + ":3:"), HasSubstr(path() + ":2:")));
    EXPECT_EQ(host_->errors, 2u);
}

}  // namespace
}  // namespace skep::test
