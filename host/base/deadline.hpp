// Deadlines for poll(), on the steady clock: for code that waits for descriptors and not in a
// Parker.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>

#include "host/base/clock.hpp"

namespace skep::host {

[[nodiscard]] inline Nanos steady_now() {
    return std::chrono::steady_clock::now().time_since_epoch();
}

// Returns the timeout for poll(), at most one minute; a caller that waits longer calls again.
// Rounds up so that the caller does not spin through the last millisecond. No deadline: no timeout
// (-1).
[[nodiscard]] inline int poll_timeout(const std::optional<Nanos>& deadline) {
    if (!deadline) {
        return -1;
    }
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(*deadline - steady_now()).count();
    return static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
}

}  // namespace skep::host
