// GET /v1/wait: waits until one worker or every worker is in a state.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "host/control/api.hpp"

namespace skep::host {

inline constexpr std::uint64_t longest_wait_ms = 366ULL * 24 * 60 * 60 * 1000;

// True for a state name of worker/state.hpp and for two words that mean several states: "ended"
// (stopped, failed or lost) and "error" (failed or lost).
[[nodiscard]] bool is_awaitable(const std::string& state);
[[nodiscard]] bool is_in(WorkerState state, const std::string& wanted);

struct Wait {
    std::string worker;  // "": all workers of the plan
    std::string state = "running";
    std::optional<Nanos> timeout;  // none: as long as the client is connected
};

// Reads the parameters of a query. The error is a sentence for people.
[[nodiscard]] Result<Wait, std::string> read_wait(const std::map<std::string, std::string>& query);

// Returns {"reached":true}, or false if the time is over. Polls the manager. The pause between
// polls grows with the time that the manager takes to answer, which leaves the manager most of its
// time for other work.
[[nodiscard]] Response wait_for(ControlWorld& world, const Request& request, const Wait& wait);

}  // namespace skep::host
