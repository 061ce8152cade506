// Decides which workers may drain, and when the work of a host is done. Pure: takes facts about the
// workers and returns decisions.
//
// A worker is *alive* if it may still act without a new message: a loop worker has not returned, a
// timer is set, a call is in progress, emissions wait in its outbox, it is starting, in backoff,
// draining or being swapped. Messages that are queued or in flight keep the host alive too, but
// only counts show them; the decision names the workers whose counts must be compared.
//
// The search for unfinished messages uses Mattern's counting method. The manager reads, in this
// order,
//   1. how many messages each receiver has finished,
//   2. what each worker may still do by itself: the facts below,
//   3. how many messages each receiver has accepted.
// A receiver never finishes more than it accepts, and both counts only grow. If 1 equals 3 for all
// receivers, every message accepted before 3 was finished before 2, and no message existed between
// 1 and 3. A message counts as finished after the emissions of its handler were accepted, and after
// the bits of Activity show its other effects; a bit is cleared after the emissions of its call.
// All of these are release stores on one thread, and the manager reads them with acquire (rings,
// bits) or under the same lock (queues): steps 2 and 3 see everything that a worker did before it
// finished or cleared something. Thus only a message, which does not exist, or the manager could
// wake a worker that is at rest in 2. Senders share no counter.
//
// A worker that drains while others are at work may get its first direct message at any time. So
// step 3 and the closing of its queue are one step: a later message is refused.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace skep::host {

// Facts about one worker.
struct WorkerFacts {
    enum class Life : std::uint8_t {
        at_work,   // running, pausing or paused
        changing,  // starting, draining, stopping, in backoff, or being swapped
        halted,    // stopped by an operator, or never started: it may be started again
        ended,     // it will send nothing more
    };
    Life life = Life::ended;
    bool is_loop = false;
    bool has_on_drain = false;
    bool was_sent_to = false;    // a worker has sent it a message directly
    std::uint32_t activity = 0;  // bits of Activity
};

// Facts about a group of the flow: see flow.hpp.
struct GroupFacts {
    std::span<const std::size_t> upstream;  // as FlowGroup::upstream
    bool is_cycle = false;

    void add(const WorkerFacts& worker);

    // Each is true if it is true for one of the workers.
    bool is_at_work = false;
    bool is_changing = false;
    bool is_halted = false;
    bool has_loop = false;   // in any Life
    bool runs_loop = false;  // one that has not returned
    bool runs_handler = false;
    bool is_loop_busy = false;  // it runs, and does not wait in receive()
    bool has_timer = false;
    bool has_one_shot = false;  // a timer that fires once
    bool is_in_motion = false;  // it does something that ends soon
    bool has_on_drain = false;
    bool was_sent_to = false;
    bool began_timer = false;  // it had a timer before its first message
    bool began_one_shot = false;
    bool has_loop_ended = false;

    // True if all its workers have ended. With `for_good`, a halted worker has not ended.
    [[nodiscard]] bool has_ended(bool for_good = true) const {
        return !is_at_work && !is_changing && !(for_good && is_halted);
    }

    [[nodiscard]] bool is_fed() const { return !upstream.empty(); }

    // True if its workers start work without a message. (The repeated work of a fed worker, by a
    // timer or as a loop, only accompanies its input.)
    [[nodiscard]] bool is_source() const {
        return is_fed() ? began_one_shot || has_loop_ended : began_timer || has_loop;
    }

    // True if this group keeps a host running.
    [[nodiscard]] bool is_alive() const {
        return is_changing || (is_fed() ? has_one_shot : has_timer || runs_loop) ||
               (is_halted && is_source());
    }
};

struct HostFacts {
    enum class Phase : std::uint8_t {
        working,
        done,      // all work is done: the verdict
        stopping,  // it was asked to end, or a required worker failed
    };
    Phase phase = Phase::working;
    bool ends_by_itself = true;
    // A plan is being applied, a schedule entry is pending, or a removed worker has not ended yet.
    bool is_changing = false;
};

// Indexes of groups, in ascending order.
struct DrainDecision {
    std::vector<std::size_t> drain;     // drain now
    std::vector<std::size_t> if_quiet;  // drain each if all messages of its workers are finished
    // What follows if all messages of the host are finished. In phase working: the host's work is
    // done. In phase done: the groups of `next` drain.
    bool is_host_next = false;
    std::vector<std::size_t> next;
    bool is_in_motion = false;  // the host is not quiet, even if all messages are finished
};

// Decides from the facts. `groups` must have sinks first, as flow_groups() returns them.
[[nodiscard]] DrainDecision decide(std::span<const GroupFacts> groups, const HostFacts& host);

}  // namespace skep::host
