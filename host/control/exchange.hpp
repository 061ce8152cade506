// Serves one connection to the control socket: reads one request, writes one response, and closes.
// cpp-httplib reads and writes HTTP; this file adds the limits:
//
//   - the whole request must arrive within a time, in however many pieces, and the response must
//     leave within another;
//   - head and body of a request have a size limit each; requests and responses are not compressed;
//   - descriptors may have any number; the server of httplib only works below 1024 (select).
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>

#include "host/base/clock.hpp"
#include "host/control/request.hpp"

namespace skep::host {

struct ControlLimits {
    std::size_t connections = 32;  // at once; the host answers more with 503
    std::size_t held = 24;         // of these, the most for taps and for waits of any length
    // If all connections are taken, a connection that has sent no request for this time is closed
    // to make room for a new one.
    Nanos patience = std::chrono::milliseconds(250);
    std::size_t head = std::size_t(16) << 10;
    std::size_t body = std::size_t(1) << 20;
    Nanos request = std::chrono::seconds(5);  // from the connection to the end of the request
    Nanos answer = std::chrono::seconds(30);  // from the first byte of the response to its last
    // When the server ends, a response that is being written gets this time.
    Nanos farewell = std::chrono::milliseconds(500);
    // How often the server checks that its socket is still in the file system.
    Nanos look_at_socket = std::chrono::seconds(1);
};

// Answers a request. [any-thread]; several calls may run at once.
using RequestHandler = std::function<Response(const Request&)>;

// Reports the progress of a connection to the server. Both are called on the connection's thread.
struct Progress {
    std::function<void()> asked;  // the request has arrived
    Hold hold;
};

// Serves the connection `fd`, which must be non-blocking; the caller closes it. Stops waiting when
// `ended` (an eventfd) becomes readable.
void serve(int fd,
           int ended,
           const Peer& peer,
           const ControlLimits& limits,
           const Progress& progress,
           const RequestHandler& answers);

// Returns a complete HTTP response, for a client that is rejected before its request is read.
[[nodiscard]] std::string wire_text(const Response& response);

}  // namespace skep::host
