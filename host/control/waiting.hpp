// Waiting until a worker, or every worker, is in a state: GET /v1/wait.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "host/control/api.hpp"

namespace skep::host {

inline constexpr std::uint64_t longest_wait_ms = 366ULL * 24 * 60 * 60 * 1000;

// A name of worker/state.hpp, or one of two words for several: "ended" (stopped, failed or lost),
// "error" (failed or lost).
[[nodiscard]] bool is_awaitable(const std::string& state);
[[nodiscard]] bool is_in(WorkerState state, const std::string& wanted);

struct Wait {
    std::string worker;  // "": all that the plan has
    std::string state = "running";
    std::optional<Nanos> timeout;  // none: for as long as somebody wants the answer
};

// The error is a sentence.
[[nodiscard]] Result<Wait, std::string> read_wait(const std::map<std::string, std::string>& query);

// {"reached":true}, or false when the time is over. Looks again and again, the more seldom the
// longer the manager takes to say how things are, so that it has the better part of its time for
// others.
[[nodiscard]] Response wait_for(ControlWorld& world, const Request& request, const Wait& wait);

}  // namespace skep::host
