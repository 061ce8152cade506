// From the descriptor in a shared object to plain values that outlive it, with every rule of
// skep/abi.h checked on the way, so that nobody after this needs to doubt a descriptor again.
#pragma once

#include <string>

#include <skep/abi.h>
#include <skep/note.h>

#include "host/base/result.hpp"
#include "host/topology/plugin_info.hpp"

namespace skep::host {

// `plugin` is what the entry returned, possibly null; `file` is the name for the diagnostics, one
// for each rule that is broken. Pointers that are neither null nor valid cannot be told apart here.
[[nodiscard]] Result<PluginInfo> describe(const skep_plugin* plugin,
                                          const skep_note& note,
                                          const std::string& file);

}  // namespace skep::host
