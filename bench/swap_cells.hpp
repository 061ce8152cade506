// What it costs a worker under full load to get a successor, beside stopping and starting it.
#pragma once

#include <string>

#include "bench/contender.hpp"
#include "bench/skep_host.hpp"

namespace bench {

// Named "skep": the median blackout of the swaps, by the host's own clock.
[[nodiscard]] Contenders swap_contenders(Mode mode);

// Named "stop-load-start": the median time from the last message of an instance to the first of the
// next, whose plugin is loaded in between, as the one of the last is unloaded.
[[nodiscard]] Contenders swap_baselines(Mode mode);

// Percentiles over all rounds so far, as lines of text; "" when nothing was swapped.
[[nodiscard]] std::string swap_percentiles();

}  // namespace bench
