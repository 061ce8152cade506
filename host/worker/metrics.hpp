// The state of one worker at one moment: a value, taken by the manager, owned by the caller.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "host/base/clock.hpp"
#include "host/messaging/counts.hpp"
#include "host/worker/state.hpp"

namespace skep::host {

struct SwapMetrics {
    // From the boundary at which the old instance stopped until the new one could take a message.
    Nanos blackout{0};
    std::size_t state_bytes = 0;  // size of the state that was handed over
    std::uint64_t queued = 0;     // messages that waited just after the swap

    bool operator==(const SwapMetrics&) const = default;
};

struct WorkerMetrics {
    std::string name;
    std::string plugin;  // id and version: "org.skep.regex 0.1.0"; "" before the library was loaded
    std::string type;
    std::uint64_t generation = 0;  // number of its instance: 1, 2, 3, ...; 0: it never had one
    WorkerState state = WorkerState::created;
    std::string error;  // why the worker failed or was lost; "" otherwise

    // Of the current instance, or the last one. Monotonic for durations, wall clock for display.
    std::optional<Nanos> started, ended;
    std::optional<std::chrono::system_clock::time_point> started_wall, ended_wall;
    Nanos cpu{0};  // from the clock of its thread

    // Of the name, over all its instances.
    std::uint64_t swaps = 0;      // successors that were activated while the worker ran
    std::uint64_t rollbacks = 0;  // how many of those failed on probation
    std::optional<SwapMetrics> last_swap;
    std::uint64_t items = 0;
    std::uint64_t errors = 0;
    std::uint64_t out = 0;              // messages that receivers accepted from it
    FlowCounts::Rejected out_rejected;  // messages that it sent and the host offered to no receiver
    FlowCounts in;                      // its mailbox
    std::size_t queue_high = 0;         // the most messages that ever waited in its mailbox
    // Bytes of payloads that wait in the mailbox, and whether a sender waits because of them.
    std::uint64_t queued_bytes = 0;
    bool is_full_of_bytes = false;

    std::string call;  // the plugin call in progress: "create", "load_state"; "": none
    std::optional<Nanos> checkpoint_age;  // since its last checkpoint; only while it has a thread

    // Its part of the host's message accounting: every message that was offered to it or rejected
    // at it.
    [[nodiscard]] FlowCounts accounting() const {
        FlowCounts all = in;
        all.offered += out_rejected.total();
        all.rejected += out_rejected;
        return all;
    }
};

// All workers, in the order of the plan, and the accounting over all of them.
struct HostMetrics {
    std::vector<WorkerMetrics> workers;
    FlowCounts accounting;
};

}  // namespace skep::host
