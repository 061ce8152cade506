// One request to a running host and its answer, whatever brought them here.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>

#include <sys/types.h>

#include "host/base/clock.hpp"

namespace skep::host {

// Who asks, as the kernel says.
struct Peer {
    uid_t uid = 0;
    pid_t pid = 0;  // 0: of another pid namespace
};

// Waits for that long. False, and at once, when nobody wants the answer any more: whoever asked has
// gone, or the server ends.
using Rest = std::function<bool(Nanos)>;

// Says that the answer may take as long as whoever asks wants it to. False: too many such requests
// are open, and this one is to be refused. Twice is once.
using Hold = std::function<bool()>;

struct Request {
    std::string method;  // "GET"
    std::string path;    // without the query, decoded: "/v1/workers/parse#0"
    std::map<std::string, std::string> query;
    std::string body;
    Peer peer;
    Rest rest;
    Hold hold;
};

struct Response {
    // The next piece of an answer that is told piece by piece, "" when there is nothing yet; none:
    // that was all. On the thread that writes the answer.
    using More = std::function<std::optional<std::string>()>;

    int status = 200;     // of HTTP
    std::string body;     // JSON; "" if there is more
    More more = nullptr;  // lines of JSON
};

}  // namespace skep::host
