// The path of a host's control socket: NAME.sock in one of a few folders. Pure.
#pragma once

#include <string>
#include <vector>

namespace skep::host {

// Returns the folders of sockets, the preferred one first: `skep` in $XDG_RUNTIME_DIR, then
// /run/skep. `runtime_dir` is the value of the variable; null or "": not set.
[[nodiscard]] std::vector<std::string> control_folders(const char* runtime_dir);

[[nodiscard]] std::string control_path(const std::string& folder, const std::string& host);

// True if a host of this name can have a socket: the name is a valid file name.
[[nodiscard]] bool is_socket_name(const std::string& host);

}  // namespace skep::host
