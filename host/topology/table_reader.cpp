#include "host/topology/table_reader.hpp"

#include <algorithm>

#include "host/base/contains.hpp"
#include "host/topology/interpolate.hpp"
#include "host/topology/units.hpp"

namespace skep::host {

std::optional<ReadString> read_string(const TomlString& string,
                                      const SourceSpan& span,
                                      const Environment& environment,
                                      Problems& problems) {
    Interpolated result = interpolate(string.text, environment);
    for (InterpolationError& error : result.errors) {
        SourceSpan place = span;
        if (string.verbatim) {
            place.column += static_cast<int>(error.offset) + 1;
            place.length = static_cast<int>(error.length);
        }
        problems.error(place, std::move(error.message), std::move(error.hint));
    }
    if (!result.errors.empty()) {
        return {};
    }
    return ReadString{std::move(result.text), result.changed};
}

bool is_cut_by_null(std::string_view text,
                    const std::string& subject,
                    const SourceSpan& span,
                    Problems& problems) {
    if (text.find('\0') == std::string_view::npos) {
        return false;
    }
    problems.error(span,
                   subject + " contains a NUL character, which ends a name or a path",
                   "remove the \\u0000");
    return true;
}

std::string describe(const TomlNode& node) {
    if (const auto* string = std::get_if<TomlString>(&node.value)) {
        return describe(ConfigLeaf(string->text));
    }
    if (const auto* integer = std::get_if<std::int64_t>(&node.value)) {
        return describe(ConfigLeaf(*integer));
    }
    if (const auto* number = std::get_if<double>(&node.value)) {
        return describe(ConfigLeaf(*number));
    }
    if (const auto* boolean = std::get_if<bool>(&node.value)) {
        return describe(ConfigLeaf(*boolean));
    }
    if (std::holds_alternative<TomlArray>(node.value)) {
        return "an array";
    }
    return std::holds_alternative<TomlTable>(node.value) ? "a table" : "a date or time";
}

TableReader::TableReader(const TomlTable& table,
                         const SourceSpan& span,
                         std::string where,
                         const Environment& environment,
                         Problems& problems)
    : table_(table),
      span_(span),
      where_(std::move(where)),
      environment_(environment),
      problems_(problems) {}

const TomlMember* TableReader::find(std::string_view key) {
    if (!contains(known_, key)) {
        known_.emplace_back(key);
    }
    const auto found = std::find_if(table_.members.begin(),
                                    table_.members.end(),
                                    [&](const TomlMember& member) { return member.key == key; });
    return found == table_.members.end() ? nullptr : &*found;
}

const TomlMember* TableReader::require(std::string_view key, std::string_view example) {
    const TomlMember* const member = find(key);
    if (member == nullptr) {
        missing_.push_back({std::string(key), std::string(example)});
    }
    return member;
}

void TableReader::expected(std::string_view key,
                           const TomlNode& node,
                           std::string_view what,
                           std::string hint) {
    mismatch(key, node.span, what, describe(node), std::move(hint));
}

void TableReader::wrong(std::string_view key,
                        const SourceSpan& span,
                        std::string message,
                        std::string hint) {
    unread_.emplace(key, span.line);
    problems_.error(span, std::move(message), std::move(hint));
}

void TableReader::mismatch(std::string_view key,
                           const SourceSpan& span,
                           std::string_view what,
                           const std::string& found,
                           std::string hint) {
    wrong(key,
          span,
          "'" + std::string(key) + "' expects " + std::string(what) + ", found " + found,
          std::move(hint));
}

std::optional<ReadString> TableReader::string_of(std::string_view key, const TomlNode& node) {
    const auto* const string = std::get_if<TomlString>(&node.value);
    if (string == nullptr) {
        expected(key, node, "a string");
        return {};
    }
    std::optional<ReadString> read = read_string(*string, node.span, environment_, problems_);
    if (!read) {
        unread_.emplace(key, node.span.line);
    }
    return read;
}

bool TableReader::contains_null(std::string_view key,
                                std::string_view text,
                                const SourceSpan& span) {
    const bool found = is_cut_by_null(text, "'" + std::string(key) + "'", span, problems_);
    if (found) {
        unread_.emplace(key, span.line);
    }
    return found;
}

std::optional<Located<std::string>> TableReader::text(std::string_view key) {
    const TomlMember* const member = find(key);
    if (member == nullptr) {
        return {};
    }
    std::optional<ReadString> string = string_of(key, member->node);
    if (!string) {
        return {};
    }
    return Located<std::string>{std::move(string->text), member->node.span};
}

std::optional<Located<std::string>> TableReader::word(std::string_view key) {
    std::optional<Located<std::string>> string = text(key);
    if (string && string->value.empty()) {
        wrong(key, string->span, "'" + std::string(key) + "' is empty");
        return {};
    }
    if (string && contains_null(key, string->value, string->span)) {
        return {};
    }
    return string;
}

std::vector<Located<std::string>> TableReader::words(std::string_view key) {
    const TomlMember* const member = find(key);
    if (member == nullptr) {
        return {};
    }
    const auto* const array = std::get_if<TomlArray>(&member->node.value);
    if (array == nullptr) {
        if (!std::holds_alternative<TomlString>(member->node.value)) {
            expected(key, member->node, "a string or an array of strings");
            return {};
        }
        const std::optional<Located<std::string>> one = word(key);
        return one ? std::vector{*one} : std::vector<Located<std::string>>{};
    }
    if (array->items.empty()) {
        wrong(key, member->node.span, "'" + std::string(key) + "' is empty");
    }
    std::vector<Located<std::string>> result;
    for (const TomlNode& item : array->items) {
        std::optional<ReadString> string = string_of(key, item);
        if (!string) {
            continue;
        }
        if (string->text.empty()) {
            wrong(key, item.span, "'" + std::string(key) + "' contains an empty string");
        } else if (!contains_null(key, string->text, item.span)) {
            result.push_back({std::move(string->text), item.span});
        }
    }
    return result;
}

std::optional<Located<std::int64_t>> TableReader::integer(std::string_view key,
                                                          std::int64_t min,
                                                          std::int64_t max) {
    const TomlMember* const member = find(key);
    return member == nullptr ? std::nullopt
                             : integer_of(key, member->node, min, max, "an integer", "is");
}

std::vector<Located<std::int64_t>> TableReader::integers(std::string_view key,
                                                         std::int64_t min,
                                                         std::int64_t max) {
    const TomlMember* const member = find(key);
    if (member == nullptr) {
        return {};
    }
    const auto* const array = std::get_if<TomlArray>(&member->node.value);
    if (array == nullptr) {
        const auto* const one = std::get_if<std::int64_t>(&member->node.value);
        expected(key,
                 member->node,
                 "an array of integers",
                 one == nullptr ? "" : "write [" + std::to_string(*one) + "]");
        return {};
    }
    if (array->items.empty()) {
        wrong(key, member->node.span, "'" + std::string(key) + "' is empty");
    }
    std::vector<Located<std::int64_t>> result;
    for (const TomlNode& item : array->items) {
        const auto integer = integer_of(key, item, min, max, "integers", "contains");
        if (!integer) {
            continue;
        }
        const bool is_new = std::none_of(result.begin(), result.end(), [&](const auto& before) {
            return before.value == integer->value;
        });
        if (is_new) {
            result.push_back(*integer);
        } else {
            wrong(
                key,
                item.span,
                "'" + std::string(key) + "' contains " + std::to_string(integer->value) + " twice");
        }
    }
    return result;
}

std::optional<Located<std::int64_t>> TableReader::integer_of(std::string_view key,
                                                             const TomlNode& node,
                                                             std::int64_t min,
                                                             std::int64_t max,
                                                             std::string_view what,
                                                             std::string_view is) {
    std::optional<std::int64_t> value;
    if (const auto* literal = std::get_if<std::int64_t>(&node.value)) {
        value = *literal;
    } else if (std::holds_alternative<TomlString>(node.value)) {
        const auto string = string_of(key, node);
        if (!string) {
            return {};
        }
        value = parse_integer(string->text);
        // Only a reference may be in quotes.
        if (!value || !string->interpolated) {
            mismatch(key,
                     node.span,
                     what,
                     describe(ConfigLeaf(string->text)),
                     value ? "write it without quotes" : "");
            return {};
        }
    } else {
        expected(key, node, what);
        return {};
    }
    if (*value < min || *value > max) {
        wrong(key,
              node.span,
              "'" + std::string(key) + "' " + std::string(is) + " " + std::to_string(*value) +
                  ", which is out of range",
              "it must be from " + std::to_string(min) + " to " + std::to_string(max));
        return {};
    }
    return Located<std::int64_t>{*value, node.span};
}

std::optional<Located<bool>> TableReader::boolean(std::string_view key) {
    const TomlMember* const member = find(key);
    if (member == nullptr) {
        return {};
    }
    const TomlNode& node = member->node;
    if (const auto* literal = std::get_if<bool>(&node.value)) {
        return Located<bool>{*literal, node.span};
    }
    if (!std::holds_alternative<TomlString>(node.value)) {
        expected(key, node, "true or false");
        return {};
    }
    const auto string = string_of(key, node);
    if (!string) {
        return {};
    }
    const std::optional<bool> value = parse_boolean(string->text);
    if (!value || !string->interpolated) {
        mismatch(key,
                 node.span,
                 "true or false",
                 describe(ConfigLeaf(string->text)),
                 value ? "write it without quotes" : "");
        return {};
    }
    return Located<bool>{*value, node.span};
}

std::optional<Located<std::chrono::nanoseconds>> TableReader::duration(std::string_view key) {
    const TomlMember* const member = find(key);
    if (member == nullptr) {
        return {};
    }
    constexpr std::string_view what = "a duration such as \"200ms\"";
    if (!std::holds_alternative<TomlString>(member->node.value)) {
        const auto* const integer = std::get_if<std::int64_t>(&member->node.value);
        expected(key,
                 member->node,
                 what,
                 integer == nullptr
                     ? ""
                     : "write it with a unit: \"" + std::to_string(*integer) + "s\"");
        return {};
    }
    const auto string = string_of(key, member->node);
    if (!string) {
        return {};
    }
    const std::optional<std::int64_t> value = parse_duration(string->text);
    if (!value) {
        mismatch(key,
                 member->node.span,
                 what,
                 describe(ConfigLeaf(string->text)),
                 std::string(duration_advice));
        return {};
    }
    return Located<std::chrono::nanoseconds>{std::chrono::nanoseconds(*value), member->node.span};
}

std::optional<Located<std::int64_t>> TableReader::size(std::string_view key) {
    const TomlMember* const member = find(key);
    if (member == nullptr) {
        return {};
    }
    constexpr std::string_view what = "a size such as \"64KiB\"";
    std::optional<std::int64_t> value;
    if (const auto* const integer = std::get_if<std::int64_t>(&member->node.value)) {
        value = *integer;
    } else if (std::holds_alternative<TomlString>(member->node.value)) {
        const auto string = string_of(key, member->node);
        if (!string) {
            return {};
        }
        value = parse_size(string->text);
        if (!value && string->interpolated) {
            value = parse_integer(string->text);
        }
        if (!value) {
            mismatch(key,
                     member->node.span,
                     what,
                     describe(ConfigLeaf(string->text)),
                     std::string(size_advice));
            return {};
        }
    } else {
        expected(key, member->node, what);
        return {};
    }
    if (*value < 1) {
        wrong(key, member->node.span, "'" + std::string(key) + "' must be more than zero");
        return {};
    }
    return Located<std::int64_t>{*value, member->node.span};
}

void TableReader::each_table(std::string_view key,
                             const std::function<void(const TomlTable&, const SourceSpan&)>& read) {
    const TomlMember* const member = find(key);
    if (member == nullptr) {
        return;
    }
    const std::string hint = "write [[" + std::string(key) + "]] above each of them";
    const auto* const array = std::get_if<TomlArray>(&member->node.value);
    if (array == nullptr) {
        expected(key, member->node, "an array of tables", hint);
        return;
    }
    for (const TomlNode& item : array->items) {
        if (const auto* element = std::get_if<TomlTable>(&item.value)) {
            read(*element, item.span);
        } else {
            expected(key, item, "tables", hint);
        }
    }
}

const TomlTable* TableReader::table(std::string_view key, std::string hint) {
    const TomlMember* const member = find(key);
    if (member == nullptr) {
        return nullptr;
    }
    const auto* const found = std::get_if<TomlTable>(&member->node.value);
    if (found == nullptr) {
        expected(key, member->node, "a table", std::move(hint));
    }
    return found;
}

UnreadKeys TableReader::finish(std::string_view advice) {
    UnreadKeys misspelt;
    for (const TomlMember& member : table_.members) {
        if (contains(known_, member.key)) {
            continue;
        }
        const bool is_table = std::holds_alternative<TomlTable>(member.node.value);
        const std::string meant = nearest(member.key, known_);
        problems_.error(member.key_span,
                        std::string(is_table ? "unknown table '" : "unknown key '") + member.key +
                            "' in " + where_,
                        meant.empty() ? suggestion(member.key, known_, "key") + std::string(advice)
                                      : "did you mean '" + meant + "'?");
        unread_.emplace(member.key, member.key_span.line);
        misspelt.emplace(meant, member.key_span.line);
    }
    for (const auto& [key, example] : missing_) {
        if (misspelt.count(key) == 0) {
            problems_.error(span_, "missing key '" + key + "' in " + where_, "add " + example);
        }
    }
    unread_.merge(misspelt);
    return std::move(unread_);
}

}  // namespace skep::host
