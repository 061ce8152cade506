#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <ostream>
#include <sstream>
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
using ::testing::Le;

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
        follow_nothing(std::move(steps));
    }

    // The same where there is no file yet.
    void follow_nothing(std::vector<std::function<void()>> steps) {
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

TEST_F(FileTail, FollowReadsAnOverwrittenFileFromItsStartAndWarns) {
    follow("one\ntwo\n", {[&] { write("ONE\nTWO\n"); }});
    EXPECT_THAT(host_->texts(), ElementsAre("one", "two", "ONE", "TWO"));
    EXPECT_THAT(host_->log_texts(SKEP_LOG_WARN), ElementsAre(HasSubstr(path() + ": overwritten")));
}

TEST_F(FileTail, FollowWaitsForAFileAndWarnsOnce) {
    follow_nothing({[] {}, [] {}, [&] { write("here\n"); }});
    EXPECT_THAT(host_->texts(), ElementsAre("here"));
    EXPECT_THAT(host_->log_texts(SKEP_LOG_WARN),
                ElementsAre(path() + ": No such file or directory; waiting for it"));
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

TEST_F(FileTail, FollowDoesNotOpenAFifo) {
    int writer = -1;
    follow("one\n",
           {[&] {
                fs::remove(path());
                ASSERT_EQ(::mkfifo(path().c_str(), 0600), 0);
            },
            // A reader that opens the fifo and leaves would end a process that writes to it.
            [&] { writer = ::open(path().c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC); }});
    EXPECT_EQ(writer, -1);
    EXPECT_THAT(host_->log_texts(SKEP_LOG_WARN),
                ElementsAre(path() + ": not a regular file; waiting for it"));
}

TEST_F(FileTail, FollowLetsGoOfARotatedFileThatIsQuiet) {
    std::vector<std::function<void()>> steps(300, [] {});
    steps[0] = [&] {
        append("two\nlast");
        fs::rename(path(), path("log.1"));
        write("three\n");
    };
    steps[298] = [&] { EXPECT_EQ(open_descriptors().size(), 2u); };
    follow("one\n", steps);
    EXPECT_EQ(open_descriptors().size(), 2u) << "59.8 s";
    steps.emplace_back([] {});
    host_->destroy();
    fs::remove(path("log.1"));
    follow("one\n", steps);
    EXPECT_THAT(host_->texts(), ElementsAre("one", "two", "three", "last"));
    EXPECT_EQ(open_descriptors().size(), 1u) << "60 s";
}

TEST_F(FileTail, FollowKeepsAFewRotatedFilesOnly) {
    std::vector<std::function<void()>> steps(50, [&] {
        fs::remove(path());
        write("next\n");
    });
    follow("first\n", steps);
    EXPECT_EQ(host_->texts().size(), 51u);
    EXPECT_THAT(open_descriptors().size(), Le(10u));
}

// What happens to the path of a followed file, a poll between two steps, and the lines that come of
// it: each once, and whole.
struct History {
    const char* name;
    std::string before;  // in the file at the start
    std::vector<std::function<void(const TempFolder&)>> steps;
    std::vector<std::string> lines;
};

std::ostream& operator<<(std::ostream& out, const History& history) {
    return out << history.name;
}

void put(const std::string& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary) << bytes;
}

void add(const std::string& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary | std::ios::app) << bytes;
}

// More than what is remembered of its beginning and of its end.
std::string long_text(const std::string& word, std::size_t count) {
    std::string text;
    for (std::size_t i = 0; i < count; ++i) {
        text += word + std::to_string(i) + "\n";
    }
    return text;
}

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) {
        lines.push_back(line);
    }
    return lines;
}

