// Decides from the note of a plugin whether this host can run it, before any of its code has run.
//
// The window has two sides. The majors must be equal. The plugin states the lowest minor of a host
// that it can run on, and the host the lowest minor of a plugin that it still runs. Pure; any
// thread.
#pragma once

#include <string>

#include <skep/note.h>

#include "host/base/result.hpp"

namespace skep::host {

// `file` is the file name for the diagnostic.
[[nodiscard]] Result<Done> check_abi(const skep_note& note, const std::string& file);

}  // namespace skep::host
