// GET /v1/tap: shows the messages on the routes as they pass, one JSON object per line.
// docs/control-api.md is the specification for clients. The tap is open while the response is being
// written.
#pragma once

#include "host/control/api.hpp"

namespace skep::host {

[[nodiscard]] Response tap(ControlWorld& world, const Request& request, const std::string& target);

}  // namespace skep::host
