// What both ends of the control socket ask of the system.
#pragma once

#include <optional>
#include <string>

#include <sys/socket.h>
#include <sys/un.h>

#include "host/control/request.hpp"

namespace skep::host {

inline constexpr const char* bad_socket_path = "the path of a socket has 1 to 107 bytes";

// Empty for a bad_socket_path.
[[nodiscard]] std::optional<sockaddr_un> socket_address(const std::string& path);

// What bind() and connect() take.
[[nodiscard]] inline const sockaddr* generic(const sockaddr_un& address) {
    return reinterpret_cast<const sockaddr*>(&address);
}

// A stream socket that does not block; negative, with errno, when there is none.
[[nodiscard]] int make_socket();

// Who is at the other end, as the kernel says; empty when it does not.
[[nodiscard]] std::optional<Peer> peer_of(int fd);

}  // namespace skep::host
