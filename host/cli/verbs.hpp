// The verbs of skep. Each function returns the exit code of the process. Data goes to stdout,
// everything else to stderr.
#pragma once

#include <functional>

#include "host/cli/options.hpp"
#include "host/daemon/signals.hpp"

namespace skep::host {

// Runs a topology until it ends or a signal ends it. With `dev` only a signal ends it, and the host
// reloads when the topology or a plugin changes, even if the topology does not say `watch`.
[[nodiscard]] int run(const Options& options, Guard& guard);

// Carries out a verb. Reports a lack of threads or memory, and returns exit_failed.
[[nodiscard]] int contained(const std::function<int()>& verb);

// Prints what is wrong with a topology.
[[nodiscard]] int check(const Options& options);

// Prints the description of a plugin.
[[nodiscard]] int inspect(const Options& options);

// Draws a topology.
[[nodiscard]] int graph(const Options& options);

// Lists the workers of every running host.
[[nodiscard]] int ps(const Options& options);

// Carries out all other verbs for a running host, over its control socket.
[[nodiscard]] int steer(const Options& options);

}  // namespace skep::host
