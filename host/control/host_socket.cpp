#include "host/control/host_socket.hpp"

#include <cstdlib>
#include <utility>

#include <spdlog/spdlog.h>
#include <unistd.h>

#include "host/control/places.hpp"

namespace skep::host {

Result<std::unique_ptr<HostSocket>, std::string> HostSocket::open(const std::string& path,
                                                                  const std::string& host) {
    const auto made = [](std::unique_ptr<Listener> listener) {
        return std::unique_ptr<HostSocket>(new HostSocket(std::move(listener)));
    };
    if (path == "none") {
        return made(nullptr);
    }
    Listener::Opened opened =
        path.empty() ? Listener::open_in(control_folders(std::getenv("XDG_RUNTIME_DIR")), host)
                     : Listener::open(path, host);
    if (!opened && !path.empty()) {
        return Unexpected<std::string>(opened.error().why);
    }
    if (!opened) {
        spdlog::warn("cannot open a control socket: {}", opened.error().why);
    }
    return made(opened ? std::move(*opened) : nullptr);
}

void HostSocket::serve(Host& host, HostIdentity identity) {
    if (listener_ == nullptr) {
        return;
    }
    path_ = listener_->path();
    world_.emplace(ControlWorld{host.manager(),
                                std::move(identity),
                                [&host](Nanos grace) { host.stop(grace); },
                                host.reloader(),
                                host.audit()});
    ControlServer::Started started = ControlServer::start(
        std::move(listener_),
        [this](const Request& request) { return handle_request(*world_, request); });
    if (!started) {
        spdlog::warn("cannot serve the control socket: {}", started.error());
        return;
    }
    spdlog::debug("control socket: {}", path_);
    server_ = std::move(*started);
}

void HostSocket::abandon() {
    if (server_ != nullptr) {
        ::unlink(path_.c_str());
        (void)server_.release();  // a thread still uses it
    }
}

}  // namespace skep::host
