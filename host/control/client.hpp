// The other end of the control socket: finds running hosts, and asks one of them.
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

// A socket at which somebody listens.
struct FoundHost {
    std::string name;  // of the file, without ".sock"
    std::string path;
    pid_t pid = 0;
};

// Those in the folders, by name; of two with one name, the one in the first folder.
[[nodiscard]] std::vector<FoundHost> find_hosts(const std::vector<std::string>& folders);

struct AskError {
    enum class Kind {
        nobody,     // there is no socket, or nobody listens at it
        forbidden,  // this user may not connect
        no_answer,  // none came in time, or none that is one
    };
    Kind kind;
    std::string why;
    Nanos silence{0};  // how long the host gave no sign of life; 0: it hung up, or never answered
};

// How long a host may give no sign of life.
inline constexpr Nanos sign_of_life_within = std::chrono::seconds(10);

// Sends one request. `patience` bounds each wait for bytes; where it is longer than
// sign_of_life_within, a second connection asks now and then whether the host still answers, and
// the request fails when it does not. `target` may have a query, and is encoded.
[[nodiscard]] Result<Response, AskError> ask_host(const std::string& path,
                                                  const std::string& method,
                                                  const std::string& target,
                                                  const std::string& body,
                                                  Nanos patience);

// Is given an answer piece by piece. False: that was enough.
using Hears = std::function<bool(std::string_view piece)>;

// GET, for an answer that comes in pieces. The response has a body only where it is a refusal.
[[nodiscard]] Result<Response, AskError> hear_host(const std::string& path,
                                                   const std::string& target,
                                                   const Hears& hears,
                                                   Nanos patience);

// For a part of a target: "parse#0" becomes "parse%230".
[[nodiscard]] std::string encoded(const std::string& text);

// Waits until the host that listens at `path` as process `pid` has ended. 0, for a process of
// another pid namespace: until nobody listens there any more. False: it still runs after that time.
[[nodiscard]] bool wait_for_end_of(const std::string& path, pid_t pid, Nanos patience);

// The process that listens at `path`, as this pid namespace numbers it; 0: it has no number here,
// or nobody listens.
[[nodiscard]] pid_t listener_of(const std::string& path);

}  // namespace skep::host
