// The system calls for sockets of the family AF_UNIX.
#pragma once

#include <optional>
#include <string>

#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

namespace skep::host {

// The process at the other end of a connection, as reported by the kernel.
struct Peer {
    uid_t uid = 0;
    pid_t pid = 0;  // 0: a process of another pid namespace
};

inline constexpr const char* bad_socket_path = "the path of a socket must have 1 to 107 bytes";

// Returns the address of `path`. Empty for a bad_socket_path.
[[nodiscard]] std::optional<sockaddr_un> socket_address(const std::string& path);

// Casts to the type that bind() and connect() take.
[[nodiscard]] inline const sockaddr* generic(const sockaddr_un& address) {
    return reinterpret_cast<const sockaddr*>(&address);
}

// Returns a non-blocking stream socket; negative, with errno, on failure.
[[nodiscard]] int make_socket();

// Returns the process at the other end; empty if the kernel does not report it.
[[nodiscard]] std::optional<Peer> peer_of(int fd);

}  // namespace skep::host
