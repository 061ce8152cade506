// Whether this host can run a plugin, decided by its note alone: before any of its code has run.
//
// The window has two sides. Majors must be equal; the plugin says the lowest minor of a host that
// it can run on, and the host the lowest minor of a plugin that it still runs. Pure; any thread.
#pragma once

#include <string>

#include <skep/note.h>

#include "host/base/result.hpp"

namespace skep::host {

// `file` is the name for the diagnostic.
[[nodiscard]] Result<Done> check_abi(const skep_note& note, const std::string& file);

}  // namespace skep::host
