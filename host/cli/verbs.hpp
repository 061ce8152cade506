// What skep can be asked to do. Each gives the exit code of the process; data goes to stdout, all
// else to stderr.
#pragma once

#include "host/cli/options.hpp"
#include "host/cli/signals.hpp"

namespace skep::host {

// Runs a topology until it ends or a signal ends it.
[[nodiscard]] int run(const Options& options, Guard& guard);

// Says what is wrong with a topology.
[[nodiscard]] int check(const Options& options);

// Shows what a plugin says of itself.
[[nodiscard]] int inspect(const Options& options);

// Draws a topology.
[[nodiscard]] int graph(const Options& options);

}  // namespace skep::host
