// The command line of skep_bench.
#pragma once

#include <string>
#include <vector>

namespace bench {

struct Options {
    int rounds = 0;                  // 0: five, or three with --quick
    std::vector<std::string> cells;  // empty: all
    std::string mode;                // empty: both
    bool is_quick = false;
    std::string json;     // file to write
    std::string plot;     // folder to write charts to; nothing else is measured then
    std::string measure;  // CELL:CONTENDER:MODE:COUNT, in a process of its own

    [[nodiscard]] bool has_cell(const std::string& name) const;

    [[nodiscard]] bool has_mode(const std::string& name) const {
        return mode.empty() || mode == name;
    }
};

// What to do, or with what exit code to leave; what there is to say has been said then.
struct Parsed {
    Options options;
    int exit_code = -1;  // negative: go on
};

[[nodiscard]] Parsed parse_options(int argc, const char* const* argv);

}  // namespace bench
