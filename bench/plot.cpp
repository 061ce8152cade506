#include "bench/plot.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <functional>
#include <string>
#include <utility>
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
         decades(1, 1000),
         decades(1, 100'000),
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

// The median of three runs, each long enough to mean something. Where the set-up takes so long that
// there is no time for three, of those that there were. `whole_seconds` is of the longest.
Sample steady(const Plot& plot, Mode mode, std::uint64_t x) {
    constexpr double target = 0.1;  // seconds of messages
    constexpr double time = 1.5;    // seconds in all, after the first run
    constexpr double most = 2e6;
    std::uint64_t count = std::max(plot.least, 2 * x * (plot.least >= 2000 ? 1 : 0));
    const auto run = [&] { return timed([&] { return plot.measure(mode, x, count); }); };
    Sample result = run();
    // A few messages say little of how fast many will be: there may be more, step by step.
    while (result.error.empty() && result.seconds < target / 2 && result.whole_seconds < time / 3) {
        const double factor = std::min(target / result.seconds, 8.0);
        const double wanted = std::min(static_cast<double>(count) * factor, most);
        if (static_cast<std::uint64_t>(wanted) <= count) {
            break;
        }
        count = static_cast<std::uint64_t>(wanted);
        result = run();
    }
    if (!result.error.empty()) {
        return result;
    }
    std::vector<double> values;
    double spent = 0;
    while (values.size() < 3 && spent + result.whole_seconds <= time) {
        const Sample sample = run();
        if (!sample.error.empty()) {
            return sample;
        }
        values.push_back(sample.value);
        spent += sample.whole_seconds;
        result.whole_seconds = std::max(result.whole_seconds, sample.whole_seconds);
    }
    if (!values.empty()) {
        std::sort(values.begin(), values.end());
        result.value = values[values.size() / 2];
    }
    return result;
}

// How long one run at the next x will take, by how the last two grew.
class Forecast {
public:
    void add(std::uint64_t x, double seconds) {
        before_ =
            std::exchange(last_, {static_cast<double>(std::max<std::uint64_t>(x, 1)), seconds});
    }

    [[nodiscard]] double at(std::uint64_t x) const {
        if (before_.x == 0 || last_.seconds < 1) {
            return 0;  // too short to tell
        }
        const double power =
            std::log(last_.seconds / before_.seconds) / std::log(last_.x / before_.x);
        return last_.seconds *
               std::pow(static_cast<double>(x) / last_.x, std::clamp(power, 1.0, 3.0));
    }

private:
    struct Point {
        double x = 0, seconds = 0;
    };

    Point before_, last_;
};

// The first that takes too long is the last of the line that is tried: there may be worse to come.
constexpr double too_long = 15;  // seconds for one run, with its set-up

// Reports what fails, leaves it out, and makes the exit code 1.
Line draw_line(const Plot& plot, Mode mode, int& exit_code) {
    const bool is_pool = mode == Mode::pool;
    Line line{is_pool ? "skep on a pool" : "skep on threads", {}};
    Forecast forecast;
    for (const std::uint64_t x : is_pool ? plot.on_pool : plot.on_threads) {
        const std::string what = plot.file + ", " + line.name + ": " + std::to_string(x);
        if (forecast.at(x) > too_long) {
            std::fprintf(stderr,
                         "bench: %s and beyond: left out, as one run would take about %.0f s\n",
                         what.c_str(),
                         forecast.at(x));
            break;
        }
        std::fprintf(stderr, "bench: %s\n", what.c_str());
        const Sample sample = steady(plot, mode, x);
        if (!sample.error.empty()) {
            std::fprintf(stderr, "bench: FAILED: %s: %s\n", what.c_str(), sample.error.c_str());
            exit_code = 1;
            break;
        }
        forecast.add(x, sample.whole_seconds);
        line.points.emplace_back(std::max<double>(static_cast<double>(x), 1), sample.value);
    }
    return line;
}

}  // namespace

int draw_plots(const Options& options) {
    const bool has_pool = options.has_mode("pool") && why_no_pool().empty();
    int exit_code = 0;
    for (const Plot& plot : plots()) {
        Chart chart{plot.title, plot.x_label, "ns per message", {}};
        for (const Mode mode : {Mode::threads, Mode::pool}) {
            const bool is_pool = mode == Mode::pool;
            if (is_pool ? has_pool : options.has_mode("threads")) {
                chart.lines.push_back(draw_line(plot, mode, exit_code));
            }
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
    return exit_code;
}

}  // namespace bench
