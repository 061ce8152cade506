// The client of the control socket: finds running hosts and sends requests to them.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include "host/base/clock.hpp"
#include "host/base/result.hpp"
#include "host/control/request.hpp"

namespace skep::host {

// A socket at which a host listens.
struct FoundHost {
    std::string name;  // the name of the file, without ".sock"
    std::string path;
    pid_t pid = 0;
};

// Returns the hosts in the folders, sorted by name. Of two hosts with one name, returns the one in
// the first folder.
[[nodiscard]] std::vector<FoundHost> find_hosts(const std::vector<std::string>& folders);

struct AskError {
    enum class Kind {
        nobody,     // the socket does not exist, or no host listens at it
        forbidden,  // this user may not connect
        no_answer,  // no response came in time, or an invalid one
    };
    Kind kind;
    std::string why;
    Nanos silence{0};  // how long the host gave no sign of life; 0: it hung up, or never answered
};

// How long a host may give no sign of life.
inline constexpr Nanos sign_of_life_within = std::chrono::seconds(10);

// Sends one request and blocks until its response has come. `patience` bounds each wait for bytes.
// If it is longer than sign_of_life_within, a second connection asks now and then whether the host
// still answers, and the request fails when the host does not. `target` may have a query and must
// be encoded.
[[nodiscard]] Result<Response, AskError> ask_host(const std::string& path,
                                                  const std::string& method,
                                                  const std::string& target,
                                                  const std::string& body,
                                                  Nanos patience);

// Takes one piece of a response. False: stop reading.
using OnPiece = std::function<bool(std::string_view piece)>;

// Sends a GET request whose response comes in pieces. The returned response has a body only if it
// is a refusal.
[[nodiscard]] Result<Response, AskError> read_host_stream(const std::string& path,
                                                          const std::string& target,
                                                          const OnPiece& on_piece,
                                                          Nanos patience);

// Encodes a part of a target: "parse#0" becomes "parse%230".
[[nodiscard]] std::string encoded(const std::string& text);

// Blocks until the host that listens at `path` as process `pid` has ended. `pid` 0, for a process
// of another pid namespace: until no process listens there. False: the host still runs after that
// time.
[[nodiscard]] bool wait_for_end_of(const std::string& path, pid_t pid, Nanos patience);

// Returns the process that listens at `path`, as this pid namespace numbers it. 0: it has no number
// here, or no process listens.
[[nodiscard]] pid_t listener_of(const std::string& path);

}  // namespace skep::host
