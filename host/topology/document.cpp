#include "host/topology/document.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include <toml++/toml.h>

#include "host/topology/nesting.hpp"

namespace skep::host {
namespace {

constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";

bool continues_character(char byte) {
    return (static_cast<unsigned char>(byte) & 0xc0) == 0x80;
}

std::string_view trimmed(std::string_view text) {
    const std::size_t first = text.find_first_not_of(" \t");
    return first == std::string_view::npos
               ? std::string_view{}
               : text.substr(first, text.find_last_not_of(" \t") + 1 - first);
}

// Maps places of the library to spans: the library counts characters, and skep counts bytes.
class Lines {
public:
    explicit Lines(std::string_view source)
        : lines_(source) {}

    // Returns an empty text when the source has no such line.
    [[nodiscard]] std::string_view line(std::size_t number) const { return lines_.line(number); }

    [[nodiscard]] SourceSpan span(const toml::source_region& region) const {
        const std::string_view line_text = line(region.begin.line);
        const std::size_t begin = byte_offset(region.begin);
        const std::size_t end =
            region.end.line == region.begin.line ? byte_offset(region.end) : line_text.size();
        return {static_cast<int>(region.begin.line),
                static_cast<int>(begin) + 1,
                end > begin ? static_cast<int>(end - begin) : 1};
    }

    [[nodiscard]] std::string_view text(const SourceSpan& span) const {
        const std::string_view line_text = line(static_cast<std::size_t>(span.line));
        const auto begin = static_cast<std::size_t>(span.column - 1);
        return begin < line_text.size()
                   ? line_text.substr(begin, static_cast<std::size_t>(span.length))
                   : std::string_view{};
    }

    // Returns the [header] in a line.
    [[nodiscard]] std::string_view header(std::size_t number) const {
        return trimmed(line(number).substr(0, line(number).find('#')));
    }

    // Returns the number of the first line before `before` with the same header, or 0.
    [[nodiscard]] std::size_t same_header(std::size_t before) const {
        for (std::size_t number = 1; number < before; ++number) {
            if (header(number) == header(before)) {
                return number;
            }
        }
        return 0;
    }

private:
    [[nodiscard]] std::size_t byte_offset(const toml::source_position& position) const {
        const std::string_view text = line(position.line);
        const std::vector<std::size_t>& characters = characters_of(position.line);
        const std::size_t before = position.column > 0 ? position.column - 1 : 0;
        return before < characters.size() ? characters[before] : text.size();
    }

    // Returns the offset of each character of a line. Caches one line: it may hold thousands of
    // values, and a search for each of them would take quadratic time.
    [[nodiscard]] const std::vector<std::size_t>& characters_of(std::size_t number) const {
        if (number == known_line_) {
            return characters_;
        }
        known_line_ = number;
        characters_.clear();
        const std::string_view text = line(number);
        // The library does not count a byte order mark.
        const bool is_marked = number == 1 && text.starts_with(byte_order_mark);
        for (std::size_t at = is_marked ? byte_order_mark.size() : 0; at < text.size(); ++at) {
            // The first byte of a line begins a character, even a broken one.
            if (characters_.empty() || !continues_character(text[at])) {
                characters_.push_back(at);
            }
        }
        return characters_;
    }

