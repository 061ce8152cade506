// Runs the contenders of a cell in turn, and makes rows of what they came to.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "bench/contender.hpp"
#include "bench/options.hpp"

namespace bench {

struct Spread {
    double median = 0, min = 0, max = 0;
};

// One line of the table.
struct Row {
    const CellInfo* cell = nullptr;
    std::string mode;  // "threads" or "pool"
    Spread skep;
    std::map<std::string, Spread> peers;
    std::map<std::string, std::string> not_comparable;  // peer and why
    std::string best_peer;                              // "": there is none to compare with
    double ratio = 0;                                   // above 1: skep is ahead of the best peer
};

struct Results {
    std::vector<Row> rows;
    std::vector<std::string> errors;  // wrong counts or orders: the bench has failed
};

// Measures every cell that the options name. Says on stderr how far it is.
[[nodiscard]] Results measure(const Options& options);

// One measurement, for a process of its own: what --measure names.
[[nodiscard]] Sample measure_once(const std::string& what);

}  // namespace bench
