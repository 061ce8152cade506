// The child of a probe (loader/probe.hpp): opens plugins, and creates workers as at a reload.
#pragma once

namespace skep::host {

// Whether these are the arguments of such a child.
[[nodiscard]] bool is_probe_child(int argc, const char* const* argv);

// Reads the request from stdin and answers on stdout. Ends the process without a destructor, as
// code of the plugins may be running.
[[noreturn]] void run_probe_child();

}  // namespace skep::host
