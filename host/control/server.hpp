// The server of the control socket: one thread that accepts, and one thread for each open
// connection. Only `answers` gives these threads access to the manager and the workers.
//
// The server admits clients by the uid that the kernel reports. One connection carries one request;
// docs/control-api.md lists the requests.
//
// Open connections cannot keep a command out. Taps and waits may take only a part of the
// connections; of the others, the server closes the oldest that has sent no request.
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

// True for the user of this process and for root.
[[nodiscard]] bool is_own_or_root(const Peer& peer);

class ControlServer {
public:
    using Admits = std::function<bool(const Peer&)>;
    using Started = Result<std::unique_ptr<ControlServer>, std::string>;

    [[nodiscard]] static Started start(std::unique_ptr<Listener> listener,
                                       RequestHandler answers,
                                       const ControlLimits& limits = {},
                                       Admits admits = is_own_or_root);

    // Removes the socket, closes connections whose request is incomplete, and blocks until running
    // handlers have returned. Handlers return soon if the manager has ended, or if no long request
    // is open.
    ~ControlServer();
    ControlServer(const ControlServer&) = delete;
    ControlServer& operator=(const ControlServer&) = delete;

private:
    struct Connection {
        explicit Connection(int its_fd)
            : fd(its_fd) {}

        Fd fd;
        const Nanos begin = steady_now();
        bool has_given_way = false;  // used only by the accepting thread
        // Written by the connection's thread. A stale value only delays the server a little.
        std::atomic<bool> has_asked{false};
        bool is_held = false;  // used only by the connection's thread
        // Set by the last statement of the thread. The reader then joins the thread, which orders
        // all other accesses.
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

    std::atomic<std::size_t> held_{0};  // held connections; no other data depends on the count

    // Used by the accepting thread, and by the destructor after it.
    std::unique_ptr<Listener> listener_;
    std::string why_lost_;  // the logged reason why the socket is lost; "": it is in place
    std::list<Connection> connections_;
    std::thread thread_;
};

}  // namespace skep::host
