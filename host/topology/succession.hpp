// Whether an instance of one worker type can take the place of an instance of another in a worker
// that runs. Pure: asked before anything is touched.
#pragma once

#include <optional>
#include <string>

#include "host/topology/plugin_info.hpp"

namespace skep::host {

// Why not; nothing when it can. What is queued names inputs by their index, and routes name outputs
// by theirs: ports may be added at the end alone.
[[nodiscard]] std::optional<std::string> succession_problem(const WorkerTypeInfo& before,
                                                            const WorkerTypeInfo& next);

// Why it cannot take the state; nothing when it can, or there is none.
[[nodiscard]] std::optional<std::string> state_problem(const WorkerTypeInfo& before,
                                                       const WorkerTypeInfo& next);

}  // namespace skep::host
