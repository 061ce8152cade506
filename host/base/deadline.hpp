// Deadlines of what waits for descriptors and not in a Parker: by the steady clock, for poll().
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

// The timeout for poll(), at most a minute; whoever waits longer asks again. Rounded up, so that it
// does not spin through the last millisecond. No deadline: for ever.
[[nodiscard]] inline int poll_timeout(const std::optional<Nanos>& deadline) {
    if (!deadline) {
        return -1;
    }
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(*deadline - steady_now()).count();
    return static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
}

}  // namespace skep::host
