// How deep a TOML text nests, found out without a parser: parsers, and all that walks what they
// give, call themselves once for each level.
#pragma once

#include <optional>
#include <string_view>

#include "host/base/diagnostic.hpp"

namespace skep::host {

// Where the text first nests more than 200 levels of brackets, braces and dotted keys. The text
// need not be TOML; of what is TOML in front of its first mistake, nothing is missed.
[[nodiscard]] std::optional<SourceSpan> find_deep_nesting(std::string_view source);

}  // namespace skep::host
