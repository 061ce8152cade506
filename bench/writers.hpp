// What was measured, for people and for programs.
#pragma once

#include <string>
#include <vector>

#include "bench/measure.hpp"

namespace bench {

// One line a row, then what each peer came to.
[[nodiscard]] std::string table_of(const std::vector<Row>& rows);

// [{"cell", "mode", "unit", "higher_is_better", "skep": {"median", "min", "max"}, "peers": {NAME:
// {...}}, "best_peer", "ratio"}]; the last two are null where there is no peer to compare with.
[[nodiscard]] std::string json_of(const std::vector<Row>& rows);

}  // namespace bench
