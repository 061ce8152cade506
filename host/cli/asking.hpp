// Finds the running host that a verb means and sends it a request. These functions print every
// failure on stderr and return the exit code for it.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "host/cli/options.hpp"
#include "host/control/client.hpp"

namespace skep::host {

// For requests that a host answers at once. A host that is starting answers when it runs.
inline constexpr Nanos short_patience = std::chrono::seconds(10);
// For requests that open plugins, each in a child process first.
inline constexpr Nanos loading_patience = std::chrono::minutes(2);
// For `ps`, which asks all hosts at once and lists those that answer.
inline constexpr Nanos listing_patience = std::chrono::seconds(4);
// For requests that may take as long as a worker does.
inline constexpr Nanos long_patience = std::chrono::hours(24 * 365);

// Prints "skep: WHAT" on stderr. Returns `exit_code`.
int complain(const std::string& what, int exit_code);

// Returns the hosts that the options select, or the reason why no host can be asked.
[[nodiscard]] Result<std::vector<FoundHost>, std::string> hosts_meant(const Options& options);
// Returns the only host that the options select. An error if they select several.
[[nodiscard]] Result<FoundHost, std::string> host_meant(const Options& options);

// Sends one request. Returns the body of the response, or the exit code of a reported failure.
[[nodiscard]] Result<std::string, int> ask(const Options& options,
                                           const FoundHost& host,
                                           const std::string& method,
                                           const std::string& target,
                                           const std::string& body = "",
                                           Nanos patience = short_patience);

// Sends a GET request whose response comes in pieces. Returns the exit code.
[[nodiscard]] int read_stream(const Options& options,
                              const FoundHost& host,
                              const std::string& target,
                              const OnPiece& on_piece);

}  // namespace skep::host
