// The child process of a probe (loader/probe.hpp): opens plugins, and creates workers as a reload
// does.
#pragma once

namespace skep::host {

// True if these are the arguments of a probe child.
[[nodiscard]] bool is_probe_child(int argc, const char* const* argv);

// Reads the request from stdin and answers on stdout. Ends the process without destructors, because
// code of the plugins may still be running.
[[noreturn]] void run_probe_child();

}  // namespace skep::host
