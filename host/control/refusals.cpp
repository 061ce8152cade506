#include "host/control/refusals.hpp"

#include <nlohmann/json.hpp>

namespace skep::host {

RequestError request_error(Refusal::Code code) {
    switch (code) {
        case Refusal::Code::unknown_worker:
            return {404, "unknown_worker"};
        case Refusal::Code::duplicate_worker:
            return {409, "duplicate_worker"};
        case Refusal::Code::illegal_state:
            return {409, "illegal_state"};
        case Refusal::Code::mailbox_full:
            return {429, "mailbox_full"};
        case Refusal::Code::mailbox_closed:
            return {409, "mailbox_closed"};
        case Refusal::Code::host_ended:
            return {503, "host_ended"};
        case Refusal::Code::bad_plan:
            return {422, "bad_plan"};
    }
    return internal_error;
}

Response refused(RequestError error, const std::string& message) {
    using Json = nlohmann::ordered_json;
    const Json body = {{"error", {{"code", error.code}, {"message", message}}}};
    return {error.status, body.dump(-1, ' ', false, Json::error_handler_t::replace)};
}

Response refused(const Refusal& refusal) {
    return refused(request_error(refusal.code), refusal.message);
}

Response too_many_held() {
    return refused(busy, "too many taps and waits are open on this host; end one of them");
}

}  // namespace skep::host
