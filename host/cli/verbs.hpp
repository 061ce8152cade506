// What skep can be asked to do. Each gives the exit code of the process; data goes to stdout, all
// else to stderr.
#pragma once

#include <functional>

#include "host/cli/options.hpp"
#include "host/cli/signals.hpp"

namespace skep::host {

// Runs a topology until it ends or a signal ends it. As `dev` it ends by a signal alone, and is
// reloaded when it or a plugin changes, whatever it says of `watch`.
[[nodiscard]] int run(const Options& options, Guard& guard);

// Carries out a verb. That no thread or no memory can be had is reported, with exit_failed.
[[nodiscard]] int contained(const std::function<int()>& verb);

// Says what is wrong with a topology.
[[nodiscard]] int check(const Options& options);

// Shows what a plugin says of itself.
[[nodiscard]] int inspect(const Options& options);

// Draws a topology.
[[nodiscard]] int graph(const Options& options);

// Lists the workers of every host that runs.
[[nodiscard]] int ps(const Options& options);

// All other verbs for a running host: asks it over its control socket.
[[nodiscard]] int steer(const Options& options);

}  // namespace skep::host
