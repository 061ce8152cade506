// Measures the nesting of a TOML text without a parser. Parsers, and all code that walks their
// result, recurse once for each level.
#pragma once

#include <optional>
#include <string_view>

#include "host/base/diagnostic.hpp"

namespace skep::host {

// Returns the first place where the text nests more than 200 levels of brackets, braces and dotted
// keys. The text need not be TOML: in the valid TOML before the first mistake, no such place is
// missed.
[[nodiscard]] std::optional<SourceSpan> find_deep_nesting(std::string_view source);

}  // namespace skep::host
