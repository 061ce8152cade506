// What is measured: a contender does the work of one cell once, and says what came of it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace bench {

// One measurement.
struct Sample {
    double value = 0;          // in the unit of the cell
    double seconds = 0;        // what it took, for the calibration
    std::string error;         // not empty: the count or the order was wrong, and the bench fails
    double whole_seconds = 0;  // with the set-up and the end; see timed()
    bool is_too_slow = false;  // with an error: there was no time for it, and nothing is wrong
};

struct Contender {
    std::string name;
    std::string cell;
    // Why it is not held against skep: it burns a core while idle, has no bound, ... Empty: it is.
    std::string not_comparable;
    // Whether it stands beside skep on threads, skep on a pool, or both.
    bool is_beside_threads = true, is_beside_pool = true;
    std::function<Sample(std::uint64_t count)> run;
};

using Contenders = std::vector<Contender>;

// A cell of the table: see docs/benchmarks.md for what each one is.
struct CellInfo {
    const char* name;
    const char* unit;
    bool higher_is_better;
    std::uint64_t count;  // of messages, hops or workers: what one measurement does at most
    std::uint64_t least;  // where the calibration begins
    bool is_scaled;       // whether the calibration may choose less than `count`
};

[[nodiscard]] const std::vector<CellInfo>& cells();
[[nodiscard]] const CellInfo& cell_named(const std::string& name);

// What a count and a time come to in a cell. `count` is of what is counted: deliveries, hops, ...
[[nodiscard]] Sample sample(const std::string& cell, std::uint64_t count, std::int64_t ns);
[[nodiscard]] Sample failure(std::string error);

// Takes a measurement, and adds how long all of that took. What it throws is a failure.
[[nodiscard]] Sample timed(const std::function<Sample()>& run);

}  // namespace bench
