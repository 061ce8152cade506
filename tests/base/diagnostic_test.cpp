#include "host/base/diagnostic.hpp"

#include <gtest/gtest.h>

namespace skep::host {
namespace {

Diagnostic at(int line, int column, int length, std::string hint = {}) {
    return {Severity::error, "a.toml", {line, column, length}, "it is wrong", std::move(hint)};
}

TEST(Diagnostic, IsRenderedAsCompilersDo) {
    const Diagnostic diagnostic{Severity::error,
                                "configs/a.toml",
                                {2, 1, 5},
                                "unknown key 'plugn' in [worker.parse]",
                                "did you mean 'plugin'?"};
    EXPECT_EQ(render(diagnostic, "[worker.parse]\nplugn = \"regex\"\n"),
              "configs/a.toml:2:1: error: unknown key 'plugn' in [worker.parse]\n"
              "    2 | plugn = \"regex\"\n"
              "      | ^~~~~\n"
              "      = did you mean 'plugin'?\n");
}

TEST(Diagnostic, IsRenderedWithoutALineWhenThereIsNoSource) {
    EXPECT_EQ(render(at(7, 3, 1, "mend it")),
              "a.toml:7:3: error: it is wrong\n"
              "      = mend it\n");
}

TEST(Diagnostic, IsRenderedWithoutAPlaceWhenItIsAboutTheWholeFile) {
    EXPECT_EQ(render(error_about("a.toml", "it is wrong"), "text"), "a.toml: error: it is wrong\n");
    EXPECT_EQ(render(error_about("", "it is wrong", "mend it")),
              "error: it is wrong\n      = mend it\n");
}

TEST(Diagnostic, NamesAWarning) {
    Diagnostic diagnostic = error_about("", "it is odd");
    diagnostic.severity = Severity::warning;
    EXPECT_EQ(render(diagnostic), "warning: it is odd\n");
}

TEST(Diagnostic, UnderlinesItsSpanBelowTheLine) {
    const struct {
        const char* claim;
        int column, length;
        const char* source;
        const char* line;
        const char* underline;
    } rows[] = {
        {"keeps tabs before the caret", 4, 1, "\ta\tb", "\ta\tb", "\t \t^"},
        {"counts bytes but underlines characters", 6, 4, "\"ü\" éé", "\"ü\" éé", "    ^~"},
        {"leaves the carriage return out", 1, 1, "a\r\nb\r\n", "a", "^"},
        {"points behind the end of a line", 4, 9, "abc", "abc", "   ^"},
        {"cuts an underline at the end of the line", 2, 50, "abc", "abc", " ^~"},
    };

    for (const auto& row : rows) {
        SCOPED_TRACE(row.claim);
        EXPECT_EQ(render(at(1, row.column, row.length), row.source),
                  "a.toml:1:" + std::to_string(row.column) + ": error: it is wrong\n    1 | " +
                      row.line + "\n      | " + row.underline + "\n");
    }
}

TEST(Diagnostic, ShowsUnprintableBytesAsQuestionMarks) {
    const std::string line("a\0b\x1b[1m\xff\xc2\x9b\xed\xa0\x80z", 14);
    EXPECT_EQ(render(at(1, 14, 1), line),
              "a.toml:1:14: error: it is wrong\n"
              "    1 | a?b?[1m??????z\n"
              "      |              ^\n");
    EXPECT_EQ(render(error_about("f\x1b", "key 'a\nb'", "not \x7f")),
              "f?: error: key 'a?b'\n      = not ?\n");
}

TEST(Diagnostic, CutsALongLineAroundTheSpan) {
    const std::string line = std::string(500, 'a') + "XYZ" + std::string(500, 'b');
    EXPECT_EQ(render(at(1, 501, 3), line),
              "a.toml:1:501: error: it is wrong\n"
              "    1 | ..." +
                  std::string(30, 'a') + "XYZ" + std::string(67, 'b') +
                  "...\n"
                  "      | " +
                  std::string(33, ' ') + "^~~\n");
    EXPECT_EQ(render(at(1, 1, 900), line),
              "a.toml:1:1: error: it is wrong\n"
              "    1 | " +
                  std::string(100, 'a') + "...\n      | ^" + std::string(99, '~') + "\n");
}

TEST(Diagnostic, LooksAtAVeryLongLineAroundTheSpanOnly) {
    std::string line(1'000'000, 'a');
    for (std::size_t i = 1; i + 1 < line.size(); i += 2) {
        line.replace(i, 2, "\u00fc");
    }
    line.replace(500'001, 4, "XYZ!");
    std::string before;
    std::string after;
    for (int i = 0; i < 30; ++i) {
        before += "\u00fc";
    }
    for (int i = 0; i < 66; ++i) {
        after += "\u00fc";
    }
    EXPECT_EQ(render(at(1, 500'002, 4), line),
              "a.toml:1:500002: error: it is wrong\n    1 | ..." + before + "XYZ!" + after +
                  "...\n      | " + std::string(33, ' ') + "^~~~\n");
}

TEST(Diagnostic, ShowsNoLineThatTheSourceLacks) {
    EXPECT_EQ(render(at(3, 1, 1), "one\ntwo"), "a.toml:3:1: error: it is wrong\n");
    EXPECT_EQ(render(at(2, 1, 1), "one\n\nthree"), "a.toml:2:1: error: it is wrong\n");
}

TEST(Diagnostic, ShowsNoLineThatItConceals) {
    const Diagnostic diagnostic{Severity::error, "a.toml", {1, 1, 1}, "no", "", true};
    EXPECT_EQ(render(diagnostic, "secret\n"), "a.toml:1:1: error: no\n");
}

TEST(Diagnostic, WidensTheGutterForLongLineNumbers) {
    std::string source(123455, '\n');
    EXPECT_EQ(render(at(123456, 1, 1), source + "x"),
              "a.toml:123456:1: error: it is wrong\n"
              "123456 | x\n"
              "       | ^\n");
}

TEST(Diagnostic, ListHasErrorsOnlyIfOneIsNoWarning) {
    Diagnostic warning = error_about("", "odd");
    warning.severity = Severity::warning;
    EXPECT_FALSE(has_errors({}));
    EXPECT_FALSE(has_errors({warning}));
    EXPECT_TRUE(has_errors({warning, error_about("", "wrong")}));
}

TEST(Nearest, FindsLettersThatAreWrongMissingOrSwapped) {
    const std::vector<std::string> keys = {"plugin", "replicas", "mailbox"};
    EXPECT_EQ(nearest("plugn", keys), "plugin");
    EXPECT_EQ(nearest("plugins", keys), "plugin");
    EXPECT_EQ(nearest("pulgin", keys), "plugin");
    EXPECT_EQ(nearest("maelbax", keys), "mailbox");
    EXPECT_EQ(nearest("Replicas", keys), "replicas");
}

TEST(Nearest, IsEmptyWhenMoreThanAThirdIsWrong) {
    EXPECT_EQ(nearest("colour", {"plugin", "type"}), "");
    EXPECT_EQ(nearest("pugn", {"plugin"}), "");
    EXPECT_EQ(nearest("plugin", {}), "");
    EXPECT_EQ(nearest("", {"a"}), "");
}

TEST(Nearest, IsEmptyForAWordThatIsTooLongForAName) {
    const std::string long_word(1'000'000, 'a');
    EXPECT_EQ(nearest(long_word, {long_word + "b"}), "");
}

TEST(Nearest, WantsOneRightLetterOfAShortWord) {
    EXPECT_EQ(nearest("ta", {"to"}), "to");
    EXPECT_EQ(nearest("a", {"b"}), "");
}

TEST(Nearest, PrefersTheFewestWrongLettersThenTheFirst) {
    EXPECT_EQ(nearest("lines", {"liner", "lines2", "line"}), "liner");
    EXPECT_EQ(nearest("pausing", {"passing", "pausings", "pausing"}), "pausing");
}

}  // namespace
}  // namespace skep::host
