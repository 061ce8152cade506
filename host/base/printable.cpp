#include "host/base/printable.hpp"

#include <algorithm>
#include <charconv>

namespace skep::host {
namespace {

// Returns true for characters that change the order in which a terminal shows others, or that end a
// line: U+061C, U+200E, U+200F, U+2028 to U+202E, U+2066 to U+2069.
bool turns_text(std::string_view character) {
    if (character == "\xd8\x9c") {
        return true;
    }
    if (!character.starts_with("\xe2\x80") && !character.starts_with("\xe2\x81")) {
        return false;
    }
    const auto last = static_cast<unsigned char>(character[2]);
    return character[1] == '\x80' ? last == 0x8e || last == 0x8f || (last >= 0xa8 && last <= 0xae)
                                  : last >= 0xa6 && last <= 0xa9;
}

// Returns the length of the UTF-8 character at the start of `text`, which must not be empty; 0 if
// it is invalid.
std::size_t utf8_length(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char lead = byte(0);
    if (lead < 0x80) {
        return 1;
    }
    const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || length > text.size()) {
        return 0;
    }
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xc0) != 0x80) {
            return 0;
        }
    }
    const bool too_long = (lead == 0xe0 && byte(1) < 0xa0) || (lead == 0xf0 && byte(1) < 0x90);
    const bool no_character =
        (lead == 0xed && byte(1) >= 0xa0) || (lead == 0xf4 && byte(1) >= 0x90);
    return too_long || no_character ? 0 : length;
}

}  // namespace

bool is_utf8(std::string_view text) {
    while (!text.empty()) {
        const std::size_t length = utf8_length(text);
        if (length == 0) {
            return false;
        }
        text.remove_prefix(length);
    }
    return true;
}

std::size_t printable_length(std::string_view text) {
    const std::size_t length = utf8_length(text);
    const auto lead = static_cast<unsigned char>(text[0]);
    const bool is_control =
        length == 1 ? lead != '\t' && (lead < 0x20 || lead == 0x7f)
                    : length == 2 && lead == 0xc2 && static_cast<unsigned char>(text[1]) < 0xa0;
    return is_control || turns_text(text.substr(0, length)) ? 0 : length;
}

std::size_t shown_width(std::string_view text) {
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char it) {
        return (static_cast<unsigned char>(it) & 0xc0U) != 0x80U;
    }));
}

std::string escaped(std::string_view text) {
    const auto is_plain = [](char it) { return it >= ' ' && it <= '~'; };
    if (std::all_of(text.begin(), text.end(), is_plain)) {
        return std::string(text);
    }
    std::string shown;
    while (!text.empty()) {
        const std::size_t length = printable_length(text);
        if (length > 0) {
            shown += text.substr(0, length);
        } else if (text[0] == '\n') {
            shown += "\\n";
        } else {
            shown += "\\x" + hex(text.substr(0, 1));
        }
        text.remove_prefix(length > 0 ? length : 1);
    }
    return shown;
}

std::string hex(std::string_view bytes) {
    constexpr const char* digits = "0123456789abcdef";
    std::string text;
    for (const char it : bytes) {
        const auto byte = static_cast<unsigned char>(it);
        text += {digits[byte >> 4U], digits[byte & 0xfU]};
    }
    return text;
}

std::optional<std::string> bytes_of_hex(std::string_view text) {
    if (text.size() % 2 != 0) {
        return std::nullopt;
    }
    std::string bytes;
    bytes.reserve(text.size() / 2);
    for (std::size_t i = 0; i < text.size(); i += 2) {
        const char* const first = text.data() + i;
        unsigned char byte = 0;
        if (const auto read = std::from_chars(first, first + 2, byte, 16);
            read.ec != std::errc() || read.ptr != first + 2) {
            return std::nullopt;
        }
        bytes += static_cast<char>(byte);
    }
    return bytes;
}

}  // namespace skep::host
