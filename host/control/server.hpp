// The server of the control socket: a thread that accepts, and one for each connection while it
// lasts. They share nothing with the manager and the workers but what `answers` does.
//
// Whoever connects is first looked at by the uid that the kernel reports. One connection carries
// one request; docs/control-api.md says which there are.
//
// However many connections are held open, a command gets in: taps and waits get only a part of the
// places, and of the other connections the oldest that has asked for nothing gives way.
#pragma once

#include <atomic>
#include <functional>
#include <list>
#include <memory>
#include <thread>

#include "host/base/deadline.hpp"
#include "host/base/result.hpp"
#include "host/control/exchange.hpp"
#include "host/control/listener.hpp"

namespace skep::host {

// The user of this process, and root.
[[nodiscard]] bool is_own_or_root(const Peer& peer);

class ControlServer {
public:
    using Admits = std::function<bool(const Peer&)>;
    using Started = Result<std::unique_ptr<ControlServer>, std::string>;

    [[nodiscard]] static Started start(std::unique_ptr<Listener> listener,
                                       RequestHandler answers,
                                       const ControlLimits& limits = {},
                                       Admits admits = is_own_or_root);

    // Takes the socket away, sends away who has not finished asking, and waits for the answers that
    // are being made: the manager has ended, or nothing is asked of it that takes long.
    ~ControlServer();
    ControlServer(const ControlServer&) = delete;
    ControlServer& operator=(const ControlServer&) = delete;

private:
    struct Connection {
        explicit Connection(int its_fd)
            : fd(its_fd) {}

        Fd fd;
        const Nanos begin = steady_now();
        bool has_given_way = false;  // of the accepting thread
        // Written by its thread; a server that reads an older value only waits a little longer.
        std::atomic<bool> has_asked{false};
        bool is_held = false;  // of its thread
        // Set as the thread's last act; whoever reads it joins the thread, which orders the rest.
        std::atomic<bool> is_over{false};
        std::thread thread;
    };

    ControlServer(std::unique_ptr<Listener> listener,
                  RequestHandler answers,
                  const ControlLimits& limits,
                  Admits admits);

    void loop();
    void accept_one();
    void keep_in_place();
    void run(Connection& connection, const Peer& peer);
    [[nodiscard]] bool hold(Connection& connection);
    [[nodiscard]] bool is_full();
    bool make_room();
    void reap();

    const RequestHandler answers_;
    const ControlLimits limits_;
    const Admits admits_;
    const Fd ended_;  // an eventfd that stays readable once the server ends

    std::atomic<std::size_t> held_{0};  // connections; a count, on which nothing else depends

    // Of the accepting thread, and of the destructor after it.
    std::unique_ptr<Listener> listener_;
    std::string why_lost_;  // of the socket, which is said already; "": it is in place
    std::list<Connection> connections_;
    std::thread thread_;
};

}  // namespace skep::host
