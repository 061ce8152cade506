// One connection to the control socket: one request comes in over it, one answer goes out, and it
// is closed. HTTP itself is read and written by cpp-httplib; what bounds it is here:
//
//   - the whole request has come in within a time, however it is sliced, and so goes the answer
//     out;
//   - its head and its body have a limit each; nothing is unpacked, and no answer is packed;
//   - descriptors of any number will do, where the server of httplib stops at 1024 (select).
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>

#include "host/base/clock.hpp"
#include "host/control/request.hpp"

namespace skep::host {

struct ControlLimits {
    std::size_t connections = 32;  // at once; more are answered with 503
    std::size_t held = 24;         // of these, by taps and by waits without a bound of ours
    // A connection that has not asked for that long gives way to a new one when all are taken.
    Nanos patience = std::chrono::milliseconds(250);
    std::size_t head = std::size_t(16) << 10;
    std::size_t body = std::size_t(1) << 20;
    Nanos request = std::chrono::seconds(5);  // from the connection to the end of the request
    Nanos answer = std::chrono::seconds(30);  // from its first byte to its last
    // When the server ends: an answer that is on its way has that long.
    Nanos farewell = std::chrono::milliseconds(500);
    // How often the server looks whether its socket is still in the file system.
    Nanos look_at_socket = std::chrono::seconds(1);
};

// Answers a request. Any thread; several at once.
using RequestHandler = std::function<Response(const Request&)>;

// What the server learns of a connection while it is served. Both are called by its thread.
struct Progress {
    std::function<void()> asked;  // the request has come in
    Hold hold;
};

// Serves the connection that is open as `fd`, which does not block and is not closed here. From the
// moment `ended` (an eventfd) can be read, nothing more is waited for.
void serve(int fd,
           int ended,
           const Peer& peer,
           const ControlLimits& limits,
           const Progress& progress,
           const RequestHandler& answers);

// The whole of an answer as it stands on the wire, for who is sent away before asking.
[[nodiscard]] std::string wire_text(const Response& response);

}  // namespace skep::host