const History histories[] = {
    {"Rotated",
     "1\n",
     {[](auto& in) {
          add(in / "log", "2\n");
          fs::rename(in / "log", in / "log.1");
          put(in / "log", "3\n");
      },
      [](auto& in) { add(in / "log", "4\n"); }},
     {"1", "2", "3", "4"}},
    {"LateLinesInARotatedFile",
     "1\n",
     {[](auto& in) {
          fs::rename(in / "log", in / "log.1");
          put(in / "log", "3\n");
      },
      [](auto& in) { add(in / "log.1", "2\n"); },
      [](auto& in) {
          add(in / "log", "4\n");
          add(in / "log.1", "late\n");
      }},
     {"1", "3", "2", "late", "4"}},
    {"LateLinesInADeletedFile",
     "1\n",
     {[](auto& in) {
          fs::create_hard_link(in / "log", in / "other");
          fs::remove(in / "log");
          put(in / "log", "2\n");
      },
      [](auto& in) { add(in / "other", "late\n"); }},
     {"1", "2", "late"}},
    {"ALineThatIsTornByARotation",
     "1\nto",
     {[](auto& in) {
          fs::rename(in / "log", in / "log.1");
          put(in / "log", "2\n");
      },
      [](auto& in) { add(in / "log.1", "rn\n"); }},
     {"1", "2", "torn"}},
    {"RotatedTwiceWithinOnePoll",
     "1\n",
     {[](auto& in) {
         fs::rename(in / "log", in / "log.2");
         put(in / "log.1", "not seen\n");
         put(in / "log", "3\n");
         add(in / "log.2", "2\n");
     }},
     {"1", "2", "3"}},
    {"OverwrittenWithAsMuch",
     "old 1\nold 2\n",
     {[](auto& in) { put(in / "log", "new 1\nnew 2\n"); }},
     {"old 1", "old 2", "new 1", "new 2"}},
    {"OverwrittenWithMore",
     "old 1\n",
     {[](auto& in) { put(in / "log", "new 1\nnew 2\nnew 3\n"); }},
     {"old 1", "new 1", "new 2", "new 3"}},
    {"OverwrittenWithLess",
     "old 1\nold 2\n",
     {[](auto& in) { put(in / "log", "new\n"); }},
     {"old 1", "old 2", "new"}},
    {"OverwrittenBehindTheSameFirstLine",
     "# head\nold\n",
     {[](auto& in) { put(in / "log", "# head\nnew\n"); }},
     {"# head", "old", "# head", "new"}},
    {"OverwrittenFarBehindTheSameBeginning",
     long_text("a", 2000) + "old\n",
     {[](auto& in) { put(in / "log", long_text("a", 2000) + "new\n"); }},
     lines_of(long_text("a", 2000) + "old\n" + long_text("a", 2000) + "new\n")},
    {"OverwrittenBeforeTheSameEnd",
     "old\n" + long_text("a", 2000),
     {[](auto& in) { put(in / "log", "new\n" + long_text("a", 2000)); }},
     lines_of("old\n" + long_text("a", 2000) + "new\n" + long_text("a", 2000))},
    {"OverwrittenWhileALineWasIncomplete",
     "1\nhalf",
     {[](auto& in) { put(in / "log", "other 1\nother 2\n"); }},
     {"1", "half", "other 1", "other 2"}},
    {"OverwrittenAgainAndAgain",
     "a\n",
     {[](auto& in) { put(in / "log", "b\n"); },
      [](auto& in) { put(in / "log", "c\n"); },
      [](auto& in) { add(in / "log", "d\n"); },
      [](auto& in) { put(in / "log", "e\nf\n"); }},
     {"a", "b", "c", "d", "e", "f"}},
    {"CopiedAndTruncated",
     "1\n2\n",
     {[](auto& in) {
          fs::copy(in / "log", in / "log.1");
          fs::resize_file(in / "log", 0);
          add(in / "log", "3\n");
      },
      [](auto& in) { add(in / "log", "4\n"); }},
     {"1", "2", "3", "4"}},
    {"Touched",
     "1\n",
     {[](auto& in) { fs::last_write_time(in / "log", fs::file_time_type::clock::now()); },
      [](auto& in) { add(in / "log", "2\n"); }},
     {"1", "2"}},
    {"ALinkTurnedOver",
     "",
     {[](auto& in) {
          put(in / "mon", "monday\n");
          fs::remove(in / "log");
          fs::create_symlink("mon", in / "log");
      },
      [](auto& in) {
          put(in / "tue", "tuesday\n");
          fs::create_symlink("tue", in / "new");
          fs::rename(in / "new", in / "log");
      },
      [](auto& in) { add(in / "mon", "late\n"); }},
     {"monday", "tuesday", "late"}},
    {"ALinkTurnedBack",
     "1\n",
     {[](auto& in) {
          fs::rename(in / "log", in / "a");
          put(in / "b", "2\n");
          fs::create_symlink("b", in / "log");
      },
      [](auto& in) {
          fs::remove(in / "log");
          fs::create_symlink("a", in / "log");
      },
      [](auto& in) { add(in / "a", "3\n"); }},
     {"1", "2", "3"}},
    {"MovedAwayAndBack",
     "1\n",
     {[](auto& in) { fs::rename(in / "log", in / "away"); },
      [](auto& in) {
          fs::rename(in / "away", in / "log");
          add(in / "log", "2\n");
      }},
     {"1", "2"}},
    {"AnotherFolder",
     "1\n",
     {[](auto& in) {
          fs::remove(in / "log");
          fs::create_directory(in / "log");
      },
      [](auto& in) {
          fs::remove(in / "log");
          put(in / "log", "2\n");
      }},
     {"1", "2"}},
    {"AFifoForAWhile",
     "1\n",
     {[](auto& in) {
          fs::remove(in / "log");
          ASSERT_EQ(::mkfifo((in / "log").c_str(), 0600), 0);
      },
      [](auto& in) {
          fs::remove(in / "log");
          put(in / "log", "2\n");
      }},
     {"1", "2"}},
    {"ANewFileWithTheSameText",
     "start\n",
     {[](auto& in) {
          fs::rename(in / "log", in / "log.1");
          put(in / "log", "start\n");
      },
      [](auto& in) {
          put(in / "new", "start\n");
          fs::rename(in / "new", in / "log");
      },
      [](auto& in) {
          fs::remove(in / "log");
          put(in / "log", "start\n");
      }},
     {"start", "start", "start", "start"}},
    // As a file of a lower layer that overlayfs copies up: the one that is open says that it is at
    // the very place of the new one. Here it says so because that has the name of a deleted file.
    {"ACopyAtTheSamePlace",
     "",
     {[](auto& in) {
          fs::remove(in / "log");
          put(in / "file", "1\n2\nto");
          fs::create_symlink("file", in / "log");
      },
      [](auto& in) {
          put(in / "file (deleted)", "1\n2\ntorn\n3\n");
          fs::remove(in / "file");
          fs::remove(in / "log");
          fs::create_symlink("file (deleted)", in / "log");
      }},
     {"1", "2", "torn", "3"}},
    {"CarriageReturnsAndNulsAreBytes",
     "a\r\n",
     {[](auto& in) { add(in / "log", std::string("b \0 c\n\r\n", 8)); }},
     {"a\r", std::string("b \0 c", 5), "\r"}},
};

