// GET /v1/tap: what passes on the routes, as it passes, a JSON object a line; docs/control-api.md
// is the specification for who asks. The tap is open for as long as the answer is being told.
#pragma once

#include "host/control/api.hpp"

namespace skep::host {

[[nodiscard]] Response tap(ControlWorld& world, const Request& request, const std::string& target);

}  // namespace skep::host
