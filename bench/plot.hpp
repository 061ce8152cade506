// How cost grows as the work grows: nanoseconds per message against workers, routes and payload.
#pragma once

#include "bench/options.hpp"

namespace bench {

// Measures, and writes one chart for each into the folder. The exit code.
[[nodiscard]] int draw_plots(const Options& options);

}  // namespace bench
