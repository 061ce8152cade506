#include "host/base/printable.hpp"

#include <gtest/gtest.h>

namespace skep::host {
namespace {

TEST(Escaped, LeavesTextOfAnyLanguage) {
    EXPECT_EQ(escaped("a\tb \\ \xc3\xa4 \xe2\x82\xac \xf0\x9f\x90\x9d"),
              "a\tb \\ \xc3\xa4 \xe2\x82\xac \xf0\x9f\x90\x9d");
    EXPECT_EQ(escaped(""), "");
}

TEST(Escaped, ShowsControlsAndInvalidBytes) {
    EXPECT_EQ(escaped(std::string_view("\0\x1b\r\n\x7f", 5)), "\\x00\\x1b\\x0d\\n\\x7f");
    EXPECT_EQ(escaped("\xc2\x85 \xff \xe2\x82"), "\\xc2\\x85 \\xff \\xe2\\x82");
}

// Each would show the text after it in another order, or in another line.
TEST(Escaped, ShowsWhatTurnsText) {
    for (const char* const it :
         {"\u061c", "\u200e", "\u200f", "\u2028", "\u202a", "\u202e", "\u2066", "\u2069"}) {
        EXPECT_EQ(printable_length(it), 0U) << hex(it);
    }
    for (const char* const it : {"\u061b", "\u2010", "\u2027", "\u202f", "\u2065", "\u206a"}) {
        EXPECT_GT(printable_length(it), 0U) << hex(it);
    }
}

TEST(ShownWidth, CountsCharacters) {
    EXPECT_EQ(shown_width(""), 0U);
    EXPECT_EQ(shown_width("Bienenst\u00f6cke"), 12U);
}

TEST(Hex, IsTwoDigitsAByte) {
    EXPECT_EQ(hex(""), "");
    EXPECT_EQ(hex(std::string_view("\0\x0f\xff", 3)), "000fff");
}

TEST(Hex, IsReadInEitherCase) {
    EXPECT_EQ(bytes_of_hex(""), "");
    EXPECT_EQ(bytes_of_hex("000fFf"), std::string("\0\x0f\xff", 3));
    for (const char* const bad : {"0", "0g", "g0", "-1", "+1", " 1", "1 ", "0x"}) {
        EXPECT_EQ(bytes_of_hex(bad), std::nullopt) << bad;
    }
}

TEST(Utf8, IsWholeAndShortestAndOfCharacters) {
    EXPECT_TRUE(is_utf8(std::string_view("a\0\n\x7f\xc2\x80\xe2\x82\xac\xf0\x9f\x90\x9d", 14)));
    for (const char* const bad :
         {"caf\xe9", "\xff", "\x80", "\xe2\x82", "\xc0\x80", "\xed\xa0\x80"}) {
        EXPECT_FALSE(is_utf8(bad));
    }
}

}  // namespace
}  // namespace skep::host
