// Tables for people. Pure.
#pragma once

#include <cstddef>
#include <limits>
#include <string>
#include <vector>

namespace skep::host {

// The first row is the head. Columns as wide as their widest cell, two spaces between them. The
// first `left` columns stand at the left, the others, which are numbers, at the right. Cells are
// escaped (base/printable.hpp): no name acts on a terminal.
[[nodiscard]] std::string table_text(const std::vector<std::vector<std::string>>& rows,
                                     std::size_t left = std::numeric_limits<std::size_t>::max());

}  // namespace skep::host
