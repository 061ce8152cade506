// The probe: a plugin is opened in a child process first, so that one whose constructors crash,
// hang or end the process does that to the child.
#pragma once

#include <chrono>
#include <string>

#include "host/base/result.hpp"

namespace skep::host {

inline constexpr std::chrono::seconds probe_limit{10};

// Runs `skep inspect PLUGIN` with that executable. The error says how it ended, with what it said.
[[nodiscard]] Result<Done, std::string> probe(const std::string& executable,
                                              const std::string& plugin,
                                              std::chrono::milliseconds limit = probe_limit);

}  // namespace skep::host
