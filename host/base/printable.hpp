// Foreign text (a plugin's log line, the name of a file), made safe to show on a terminal.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace skep::host {

[[nodiscard]] bool is_utf8(std::string_view text);

// Returns the length of the UTF-8 character at the start of `text`, which must not be empty.
// Returns 0 when the character is invalid or would act on the terminal instead of being shown:
// control characters, and characters that reverse the order of text. A tab is shown.
[[nodiscard]] std::size_t printable_length(std::string_view text);

// Returns the text as one line: every byte that is not shown becomes "\x1b", a newline becomes
// "\n".
[[nodiscard]] std::string escaped(std::string_view text);

// Returns how many characters a terminal shows for escaped text, if each has the same width.
[[nodiscard]] std::size_t shown_width(std::string_view text);

// Writes two digits per byte.
[[nodiscard]] std::string hex(std::string_view bytes);

// Reads the output of hex(), in lower or upper case. Empty for any other text.
[[nodiscard]] std::optional<std::string> bytes_of_hex(std::string_view text);

}  // namespace skep::host
