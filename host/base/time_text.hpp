// Formats points in time. Pure.
#pragma once

#include <chrono>
#include <string>

namespace skep::host {

// Returns "2026-11-22T16:04:05Z".
[[nodiscard]] std::string time_text(std::chrono::system_clock::time_point time);

}  // namespace skep::host
