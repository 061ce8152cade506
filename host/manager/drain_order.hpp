// Who may drain, and when the work of a host is done. Pure: facts about the workers go in,
// decisions come out.
//
// A worker is *alive* when it may still do something without a new message: a loop worker has not
// returned, a timer is set, a call is in progress, emissions wait in its outbox, it is starting, in
// backoff, draining or being swapped. Messages that are queued or in flight keep the host alive
// too, but only counts show them; the decision says whose counts have to be compared.
//
// How messages are found to be finished (Mattern's counting method). The manager reads, in this
// order,
//   1. how many messages each receiver has finished,
//   2. what each worker may still do by itself: the facts below,
//   3. how many messages each receiver has accepted.
// A receiver never finishes more than it accepts, and both only grow. So where 1 equals 3 for all,
// every message that was accepted before 3 had been finished before 2, and between 1 and 3 no
// message existed. A message counts as finished after the emissions of its handler were accepted,
// and after the bits of Activity say what else it led to; a bit is cleared after the emissions of
// its call. All of these are release stores on one thread, and the manager reads them with acquire
// (rings, bits) or under the same lock (queues): what a worker did before it finished or cleared
// something is seen in 2 and 3. So a worker that is at rest in 2 could only be woken by a message,
// of which there is none, or by the manager itself. No counter is shared by senders.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace skep::host {

// About one worker.
struct WorkerFacts {
    enum class Life : std::uint8_t {
        at_work,   // running, pausing or paused
        changing,  // starting, draining, stopping, in backoff, or being swapped
        halted,    // by an operator, or never started: it may be started again
        ended,     // it will send nothing more
    };
    Life life = Life::ended;
    bool is_loop = false;
    bool has_on_drain = false;
    bool was_sent_to = false;    // a worker has sent it a message directly
    std::uint32_t activity = 0;  // bits of Activity
};

// About a group of the flow: see flow.hpp.
struct GroupFacts {
    std::span<const std::size_t> upstream;  // as FlowGroup::upstream
    bool is_cycle = false;

    void add(const WorkerFacts& worker);

    // Over its workers: whether any of them does.
    bool is_at_work = false;
    bool is_changing = false;
    bool is_halted = false;
    bool has_loop = false;   // of any life
    bool runs_loop = false;  // that has not returned
    bool runs_handler = false;
    bool is_loop_busy = false;  // it runs, and does not wait in receive()
    bool has_timer = false;
    bool has_one_shot = false;  // such a timer
    bool is_in_motion = false;  // it does something that is over in a moment
    bool has_on_drain = false;
    bool was_sent_to = false;
    bool began_timer = false;  // it had a timer before its first message
    bool began_one_shot = false;
    bool has_loop_ended = false;

    // All its workers have ended. `for_good`: those that are halted have not.
    [[nodiscard]] bool has_ended(bool for_good = true) const {
        return !is_at_work && !is_changing && !(for_good && is_halted);
    }

    [[nodiscard]] bool is_fed() const { return !upstream.empty(); }

    // Its workers begin something that no message asks for. (What a fed worker does again and again
    // by a timer, or as a loop, only accompanies what it is fed with.)
    [[nodiscard]] bool is_source() const {
        return is_fed() ? began_one_shot || has_loop_ended : began_timer || has_loop;
    }

    // As alive as that keeps a host going.
    [[nodiscard]] bool is_alive() const {
        return is_changing || (is_fed() ? has_one_shot : has_timer || runs_loop) ||
               (is_halted && is_source());
    }
};

struct HostFacts {
    enum class Phase : std::uint8_t {
        working,
        done,      // all work is done: the verdict
        stopping,  // it was asked to end, or a worker failed that it cannot do without
    };
    Phase phase = Phase::working;
    bool ends_by_itself = true;
    // A plan is being applied, a schedule entry is pending, or a worker that the plan no longer has
    // is not gone yet.
    bool is_changing = false;
};

// Indexes of groups, in ascending order.
struct DrainDecision {
    std::vector<std::size_t> drain;     // now
    std::vector<std::size_t> if_quiet;  // each if the messages of its own workers are finished
    // If all messages of the host are finished: working: the host's work is done. Done: those of
    // `next` drain.
    bool is_host_next = false;
    std::vector<std::size_t> next;
    bool is_in_motion = false;  // then the host is not quiet, whatever its messages are
};

// `groups`: sinks first, as flow_groups() returns them.
[[nodiscard]] DrainDecision decide(std::span<const GroupFacts> groups, const HostFacts& host);

}  // namespace skep::host
