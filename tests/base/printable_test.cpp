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

TEST(Hex, IsTwoDigitsAByte) {
    EXPECT_EQ(hex(""), "");
    EXPECT_EQ(hex(std::string_view("\0\x0f\xff", 3)), "000fff");
}

}  // namespace
}  // namespace skep::host
