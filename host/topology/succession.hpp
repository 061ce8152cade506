// Checks whether an instance of one worker type can be the successor of an instance of another type
// in a running worker. Pure: called before anything is changed.
#pragma once

#include <optional>
#include <string>

#include "host/topology/plugin_info.hpp"

namespace skep::host {

// Returns why not; nothing when it can. Waiting messages refer to inputs by index, and routes refer
// to outputs by index: ports may only be added at the end.
[[nodiscard]] std::optional<std::string> succession_problem(const WorkerTypeInfo& before,
                                                            const WorkerTypeInfo& next);

// Returns why the successor cannot load the state; nothing when it can, or has no state to load.
[[nodiscard]] std::optional<std::string> state_problem(const WorkerTypeInfo& before,
                                                       const WorkerTypeInfo& next);

}  // namespace skep::host
