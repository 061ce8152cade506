// skep_bench: measures skep beside its peers. docs/benchmarks.md says what each cell is.
#include <cstdio>
#include <exception>
#include <fstream>

#include "bench/measure.hpp"
#include "bench/options.hpp"
#include "bench/plot.hpp"
#include "bench/swap_cells.hpp"
#include "bench/writers.hpp"
#include "host/daemon/log.hpp"

namespace bench {
namespace {

// The host's log would hide the output: its errors are reported like those of a contender.
void quiet_log() {
    skep::host::start_log("error", false);
}

int write_file(const std::string& path, const std::string& text) {
    std::ofstream file(path);
    file << text;
    file.close();
    if (!file) {
        std::fprintf(stderr, "bench: cannot write %s\n", path.c_str());
        return 1;
    }
    return 0;
}

int run(const Options& options) {
    quiet_log();
    if (!options.measure.empty()) {
        const Sample sample = measure_once(options.measure);
        if (!sample.error.empty()) {
            std::fprintf(stderr, "bench: %s\n", sample.error.c_str());
            return 1;
        }
        std::printf("%f %f\n", sample.value, sample.seconds);
        return 0;
    }
    if (!options.plot.empty()) {
        return draw_plots(options);
    }
    const Results results = measure(options);
    std::fputs((table_of(results.rows) + swap_percentiles()).c_str(), stdout);
    int exit_code = options.json.empty() ? 0 : write_file(options.json, json_of(results.rows));
    for (const std::string& error : results.errors) {
        std::fprintf(stderr, "bench: FAILED: %s\n", error.c_str());
        exit_code = 1;
    }
    return exit_code;
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
    try {
        const bench::Parsed parsed = bench::parse_options(argc, argv);
        return parsed.exit_code >= 0 ? parsed.exit_code : bench::run(parsed.options);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "bench: %s\n", error.what());
        return 1;
    }
}
