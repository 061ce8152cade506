// A TOML file as plain values, each with its place in bytes. The one door to the TOML library:
// nothing of that library shows here.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "host/base/result.hpp"

namespace skep::host {

struct TomlMember;
struct TomlNode;

struct TomlString {
    std::string text;
    // It stands in the source letter for letter, between one quote and another: byte n of it is n +
    // 1 columns after the start of the value.
    bool verbatim = false;
};

struct TomlArray {
    std::vector<TomlNode> items;
};

struct TomlTable {
    std::vector<TomlMember> members;  // in the order of the file
};

// A date or a time: skep has no use for one, but must be able to say that it stands there.
struct TomlDate {};

struct TomlNode {
    std::variant<TomlString, std::int64_t, double, bool, TomlArray, TomlTable, TomlDate> value;
    SourceSpan span;  // of a [table]: its header; never beyond the end of a line
};

struct TomlMember {
    std::string key;
    SourceSpan key_span;
    TomlNode node;
};

// The table that the whole file is. An error says what is wrong with the TOML; the library gives up
// at the first one.
[[nodiscard]] Result<TomlTable> parse_toml(std::string_view source, const std::string& file);

}  // namespace skep::host
