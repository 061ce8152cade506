#include "bench/plot.hpp"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "bench/skep_cells.hpp"
#include "bench/svg.hpp"

namespace bench {
namespace {

using Measure = std::function<Sample(Mode mode, std::uint64_t x, std::uint64_t count)>;

struct Plot {
    std::string file, title, x_label;
    std::vector<std::uint64_t> on_threads, on_pool;  // the values of x
    std::uint64_t least;                             // messages to begin with
    Measure measure;                                 // in ns per message
};

std::vector<std::uint64_t> decades(std::uint64_t from, std::uint64_t to) {
    std::vector<std::uint64_t> values;
    for (std::uint64_t decade = from; decade <= to; decade *= 10) {
        values.push_back(decade);
        if (3 * decade <= to) {
            values.push_back(3 * decade);
        }
    }
    return values;
}

std::vector<Plot> plots() {
    return {
        {"scaling_workers.svg",
         "A token round a ring",
         "workers",
         decades(2, 1000),
         decades(2, 100'000),
         2000,
         [](Mode mode, std::uint64_t x, std::uint64_t count) { return skep_ring(mode, x, count); }},
        {"scaling_routes.svg",
         "One source, every message over all its routes",
         "routes (one sink each)",
         decades(1, 1000),
         decades(1, 10'000),
         2000,
         [](Mode mode, std::uint64_t x, std::uint64_t count) {
             return skep_routes(mode, x, count);
         }},
        {"scaling_payload.svg",
         "One source, one sink",
         "bytes of payload (0 is drawn at 1)",
         {0, 8, 32, 128, 512, 2048, 8192, 32'768, 131'072, 524'288, 1'048'576},
         {0, 8, 32, 128, 512, 2048, 8192, 32'768, 131'072, 524'288, 1'048'576},
         200,
         [](Mode mode, std::uint64_t x, std::uint64_t count) {
             return skep_payload(mode, x, count);
         }},
    };
}

// The median of three runs, each long enough to mean something.
Sample steady(const Plot& plot, Mode mode, std::uint64_t x) {
    constexpr double target = 0.1;
    constexpr double most = 2e6;
    std::uint64_t count = std::max(plot.least, 2 * x * (plot.least >= 2000 ? 1 : 0));
    Sample sample = plot.measure(mode, x, count);
    if (!sample.error.empty()) {
        return sample;
    }
    const double wanted = static_cast<double>(count) * target / sample.seconds;
    count = std::max(count, static_cast<std::uint64_t>(std::min(wanted, most)));
    std::vector<double> values;
    for (int i = 0; i < 3; ++i) {
        sample = plot.measure(mode, x, count);
        if (!sample.error.empty()) {
            return sample;
        }
        values.push_back(sample.value);
    }
    std::sort(values.begin(), values.end());
    sample.value = values[1];
    return sample;
}

}  // namespace

int draw_plots(const Options& options) {
    const bool has_pool = options.has_mode("pool") && why_no_pool().empty();
    for (const Plot& plot : plots()) {
        Chart chart{plot.title, plot.x_label, "ns per message", {}};
        for (const Mode mode : {Mode::threads, Mode::pool}) {
            const bool is_pool = mode == Mode::pool;
            if (is_pool ? !has_pool : !options.has_mode("threads")) {
                continue;
            }
            Line line{is_pool ? "skep on a pool" : "skep on threads", {}};
            for (const std::uint64_t x : is_pool ? plot.on_pool : plot.on_threads) {
                std::fprintf(stderr,
                             "bench: %s, %s: %llu\n",
                             plot.file.c_str(),
                             line.name.c_str(),
                             static_cast<unsigned long long>(x));
                const Sample sample = steady(plot, mode, x);
                if (!sample.error.empty()) {
                    std::fprintf(stderr, "bench: FAILED: %s\n", sample.error.c_str());
                    return 1;
                }
                line.points.emplace_back(std::max<double>(static_cast<double>(x), 1), sample.value);
            }
            chart.lines.push_back(std::move(line));
        }
        const std::string path = options.plot + "/" + plot.file;
        std::ofstream file(path);
        file << svg_of(chart);
        file.close();
        if (!file) {
            std::fprintf(stderr, "bench: cannot write %s\n", path.c_str());
            return 1;
        }
    }
    return 0;
}

}  // namespace bench
