// Converts the descriptor in a shared object to plain values that outlive it, and checks every rule
// of skep/abi.h on the way. Later code can rely on a descriptor without further checks.
#pragma once

#include <string>

#include <skep/abi.h>
#include <skep/note.h>

#include "host/base/result.hpp"
#include "host/topology/plugin_info.hpp"

namespace skep::host {

// `plugin` is the return value of the entry, possibly null. `file` is the file name for the
// diagnostics, one for each broken rule. An invalid pointer that is not null cannot be detected
// here.
[[nodiscard]] Result<PluginInfo> describe(const skep_plugin* plugin,
                                          const skep_note& note,
                                          const std::string& file);

}  // namespace skep::host
