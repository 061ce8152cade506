// Sends messages of the host itself to workers. [manager-thread]
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "host/manager/worker_table.hpp"

namespace skep::host {

class HostSender {
public:
    // Both must outlive this object.
    HostSender(const WorkerWorld& world, const WorkerTable& table)
        : world_(world),
          table_(table) {}

    [[nodiscard]] Answer<Done> send(const WorkerEntry& to, const std::string& payload);
    // Sends to every worker. Returns the number of workers that accepted the message.
    [[nodiscard]] std::size_t broadcast(const std::string& payload);

private:
    [[nodiscard]] Envelope envelope_of(const std::string& payload);

    const WorkerWorld& world_;
    const WorkerTable& table_;
    std::uint64_t sequence_ = 0;
};

}  // namespace skep::host
