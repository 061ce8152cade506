#include "host/daemon/service.hpp"

#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <optional>

#include <sys/socket.h>

#include "host/base/deadline.hpp"
#include "host/base/fd.hpp"
#include "host/base/printable.hpp"
#include "host/base/unix_socket.hpp"

namespace skep::host {
namespace {

// Sends one datagram, as sd_notify() of libsystemd does, but never blocks: the thread that reads
// the signals sends one too, and the queue of the service manager may be full.
void notify(const std::string& state) {
    const char* const name = std::getenv("NOTIFY_SOCKET");
    const std::optional<sockaddr_un> address =
        name == nullptr ? std::nullopt : socket_address(name);
    if (!address) {
        return;
    }
    sockaddr_un to = *address;
    if (to.sun_path[0] == '@') {  // of the abstract namespace
        to.sun_path[0] = '\0';
    }
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + std::strlen(name));
    const Fd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    (void)::sendto(fd.get(), state.data(), state.size(), MSG_NOSIGNAL, generic(to), size);
}

}  // namespace

void report_ready(const std::string& status) {
    // Only the first line: a line feed begins the next variable.
    notify("READY=1\nSTATUS=" + escaped(status.substr(0, status.find('\n'))));
}

void report_reloading() {
    const auto now = std::chrono::duration_cast<std::chrono::microseconds>(steady_now());
    notify("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(now.count()));
}

void report_stopping() {
    notify("STOPPING=1");
}

}  // namespace skep::host
