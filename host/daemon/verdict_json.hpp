// Formats what a reload changed as JSON, for the control socket and the audit log. Pure.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "host/daemon/verdict.hpp"

namespace skep::host {

// Returns {"swap":["count"],"reconfigure":[],"start":["log"],"stop":["old"],"state_ends":["old"],
//          "rewire":true,"settings":false,"stay":3}.
[[nodiscard]] nlohmann::ordered_json changes_json(const ChangeSummary& it);

// Returns {"changes":{...},"steps_ms":{"read":1.5,...},"swapped":[{"worker":"count",...}]}.
[[nodiscard]] nlohmann::ordered_json details_json(const ReloadDetails& it);

}  // namespace skep::host
