// The requests that a running host accepts over its control socket: one table of routes. The
// specification for clients is docs/control-api.md.
//
// To add a command, add a row and its function to api.cpp. Handlers ask the manager and block until
// it answers. Each runs on its own thread; they share nothing.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "host/control/request.hpp"
#include "host/daemon/audit.hpp"
#include "host/daemon/reloader.hpp"
#include "host/manager/manager.hpp"

namespace skep::host {

// Facts about a host that its manager does not know.
struct HostIdentity {
    std::string name;
    std::string file;  // the topology
    Nanos started{0};  // by the steady clock
};

// The objects that handlers use.
struct ControlWorld {
    Manager& manager;
    HostIdentity facts;
    // Asks the host to end within this time. Does not block.
    std::function<void(Nanos)> stop;
    Reloader& reloader;
    Audit& audit;
};

// `target` is the part of the path that matches {} in the pattern.
using ControlHandler = Response (*)(ControlWorld& world,
                                    const Request& request,
                                    const std::string& target);

// When a request gets a line in the log and in the audit log.
enum class Noted {
    never,         // it only reads
    always,        // it changes something, or shows the payloads of messages
    when_refused,  // if accepted, the code that carries it out logs it with its outcome
};

struct ControlRoute {
    std::string_view method;
    std::string_view pattern;  // {} matches one part of a path
    Noted noted;
    ControlHandler handler;
};

[[nodiscard]] const std::vector<ControlRoute>& control_routes();

// True if the path matches the pattern; `target` is then the part that matches {}.
[[nodiscard]] bool fits(std::string_view pattern, std::string_view path, std::string& target);

// Returns the word for the logs: "pause" for "/v1/workers/{}/pause".
[[nodiscard]] std::string_view verb_of(const ControlRoute& route);

// Finds the route of a request, runs its handler, and writes the log lines. [any-thread]
[[nodiscard]] Response handle_request(ControlWorld& world, const Request& request);

}  // namespace skep::host
