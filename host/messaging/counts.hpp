// The counters of the message accounting.
//
//   offered  = accepted + rejected(reason)
//   accepted = delivered + in flight + queued + dropped(policy) + dead-lettered(reason)
//
// One emission to n receivers is n offers. At quiescence (no thread is between two steps) both
// equations hold exactly, across pause, crash, restart and stop. Every test and every summary uses
// them as its oracle.
#pragma once

#include <cstdint>

namespace skep::host {

struct FlowCounts {
    std::uint64_t offered = 0;
    std::uint64_t accepted = 0;

    struct Rejected {
        std::uint64_t full = 0;      // a direct send, which does not wait for room
        std::uint64_t closed = 0;    // the receiver takes no more messages
        std::uint64_t no_route = 0;  // no route leads from the port
        std::uint64_t too_big = 0;
        std::uint64_t stopping = 0;   // the sender had to stop while it waited for room
        std::uint64_t misuse = 0;     // sent in a way that the plugin contract forbids
        std::uint64_t no_memory = 0;  // the host could not allocate

        [[nodiscard]] std::uint64_t total() const {
            return full + closed + no_route + too_big + stopping + misuse + no_memory;
        }

        Rejected& operator+=(const Rejected& other) {
            full += other.full;
            closed += other.closed;
            no_route += other.no_route;
            too_big += other.too_big;
            stopping += other.stopping;
            misuse += other.misuse;
            no_memory += other.no_memory;
            return *this;
        }

        bool operator==(const Rejected&) const = default;
    } rejected;

    std::uint64_t delivered = 0;
    std::uint64_t in_flight = 0;  // taken by the worker, not finished
    std::uint64_t queued = 0;

    struct Dropped {
        std::uint64_t newest = 0;
        std::uint64_t oldest = 0;

        [[nodiscard]] std::uint64_t total() const { return newest + oldest; }

        bool operator==(const Dropped&) const = default;
    } dropped;

    struct DeadLettered {
        std::uint64_t crash = 0;  // the worker failed on this message
        std::uint64_t stop = 0;   // still queued when the worker stopped

        [[nodiscard]] std::uint64_t total() const { return crash + stop; }

        bool operator==(const DeadLettered&) const = default;
    } dead_lettered;

    [[nodiscard]] bool is_balanced() const {
        return offered == accepted + rejected.total() &&
               accepted == delivered + in_flight + queued + dropped.total() + dead_lettered.total();
    }

    // Messages that were accepted and are neither queued nor in flight.
    [[nodiscard]] std::uint64_t finished() const { return accepted - queued - in_flight; }

    FlowCounts& operator+=(const FlowCounts& other) {
        offered += other.offered;
        accepted += other.accepted;
        rejected += other.rejected;
        delivered += other.delivered;
        in_flight += other.in_flight;
        queued += other.queued;
        dropped.newest += other.dropped.newest;
        dropped.oldest += other.dropped.oldest;
        dead_lettered.crash += other.dead_lettered.crash;
        dead_lettered.stop += other.dead_lettered.stop;
        return *this;
    }

    bool operator==(const FlowCounts&) const = default;
};

}  // namespace skep::host
