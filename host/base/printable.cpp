#include "host/base/printable.hpp"

namespace skep::host {

std::size_t printable_length(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char lead = byte(0);
    if (lead < 0x80) {
        return lead == '\t' || (lead >= 0x20 && lead != 0x7f) ? 1 : 0;
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
    const bool control = lead == 0xc2 && byte(1) < 0xa0;
    return too_long || no_character || control ? 0 : length;
}

std::string escaped(std::string_view text) {
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

}  // namespace skep::host
