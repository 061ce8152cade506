// The errors of requests: an HTTP status, a code for programs, and a sentence for people.
// docs/control-api.md lists them. Pure.
#pragma once

#include <string>
#include <string_view>

#include "host/control/request.hpp"
#include "host/manager/manager.hpp"

namespace skep::host {

struct RequestError {
    int status;
    std::string_view code;
};

// Returns the error for a refusal by the manager.
[[nodiscard]] RequestError request_error(Refusal::Code code);

// Errors of requests that do not reach the manager.
inline constexpr RequestError bad_request = {400, "bad_request"};
inline constexpr RequestError forbidden = {403, "forbidden"};
inline constexpr RequestError not_found = {404, "not_found"};
inline constexpr RequestError method_not_allowed = {405, "method_not_allowed"};
inline constexpr RequestError too_slow = {408, "too_slow"};
inline constexpr RequestError too_large = {413, "too_large"};
inline constexpr RequestError unsupported = {415, "unsupported"};
inline constexpr RequestError head_too_large = {431, "head_too_large"};
inline constexpr RequestError internal_error = {500, "internal"};
inline constexpr RequestError busy = {503, "busy"};

// Returns {"error":{"code":"unknown_worker","message":"no worker 'x'"}}.
[[nodiscard]] Response refused(RequestError error, const std::string& message);
[[nodiscard]] Response refused(const Refusal& refusal);

// Returns the response to a request whose Request::hold was refused.
[[nodiscard]] Response too_many_held();

}  // namespace skep::host
