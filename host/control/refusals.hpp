// What a call is refused with: the HTTP status, and a word for programs beside the sentence for
// people. docs/control-api.md lists them. Pure.
#pragma once

#include <string>
#include <string_view>

#include "host/control/call.hpp"
#include "host/manager/manager.hpp"

namespace skep::host {

struct CallError {
    int status;
    std::string_view code;
};

// Why the manager refuses.
[[nodiscard]] CallError call_error(Refusal::Code code);

// What is wrong with a request before the manager hears of it.
inline constexpr CallError bad_request = {400, "bad_request"};
inline constexpr CallError forbidden = {403, "forbidden"};
inline constexpr CallError not_found = {404, "not_found"};
inline constexpr CallError method_not_allowed = {405, "method_not_allowed"};
inline constexpr CallError too_slow = {408, "too_slow"};
inline constexpr CallError too_large = {413, "too_large"};
inline constexpr CallError unsupported = {415, "unsupported"};
inline constexpr CallError head_too_large = {431, "head_too_large"};
inline constexpr CallError internal_error = {500, "internal"};
inline constexpr CallError busy = {503, "busy"};

// {"error":{"code":"unknown_worker","message":"no worker 'x'"}}
[[nodiscard]] Reply refused(CallError error, const std::string& message);
[[nodiscard]] Reply refused(const Refusal& refusal);

// A request that was refused its Call::hold.
[[nodiscard]] Reply too_many_held();

}  // namespace skep::host