class FileTailHistory : public FileTail, public ::testing::WithParamInterface<History> {};

TEST_P(FileTailHistory, GivesEachLineOnceAndWhole) {
    std::vector<std::function<void()>> steps;
    for (const auto& step : GetParam().steps) {
        steps.emplace_back([&] { step(folder_); });
    }
    steps.emplace_back([] {});
    follow(GetParam().before, steps);
    EXPECT_THAT(host_->texts(), ElementsAreArray(GetParam().lines));
}

INSTANTIATE_TEST_SUITE_P(Destination,
                         FileTailHistory,
                         ::testing::ValuesIn(histories),
                         [](const auto& test) { return std::string(test.param.name); });

// The same with a successor between any two polls.
class FileTailReloaded : public FileTailHistory {};

TEST_P(FileTailReloaded, GivesEachLineOnceAndWhole) {
    write(GetParam().before);
    std::vector<std::string> lines;
    const auto run_once = [&](FakeHost& host) {
        ASSERT_EQ(host.run(), SKEP_OK) << host.failure;
        const std::vector<std::string> texts = host.texts();
        lines.insert(lines.end(), texts.begin(), texts.end());
    };
    const std::map<std::string, std::string> config = {{"path", path()}, {"follow", "true"}};
    auto now = std::make_unique<FakeHost>("file_tail", config);
    ASSERT_EQ(now->create(), SKEP_OK) << now->failure;
    run_once(*now);
    for (const auto& step : GetParam().steps) {
        step(folder_);
        auto next = std::make_unique<FakeHost>("file_tail", config);
        ASSERT_EQ(next->create(), SKEP_OK) << next->failure;
        ASSERT_EQ(next->load(now->save(), 2), SKEP_OK) << next->failure;
        now = std::move(next);
        now->script.emplace_back([] {});
        run_once(*now);
    }
    EXPECT_THAT(lines, ElementsAreArray(GetParam().lines));
}

INSTANTIATE_TEST_SUITE_P(Destination,
                         FileTailReloaded,
                         ::testing::ValuesIn(histories),
                         [](const auto& test) { return std::string(test.param.name); });

TEST_F(FileTail, LoadsTheStateOfVersionOne) {
    write("one\ntwo\nthree\n");
    const int descriptor = ::open(path().c_str(), O_RDONLY | O_CLOEXEC);
    FakeHost host("file_tail", {{"path", path()}, {"follow", "true"}});
    ASSERT_EQ(host.create(), SKEP_OK) << host.failure;
    ASSERT_EQ(host.load("4 2 0 /proc/self/fd/" + std::to_string(descriptor) + "\n" + path(), 1),
              SKEP_OK)
        << host.failure;
    ASSERT_EQ(host.run(), SKEP_OK) << host.failure;
    EXPECT_THAT(host.texts(), ElementsAre("two", "three"));
    ::close(descriptor);
}

TEST_F(FileTail, RefusesADamagedState) {
    write("one\n");
    FakeHost host("file_tail", {{"path", path()}, {"follow", "true"}});
    ASSERT_EQ(host.create(), SKEP_OK) << host.failure;
    ASSERT_EQ(host.run(), SKEP_OK) << host.failure;
    std::string state = host.save();
    for (std::size_t size = state.size(); size-- > 0;) {
        FakeHost next("file_tail", {{"path", path()}, {"follow", "true"}});
        ASSERT_EQ(next.create(), SKEP_OK) << next.failure;
        (void)next.load(state.substr(0, size), 2);  // whatever it says, it does not crash
        EXPECT_EQ(next.run(), SKEP_OK) << size;
    }
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
