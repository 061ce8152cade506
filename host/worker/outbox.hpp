// The sending side of one worker: emit, send, broadcast and reply, one code path from payload to
// mailbox. All [worker-thread].
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <skep/abi.h>

#include "host/base/clock.hpp"
#include "host/messaging/name_pool.hpp"
#include "host/messaging/router.hpp"
#include "host/worker/counters.hpp"

namespace skep::host {

class Outbox {
public:
    struct Sender {
        const std::string* name;  // of the NamePool
        std::shared_ptr<Mailbox> mailbox;
        std::shared_ptr<WorkerCounters> counters;
    };

    Outbox(Clock& clock,
           std::shared_ptr<Router> router,
           std::shared_ptr<NamePool> names,
           Sender sender)
        : clock_(clock),
          router_(std::move(router)),
          names_(std::move(names)),
          sender_(std::move(sender)),
          any_content_(names_->intern("*")) {}

    // What a sender that waits for room does each time it is woken: a checkpoint. True: it has to
    // stop.
    using Checkpoint = std::function<bool()>;

    // These four follow skep_host_api: one payload, a status. Throw std::bad_alloc only.
    std::int32_t emit(std::uint32_t port,
                      const skep_payload& payload,
                      const Checkpoint& checkpoint);
    std::int32_t send(std::string_view worker, const skep_payload& payload);
    std::int32_t broadcast(const skep_payload& payload);

private:
    const RouteTable& table();
    // `content_type`: what the payload carries if it does not say; any_content_: what the message
    // that it shares carries, or unknown bytes.
    [[nodiscard]] Envelope envelope_of(const skep_payload& payload,
                                       const std::string* content_type);
    std::int32_t deliver(const Target& target,
                         const Envelope& envelope,
                         const Checkpoint& checkpoint);
    std::int32_t push_direct(const std::shared_ptr<Mailbox>& mailbox, const Envelope& envelope);

    Clock& clock_;
    const std::shared_ptr<Router> router_;
    const std::shared_ptr<NamePool> names_;
    const Sender sender_;
    const std::string* const any_content_;  // "*"

    std::shared_ptr<const RouteTable> table_;
    std::uint64_t table_version_ = 0;
    // Whose turn it is, by port and spread.
    std::map<std::pair<std::uint32_t, std::size_t>, std::uint64_t> turns_;
};

}  // namespace skep::host
