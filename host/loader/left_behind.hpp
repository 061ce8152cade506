// Finds pointers by which this process would still call or read a library after it was closed.
#pragma once

#include <string>
#include <vector>

#include "host/loader/shared_object.hpp"

namespace skep::host {

// Looks for pointers into these ranges where plugins are known to leave them: signal handlers, the
// terminate and new handlers, the default memory resource, the environment, and the buffers of the
// standard streams. Returns a text for the operator about the first one found: "the handler of
// SIGUSR1 points into the library"; "" if none is found. [loader]
[[nodiscard]] std::string left_behind(const std::vector<SharedObject::Range>& ranges);

}  // namespace skep::host
