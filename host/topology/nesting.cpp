// Counts the level of nesting in one pass. An open bracket or brace and each dot add a level. A
// comma or a new line returns to the level inside the innermost open bracket. Strings and comments
// are skipped.
#include "host/topology/nesting.hpp"

#include <algorithm>
#include <vector>

namespace skep::host {
namespace {

constexpr std::size_t most_levels = 200;

// Returns the end of the string that starts at `at`. A single-line string ends at the latest with
// its line.
std::size_t end_of_string(std::string_view source, std::size_t at) {
    const char quote = source[at];
    const std::string_view three = quote == '"' ? "\"\"\"" : "'''";
    const bool is_long = source.substr(at, 3) == three;
    std::size_t end = at + (is_long ? 3 : 1);
    while (end < source.size()) {
        if (quote == '"' && source[end] == '\\') {
            end += 2;
        } else if (is_long && source.substr(end, 3) == three) {
            // Up to two more quotes belong to the text.
            const std::string_view quotes = source.substr(end, 5);
            return end + std::min(quotes.find_first_not_of(quote), quotes.size());
        } else if (!is_long && (source[end] == quote || source[end] == '\n')) {
            return end + (source[end] == quote ? 1 : 0);
        } else {
            ++end;
        }
    }
    return source.size();
}

}  // namespace

std::optional<SourceSpan> find_deep_nesting(std::string_view source) {
    std::vector<std::size_t> open;  // the level around each open bracket
    std::size_t level = 0;
    std::size_t line = 1;
    std::size_t line_start = 0;
    const auto around = [&] { return open.empty() ? 0 : open.back() + 1; };
    for (std::size_t at = 0; at < source.size(); ++at) {
        switch (source[at]) {
            case '"':
            case '\'': {
                const std::size_t end = end_of_string(source, at);
                for (; at + 1 < end; ++at) {
                    if (source[at] == '\n') {
                        ++line;
                        line_start = at + 1;
                    }
                }
                break;
            }
            case '#':
                at = std::min(source.find('\n', at), source.size()) - 1;
                break;
            case '[':
            case '{':
                open.push_back(level++);
                break;
            case ']':
            case '}':
                if (!open.empty()) {
                    level = open.back();
                    open.pop_back();
                }
                break;
            case '.':
                ++level;
                break;
            case ',':
                level = around();
                break;
            case '\n':
                level = around();
                ++line;
                line_start = at + 1;
                break;
            default:
                break;
        }
        if (level > most_levels) {
            return SourceSpan{static_cast<int>(line), static_cast<int>(at - line_start) + 1, 1};
        }
    }
    return {};
}

}  // namespace skep::host
