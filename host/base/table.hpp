// Formats tables for people. Pure.
#pragma once

#include <cstddef>
#include <limits>
#include <string>
#include <vector>

namespace skep::host {

// Returns the table as text; the first row is the head. A column is as wide as its widest cell, and
// two spaces separate columns. The first `left` columns are aligned left; the others, which are
// numbers, right. Cells are escaped (base/printable.hpp), thus no name can act on a terminal.
[[nodiscard]] std::string table_text(const std::vector<std::vector<std::string>>& rows,
                                     std::size_t left = std::numeric_limits<std::size_t>::max());

}  // namespace skep::host
