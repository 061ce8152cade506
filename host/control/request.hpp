// One request to a running host and its response, independent of the transport.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "host/base/clock.hpp"
#include "host/base/unix_socket.hpp"

namespace skep::host {

// Blocks for this time. Returns false at once if the response is no longer needed: the client has
// disconnected, or the server ends.
using Rest = std::function<bool(Nanos)>;

// Declares that the response may take as long as the client waits for it. False: too many such
// requests are open, and this one must be refused. A second call has no effect.
using Hold = std::function<bool()>;

struct Request {
    std::string method;  // "GET"
    std::string path;    // without the query, decoded: "/v1/workers/parse#0"
    std::map<std::string, std::string> query;
    std::string body;
    Peer peer;  // the process that sent the request
    Rest rest;
    Hold hold;
};

struct Response {
    // Returns the next piece of a response in pieces. "": nothing yet; none: the end. Called on the
    // thread that writes the response.
    using More = std::function<std::optional<std::string>()>;

    int status = 200;     // the HTTP status
    std::string body;     // JSON; "" if `more` is set
    More more = nullptr;  // lines of JSON
};

}  // namespace skep::host
