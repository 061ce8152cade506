// Where the control socket of a host is: NAME.sock in one of a few folders. Pure.
#pragma once

#include <string>
#include <vector>

namespace skep::host {

// The folders of sockets, the preferred one first: `skep` in $XDG_RUNTIME_DIR, whose value this is
// (null or "": it is not set), then /run/skep.
[[nodiscard]] std::vector<std::string> control_folders(const char* runtime_dir);

[[nodiscard]] std::string control_path(const std::string& folder, const std::string& host);

// Whether a host of this name can have a socket: the name is a file's.
[[nodiscard]] bool is_socket_name(const std::string& host);

}  // namespace skep::host
