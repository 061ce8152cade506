// What a running host can be asked over its control socket: one table of routes. The specification
// for who asks is docs/control-api.md.
//
// A new command is one more row in api.cpp and its function. Handlers ask the manager, whose
// answers they wait for; they run on a thread of their own each, and share nothing.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "host/control/audit.hpp"
#include "host/control/reloads.hpp"
#include "host/control/request.hpp"
#include "host/manager/manager.hpp"

namespace skep::host {

// What a host is, beside what its manager knows.
struct HostIdentity {
    std::string name;
    std::string file;  // the topology
    Nanos started{0};  // by the steady clock
};

// What handlers work with.
struct ControlWorld {
    Manager& manager;
    HostIdentity facts;
    // Asks the host to end within this time. Does not wait.
    std::function<void(Nanos)> stop;
    Reloads& reloads;
    Audit& audit;
    // What a reload would do now, as JSON, or why it would be refused.
    std::function<Result<std::string, std::string>()> preview;
};

// `target` is what stands for {} in the pattern.
using ControlHandler = Response (*)(ControlWorld& world,
                                    const Request& request,
                                    const std::string& target);

// Whether a request gets a line in both logs.
enum class Noted {
    never,         // it only looks
    always,        // it changes something, or shows what messages say
    when_refused,  // what it does is told where it is done, with what came of it
};

struct ControlRoute {
    std::string_view method;
    std::string_view pattern;  // {} stands for one part of a path
    Noted noted;
    ControlHandler handler;
};

[[nodiscard]] const std::vector<ControlRoute>& control_routes();

// Whether the path fits the pattern; `target` is then what stands for {}.
[[nodiscard]] bool fits(std::string_view pattern, std::string_view path, std::string& target);

// The word for the log: "pause" of "/v1/workers/{}/pause".
[[nodiscard]] std::string_view verb_of(const ControlRoute& route);

// Finds the route of a request, runs it, and writes the line for the log. Any thread.
[[nodiscard]] Response handle_request(ControlWorld& world, const Request& request);

}  // namespace skep::host
