// A message that does not lie in a ring slot: it came by send, broadcast or reply, it travels on a
// route that needs the mailbox's own queue, or a plugin keeps it.
#pragma once

#include <cstdint>
#include <string>

#include "host/base/clock.hpp"
#include "host/messaging/payload.hpp"

namespace skep::host {

// One message for one receiver. The name pointers belong to the host's NamePool.
struct Envelope {
    PayloadRef payload;
    const std::string* sender = nullptr;  // "" for the host
    const std::string* output = nullptr;  // of the sender; null for a direct message
    const std::string* content_type = nullptr;
    std::uint64_t sequence = 0;
    Nanos time{0};
    std::uint64_t trace_id = 0;
    std::uint32_t port = 0;  // input of the receiver, or SKEP_PORT_DIRECT
    std::uint32_t lane = 0;  // of the mailbox
};

}  // namespace skep::host
