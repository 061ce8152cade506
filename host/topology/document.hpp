// A TOML file as plain values, each with its place in bytes. The only interface to the TOML
// library: nothing of the library shows here.
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
    // The source contains the text unchanged between two quotes: byte n of it is n + 1 columns
    // after the start of the value.
    bool verbatim = false;
};

struct TomlArray {
    std::vector<TomlNode> items;
};

struct TomlTable {
    std::vector<TomlMember> members;  // in the order of the file
};

// A date or a time. skep does not use it, but must be able to report it.
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

// Parses the whole file as a table. The error describes the first TOML mistake; the library stops
// there.
[[nodiscard]] Result<TomlTable> parse_toml(std::string_view source, const std::string& file);

}  // namespace skep::host
