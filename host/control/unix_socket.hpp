// The system calls that both ends of the control socket use.
#pragma once

#include <optional>
#include <string>

#include <sys/socket.h>
#include <sys/un.h>

#include "host/control/request.hpp"

namespace skep::host {

inline constexpr const char* bad_socket_path = "the path of a socket must have 1 to 107 bytes";

// Returns the address of `path`. Empty for a bad_socket_path.
[[nodiscard]] std::optional<sockaddr_un> socket_address(const std::string& path);

// Casts to the type that bind() and connect() take.
[[nodiscard]] inline const sockaddr* generic(const sockaddr_un& address) {
    return reinterpret_cast<const sockaddr*>(&address);
}

// Returns a non-blocking stream socket; negative, with errno, on failure.
[[nodiscard]] int make_socket();

// Returns the process at the other end, as reported by the kernel; empty if it is not reported.
[[nodiscard]] std::optional<Peer> peer_of(int fd);

}  // namespace skep::host
