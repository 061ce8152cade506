#include "host/daemon/log.hpp"

#include <cstdlib>
#include <ctime>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace skep::host {
namespace {

// 2026-11-22 16:04:05.123 UTC.
constexpr std::chrono::system_clock::time_point at{std::chrono::milliseconds(1795363445123)};

class Log : public testing::Test {
protected:
    void SetUp() override {
        ::setenv("TZ", "UTC", 1);
        ::tzset();
    }
};

TEST_F(Log, TextHasTimeLevelWorkerAndWords) {
    EXPECT_EQ(log_line_text({at, "info", "worker_1@1", "text"}, false),
              "16:04:05.123 info  worker_1@1  text");
    EXPECT_EQ(log_line_text({at, "error", "skep", "text"}, false), "16:04:05.123 error skep  text");
}

TEST_F(Log, ColourMarksTheLevelAlone) {
    EXPECT_EQ(log_line_text({at, "error", "a@1", "text"}, true),
              "16:04:05.123 \x1b[31merror\x1b[0m a@1  text");
    EXPECT_EQ(log_line_text({at, "info", "a@1", "text"}, true), "16:04:05.123 info  a@1  text");
}

TEST_F(Log, TextOfAPluginCannotActOnATerminalOrStartALine) {
    EXPECT_EQ(log_line_text({at, "warn", "a@1", "\x1b]0;title\x07\r\nfake\x9b"}, false),
              "16:04:05.123 warn  a@1  \\x1b]0;title\\x07\\x0d\\nfake\\x9b");
    // C1 controls in UTF-8 act on terminals too.
    EXPECT_EQ(log_line_text({at,
                             "warn",
                             "a@1",
                             "\xc2\x9b"
                             "2J"},
                            false),
              "16:04:05.123 warn  a@1  \\xc2\\x9b2J");
    EXPECT_EQ(log_line_text({at,
                             "info",
                             "a@1",
                             "Gr\xc3\xbc\xc3\x9f"
                             "e\t\xe2\x82\xac"},
                            false),
              "16:04:05.123 info  a@1  Gr\xc3\xbc\xc3\x9f"
              "e\t\xe2\x82\xac");
}

TEST_F(Log, JsonIsOneObjectThatSplitsTheWorkerAtTheLastAt) {
    EXPECT_EQ(log_line_json({at, "info", "parse#2@14", "a \"b\"\n"}),
              R"({"time":"2026-11-22T16:04:05.123Z","level":"info","worker":"parse#2",)"
              R"("generation":14,"text":"a \"b\"\n"})");
    EXPECT_THAT(log_line_json({at, "info", "a@b@3", "x"}),
                testing::HasSubstr(R"("worker":"a@b","generation":3)"));
}

TEST_F(Log, JsonOfTheHostHasNoWorker) {
    EXPECT_EQ(log_line_json({at, "warn", "skep", "text"}),
              R"({"time":"2026-11-22T16:04:05.123Z","level":"warn","worker":null,)"
              R"("generation":null,"text":"text"})");
}

TEST_F(Log, JsonReplacesWhatIsNotUtf8) {
    EXPECT_THAT(log_line_json({at, "info", "a@1", "<\xff>\x1b"}),
                testing::HasSubstr("\"text\":\"<\xef\xbf\xbd>\\u001b\""));
}

}  // namespace
}  // namespace skep::host
