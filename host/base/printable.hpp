// Text of others (a plugin's log line, a file's name) made safe to show on a terminal.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace skep::host {

[[nodiscard]] bool is_utf8(std::string_view text);

// The length of the UTF-8 character at the start of `text`, which is not empty; or 0 when it is
// invalid or would do something to the terminal rather than be shown: control characters, and those
// that reverse the order of text. A tab is shown.
[[nodiscard]] std::size_t printable_length(std::string_view text);

// The text with every byte that is not to be shown written as "\x1b", and a newline as "\n": one
// line.
[[nodiscard]] std::string escaped(std::string_view text);

// How many characters a terminal shows of escaped text, if each has the same width.
[[nodiscard]] std::size_t shown_width(std::string_view text);

// Two digits a byte.
[[nodiscard]] std::string hex(std::string_view bytes);

// Reads what hex() writes, in lower or upper case. Empty when it is anything else.
[[nodiscard]] std::optional<std::string> bytes_of_hex(std::string_view text);

}  // namespace skep::host
