// The control socket of a host, from before its start until after its end.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "host/base/result.hpp"
#include "host/control/api.hpp"
#include "host/control/listener.hpp"
#include "host/control/server.hpp"
#include "host/daemon/host.hpp"

namespace skep::host {

class HostSocket {
public:
    // Opens the socket of a host that is about to run. Clients may connect; the host answers after
    // serve(). `path`: "" for the usual places, "none" for no socket. If none of the usual places
    // can be used, the host runs without a socket. The error is why the given path cannot be used.
    [[nodiscard]] static Result<std::unique_ptr<HostSocket>, std::string> open(
        const std::string& path, const std::string& host);

    // Closes and removes the socket, as ~ControlServer does.
    ~HostSocket() = default;
    HostSocket(const HostSocket&) = delete;
    HostSocket& operator=(const HostSocket&) = delete;

    // Answers the clients. `host` must run, and must outlive this object.
    void serve(Host& host, HostIdentity identity);

    // Removes the socket, and leaves the threads of the server as they are, because one of them
    // waits for a reload that hangs.
    void abandon();

private:
    explicit HostSocket(std::unique_ptr<Listener> listener)
        : listener_(std::move(listener)) {}

    std::unique_ptr<Listener> listener_;  // null: no socket, or the server has it
    std::string path_;
    std::optional<ControlWorld> world_;
    std::unique_ptr<ControlServer> server_;
};

}  // namespace skep::host
