#include "host/control/server.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <new>
#include <string>
#include <system_error>
#include <utility>

#include <poll.h>
#include <pthread.h>
#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "host/base/deadline.hpp"
#include "host/base/unix_socket.hpp"
#include "host/control/refusals.hpp"

namespace skep::host {
namespace {

// How long the server accepts no connection if the process has no descriptor left.
constexpr int breather_ms = 100;

// Sends a response without blocking: the buffer of a new connection has room for it.
void send_away(int fd, const Response& response) {
    const std::string text = wire_text(response);
    (void)::send(fd, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

}  // namespace

bool is_own_or_root(const Peer& peer) {
    return peer.uid == 0 || peer.uid == ::geteuid();
}

ControlServer::Started ControlServer::start(std::unique_ptr<Listener> listener,
                                            RequestHandler answers,
                                            const ControlLimits& limits,
                                            Admits admits) {
    std::unique_ptr<ControlServer> made(
        new ControlServer(std::move(listener), std::move(answers), limits, std::move(admits)));
    if (made->ended_.get() < 0) {
        return Unexpected<std::string>(error_text(errno));
    }
    try {
        made->thread_ = std::thread([server = made.get()] {
            ::pthread_setname_np(::pthread_self(), "control");
            server->loop();
        });
    } catch (const std::system_error& error) {
        return Unexpected<std::string>(error.code().message());
    }
    return made;
}

ControlServer::ControlServer(std::unique_ptr<Listener> listener,
                             RequestHandler answers,
                             const ControlLimits& limits,
                             Admits admits)
    : answers_(std::move(answers)),
      limits_(limits),
      admits_(std::move(admits)),
      ended_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      listener_(std::move(listener)) {}

ControlServer::~ControlServer() {
    (void)::eventfd_write(ended_.get(), 1);  // cannot overflow: it is written once
    if (thread_.joinable()) {
        thread_.join();
    }
    listener_.reset();
    for (Connection& connection : connections_) {
        connection.thread.join();
    }
}

void ControlServer::loop() {
    std::array<pollfd, 2> fds = {{{listener_->fd(), POLLIN, 0}, {ended_.get(), POLLIN, 0}}};
    Nanos next_look = steady_now() + limits_.look_at_socket;
    while (true) {
        (void)::poll(fds.data(), fds.size(), poll_timeout(next_look));
        if (fds[1].revents != 0) {
            return;
        }
        if ((fds[0].revents & POLLNVAL) != 0) {
            spdlog::error("a plugin closed the control socket; the host no longer serves it");
            return;
        }
        if (fds[0].revents != 0) {
            accept_one();
        }
        if (steady_now() >= next_look) {
            keep_in_place();
            fds[0] = {listener_->fd(), POLLIN, 0};
            next_look = steady_now() + limits_.look_at_socket;
        }
    }
}

// Puts the socket back in its place if it was removed. Logs each change once.
void ControlServer::keep_in_place() {
    const std::string path = listener_->path();
    const Listener::Checked checked = listener_->keep_in_place();
    if (checked.place == Listener::Place::bound_again) {
        spdlog::warn(
            "control socket {} was removed; the host listens at {} now", path, listener_->path());
    } else if (checked.place == Listener::Place::lost && checked.why != why_lost_) {
        spdlog::warn("control socket {} was removed, and no client can connect to this host: {}",
                     path,
                     checked.why);
    }
    why_lost_ = checked.why;
}

void ControlServer::accept_one() {
    const int fd = ::accept4(listener_->fd(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
            pollfd ended = {ended_.get(), POLLIN, 0};
            (void)::poll(&ended, 1, breather_ms);
        }
        return;
    }
    connections_.emplace_back(fd);
    Connection& connection = connections_.back();
    const Peer peer = peer_of(fd).value_or(Peer{static_cast<uid_t>(-1), 0});
    if (!admits_(peer)) {
        spdlog::warn("control: rejected connection from uid {} (process {})", peer.uid, peer.pid);
        send_away(fd, refused(forbidden, "this host belongs to another user"));
        connections_.pop_back();
        return;
    }
    reap();
    if (is_full() && !make_room()) {
        send_away(fd,
                  refused(busy,
                          "all " + std::to_string(limits_.connections) +
                              " connections of this host are taken; try again"));
        connections_.pop_back();
        return;
    }
    try {
        connection.thread = std::thread([this, &connection, peer] { run(connection, peer); });
    } catch (const std::system_error&) {
        send_away(fd, refused(busy, "the host cannot start a thread for this connection"));
        connections_.pop_back();
    }
}

void ControlServer::run(Connection& connection, const Peer& peer) {
    const Progress progress = {[&] { connection.has_asked = true; },
                               [&] { return hold(connection); }};
    try {
        serve(connection.fd.get(), ended_.get(), peer, limits_, progress, answers_);
    } catch (const std::bad_alloc&) {
        // The client sees the end of the connection; the host goes on.
    }
    if (connection.is_held) {
        --held_;
    }
    // Closes the connection now: the client need not wait until the thread is joined.
    (void)::shutdown(connection.fd.get(), SHUT_RDWR);
    connection.is_over.store(true, std::memory_order_release);
}

bool ControlServer::hold(Connection& connection) {
    if (!connection.is_held && ++held_ > limits_.held) {
        --held_;
        return false;
    }
    connection.is_held = true;
    return true;
}

// True if all connections are taken. A connection that has given way is about to end and does not
// count.
bool ControlServer::is_full() {
    return static_cast<std::size_t>(
               std::count_if(connections_.begin(), connections_.end(), [](const Connection& it) {
                   return !it.has_given_way;
               })) > limits_.connections;
}

// Closes the oldest connection that has sent no request; connections_ is in order of age. False: no
// connection may be closed.
bool ControlServer::make_room() {
    const Nanos latest = steady_now() - limits_.patience;
    const auto idle =
        std::find_if(connections_.begin(), connections_.end(), [&](const Connection& it) {
            return !it.has_given_way && !it.has_asked && it.begin <= latest;
        });
    if (idle == connections_.end()) {
        return false;
    }
    idle->has_given_way = true;
    (void)::shutdown(idle->fd.get(), SHUT_RDWR);
    return true;
}

// Joins the threads that have ended.
void ControlServer::reap() {
    for (auto it = connections_.begin(); it != connections_.end();) {
        if (it->thread.joinable() && it->is_over.load(std::memory_order_acquire)) {
            it->thread.join();
            it = connections_.erase(it);
        } else {
            ++it;
        }
    }
}

}  // namespace skep::host
