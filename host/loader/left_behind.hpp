// What in this process would still call into a library, or read it, after it was closed.
#pragma once

#include <string>
#include <vector>

#include "host/loader/shared_object.hpp"

namespace skep::host {

// Looks for pointers into these ranges where plugins are known to leave them: handlers of signals,
// the terminate and new handlers, the default memory resource, the environment, and the buffers of
// the standard streams. What the first one is, in words for the operator: "the handler of SIGUSR1
// is in it"; "" when there is none. [loader]
[[nodiscard]] std::string left_behind(const std::vector<SharedObject::Range>& ranges);

}  // namespace skep::host
