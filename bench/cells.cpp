#include <algorithm>
#include <chrono>
#include <exception>
#include <stdexcept>
#include <utility>

#include "bench/contender.hpp"

namespace bench {

const std::vector<CellInfo>& cells() {
    static const std::vector<CellInfo> all = {
        {"pp", "ns", false, 2'000'000, 2'000, true},
        {"pp.late", "us", false, 300, 20, true},
        {"st", "M/s", true, 10'000'000, 20'000, true},
        {"st.64k", "M/s", true, 10'000'000, 100'000, true},
        {"pl", "M/s", true, 5'000'000, 20'000, true},
        {"fi", "M/s", true, 8'000'000, 20'000, true},
        {"bc", "M deliveries/s", true, 5'000'000, 5'000, true},
        {"bc.4k", "M deliveries/s", true, 2'000'000, 2'000, true},
        {"bc.64k", "M deliveries/s", true, 200'000, 1'000, true},
        {"ring.1k", "ns per hop", false, 1'000'000, 2'000, true},
        {"ring.100k", "ns per hop", false, 1'000'000, 200'000, true},
        {"spawn", "us per worker", false, 10'000, 10'000, false},
        {"mem", "bytes", false, 10'000, 10'000, false},
        {"mem.msg", "bytes", false, 200'000, 200'000, false},
        {"check", "ns", false, 1'000'000'000, 1'000'000, true},
        {"idle", "% of a core", false, 1, 1, false},
        {"swap", "us", false, 500, 500, false},
        {"swap.64k", "us", false, 500, 500, false},
        {"swap.1m", "us", false, 150, 150, false},
        {"swap.handoff", "us", false, 500, 500, false},
        {"swap.move", "us", false, 500, 500, false},
        {"swap.gap", "ratio", false, 50, 50, false},
        {"swap.soak", "KiB", false, 10'000, 10'000, false},
        {"swap.move.soak", "KiB", false, 10'000, 10'000, false},
    };
    return all;
}

const CellInfo& cell_named(const std::string& name) {
    const auto found = std::find_if(
        cells().begin(), cells().end(), [&](const CellInfo& it) { return it.name == name; });
    if (found == cells().end()) {
        throw std::invalid_argument("there is no cell '" + name + "'");
    }
    return *found;
}

Sample sample(const std::string& cell, std::uint64_t count, std::int64_t ns) {
    const auto items = static_cast<double>(count);
    const auto time = static_cast<double>(std::max<std::int64_t>(ns, 1));
    const std::string unit = cell_named(cell).unit;
    double value = time / items;  // ns of some kind
    if (cell_named(cell).higher_is_better) {
        value = items * 1e3 / time;  // millions a second
    } else if (unit.starts_with("us")) {
        value /= 1e3;
    }
    return {value, time / 1e9, {}};
}

Sample failure(std::string error) {
    return {0, 0, std::move(error)};
}

Sample timed(const std::function<Sample()>& run) {
    const auto begin = std::chrono::steady_clock::now();
    Sample sample;
    try {
        sample = run();
    } catch (const std::exception& error) {
        sample = failure(error.what());
    }
    const std::chrono::duration<double> whole = std::chrono::steady_clock::now() - begin;
    sample.whole_seconds = whole.count();
    return sample;
}

}  // namespace bench
