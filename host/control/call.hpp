// One request to a running host and its answer, whatever brought them here.
#pragma once

#include <functional>
#include <map>
#include <string>

#include <sys/types.h>

#include "host/base/clock.hpp"

namespace skep::host {

// Who asks, as the kernel says.
struct Peer {
    uid_t uid = 0;
    pid_t pid = 0;  // 0: of another pid namespace
};

struct Call {
    std::string method;  // "GET"
    std::string path;    // without the query, decoded: "/v1/workers/parse#0"
    std::map<std::string, std::string> query;
    std::string body;
    Peer peer;
    // Waits for that long. False, and at once, when nobody wants the answer any more: whoever asked
    // has gone, or the server ends.
    std::function<bool(Nanos)> rest;
};

struct Reply {
    int status = 200;  // of HTTP
    std::string body;  // JSON
};

}  // namespace skep::host