    SourceLines lines_;
    mutable std::size_t known_line_ = 0;  // of characters_; 0: none
    mutable std::vector<std::size_t> characters_;
};

bool stands_before(const SourceSpan& a, const SourceSpan& b) {
    return std::pair(a.line, a.column) < std::pair(b.line, b.column);
}

TomlNode convert(const toml::node& node, const Lines& lines);

TomlTable convert_table(const toml::table& table, const Lines& lines) {
    TomlTable result;
    for (const auto& [key, value] : table) {
        result.members.push_back(
            {std::string(key.str()), lines.span(key.source()), convert(value, lines)});
    }
    // The library sorts members by name.
    std::stable_sort(
        result.members.begin(), result.members.end(), [](const auto& a, const auto& b) {
            return stands_before(a.key_span, b.key_span);
        });
    return result;
}

TomlNode convert(const toml::node& node, const Lines& lines) {
    TomlNode result{TomlDate{}, lines.span(node.source())};
    if (const auto* text = node.as_string()) {
        const std::string_view raw = lines.text(result.span);
        const bool verbatim = raw.size() == text->get().size() + 2 &&
                              raw.substr(1, text->get().size()) == text->get();
        result.value = TomlString{text->get(), verbatim};
    } else if (const auto* integer = node.as_integer()) {
        result.value = integer->get();
    } else if (const auto* number = node.as_floating_point()) {
        result.value = number->get();
    } else if (const auto* boolean = node.as_boolean()) {
        result.value = boolean->get();
    } else if (const auto* array = node.as_array()) {
        TomlArray items;
        for (const toml::node& item : *array) {
            items.items.push_back(convert(item, lines));
        }
        result.value = std::move(items);
    } else if (const auto* table = node.as_table()) {
        result.value = convert_table(*table, lines);
    }
    return result;
}

// Returns the name between the first and the last quote of the library's "cannot redefine existing
// table 'a.b'".
std::string_view quoted(std::string_view description) {
    const std::size_t first = description.find('\'');
    const std::size_t last = description.rfind('\'');
    return first < last ? description.substr(first + 1, last - first - 1) : std::string_view{};
}

Diagnostic redefinition(std::string_view description, std::size_t line_number, const Lines& lines) {
    const std::string name(quoted(description));
    const std::string_view header = lines.header(line_number);
    Diagnostic diagnostic;
    if (!header.starts_with("[")) {
        diagnostic.message = "key '" + name + "' is set twice";
        diagnostic.hint = "remove one of the two";
        return diagnostic;
    }
    diagnostic.span.length = static_cast<int>(header.size());
    if (description.find("existing array") != std::string_view::npos && !header.starts_with("[[")) {
        diagnostic.message = "'" + name + "' is already an array of tables";
        diagnostic.hint = "write [[" + name + "]]";
        return diagnostic;
    }
    const std::size_t first = lines.same_header(line_number);
    const std::string where =
        first > 0 ? "the first is in line " + std::to_string(first) + "; " : "";
    constexpr std::string_view worker = "worker.";
    if (name.starts_with(worker) && name.find('.', worker.size()) == std::string::npos) {
        diagnostic.message = "worker '" + name.substr(worker.size()) + "' is defined twice";
        diagnostic.hint = where + "rename this one, or merge the two";
    } else {
        diagnostic.message = "'" + name + "' is defined twice";
        diagnostic.hint = where + "merge the two";
    }
    return diagnostic;
}

// Returns a hint for the most common mistakes in a topology.
std::string advice(std::string_view description) {
    if (description.find("unknown escape sequence") != std::string_view::npos) {
        return "put regular expressions and paths between single quotes: '^\\d+$'";
    }
    if (description.find("could not determine value type") != std::string_view::npos ||
        description.find("parsing boolean") != std::string_view::npos) {
        return "text needs quotes: key = \"value\"";
    }
    if (description.find("unescaped control characters") != std::string_view::npos) {
        return "the string may lack its closing quote; put text of several lines between \"\"\"";
    }
    return "";
}

Diagnostic explain(const toml::parse_error& error, const std::string& file, const Lines& lines) {
    std::string_view description = error.description();
    const std::size_t line_number = error.source().begin.line;
    Diagnostic diagnostic;
    SourceSpan span = lines.span(error.source());
    if (description.find("cannot redefine") != std::string_view::npos) {
        diagnostic = redefinition(description, line_number, lines);
        span.length = diagnostic.span.length;
    } else {
        diagnostic.hint = advice(description);
        constexpr std::string_view prefix = "Error while parsing ";
        if (description.starts_with(prefix)) {
            description.remove_prefix(prefix.size());
        }
        diagnostic.message = "invalid TOML: " + std::string(description);
    }
    diagnostic.file = file;
    diagnostic.span = span;
    return diagnostic;
}

}  // namespace

Result<TomlTable> parse_toml(std::string_view source, const std::string& file) {
    if (const auto deep = find_deep_nesting(source)) {
        return failure({Severity::error,
                        file,
                        *deep,
                        "values are nested more than 200 levels deep",
                        "a topology needs fewer than ten levels"});
    }
    const Lines lines(source);
    try {
        return convert_table(toml::parse(source), lines);
    } catch (const toml::parse_error& error) {
        return failure(explain(error, file, lines));
    }
}

}  // namespace skep::host
