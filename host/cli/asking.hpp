// How a verb asks a running host: which one is meant, and what is said when there is no answer.
// Whatever goes wrong is told on stderr here, and comes back as the exit code.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "host/cli/options.hpp"
#include "host/control/client.hpp"

namespace skep::host {

// What answers at once. A host that is starting answers when it runs.
inline constexpr Nanos short_patience = std::chrono::seconds(10);
// What opens plugins, each in a child process first.
inline constexpr Nanos loading_patience = std::chrono::minutes(2);
// Of `ps`, which asks all hosts at once and lists those that answer.
inline constexpr Nanos listing_patience = std::chrono::seconds(4);
// What may take as long as a worker does.
inline constexpr Nanos long_patience = std::chrono::hours(24 * 365);

// Says on stderr what is wrong. Returns the code.
int complain(const std::string& what, int exit_code);

// Those that the options mean, or why there is none to ask.
[[nodiscard]] Result<std::vector<FoundHost>, std::string> hosts_meant(const Options& options);
// The one that they mean.
[[nodiscard]] Result<FoundHost, std::string> host_meant(const Options& options);

// The body of the answer.
[[nodiscard]] Result<std::string, int> ask(const Options& options,
                                           const FoundHost& host,
                                           const std::string& method,
                                           const std::string& target,
                                           const std::string& body = "",
                                           Nanos patience = short_patience);

// As ask() with GET, for an answer that comes in pieces.
[[nodiscard]] int hear(const Options& options,
                       const FoundHost& host,
                       const std::string& target,
                       const Hears& hears);

}  // namespace skep::host
