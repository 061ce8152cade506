#include "bench/options.hpp"

#include <algorithm>

#include <CLI/CLI.hpp>

#include "bench/contender.hpp"

namespace bench {

bool Options::has_cell(const std::string& name) const {
    return cells.empty() || std::find(cells.begin(), cells.end(), name) != cells.end();
}

Parsed parse_options(int argc, const char* const* argv) {
    Parsed parsed;
    Options& options = parsed.options;
    std::vector<std::string> known;
    for (const CellInfo& cell : bench::cells()) {
        known.emplace_back(cell.name);
    }
    CLI::App app("Measures skep beside its peers; docs/benchmarks.md says how to read it.",
                 "skep_bench");
    app.add_option("--cell", options.cells, "These cells alone")
        ->delimiter(',')
        ->type_name("NAME[,NAME]")
        ->check(CLI::IsMember(known));
    app.add_option("--mode", options.mode, "skep on threads or on a pool alone")
        ->type_name("threads|pool")
        ->check(CLI::IsMember({"threads", "pool"}).description(""));
    app.add_option("--rounds", options.rounds, "How often each is measured (5; with --quick 3)")
        ->type_name("N")
        ->check(CLI::Range(1, 1000).description(""));
    app.add_flag("--quick", options.is_quick, "Fewer rounds and messages: under four minutes");
    app.add_option("--json", options.json, "Write the results to this file")->type_name("FILE");
    app.add_option("--plot", options.plot, "Draw how cost grows, as SVG, and measure nothing else")
        ->type_name("DIR");
    app.add_option("--measure", options.measure)->group("");  // of the bench itself
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        constexpr int wrong_usage = 64;
        parsed.exit_code = app.exit(error) == 0 ? 0 : wrong_usage;
    }
    if (options.rounds == 0) {
        options.rounds = options.is_quick ? 3 : 5;
    }
    return parsed;
}

}  // namespace bench
