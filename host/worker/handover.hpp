// A hand-over: how a running worker gets another instance, in stages.
//
//   offered ---> taking ---> tentative ---> committed ---> closed
//      |            |            |           |     |
//      v            v            v           |     v
//    closed      refused     reverted <------+--- recalled
//
//   offered    the manager has made a successor and said Command::swap
//   taking     the worker, at a boundary, moves the state from the old instance to the new one
//   refused    the state could not be moved; the old instance goes on
//   tentative  the new instance is in place and holds, until the whole reload is decided
//   committed  the new instance works; the old one is parked, as it was, for the probation
//   recalled   the new instance works until the next boundary, and then the old one again: another
//              of the same reload has failed on probation
//   reverted   the old instance is back: the reload was undone, the new one failed on probation, or
//              it was recalled
//   closed     nothing more will change: withdrawn before it began, or the probation is over
//
// Each arrow is one compare-and-swap, so that the manager and the worker never both own an
// instance: in refused, reverted and closed `other` and `place` are the manager's, in all else the
// worker's.
// (Suspend, load, code_change, resume is Erlang/OTP's; the parked predecessor is nginx's old
// cycle.)
//
// In a hand-off the successor is served at another place: a thread, which ends with the instance
// that it stands by for (see worker_thread.hpp), or in turns of a pool. The state is saved at one
// and loaded at the other.
//
// What only one of the two can have (acquire and release of abi.h) the old one gives up when it has
// saved its state, and the new one takes when it has loaded it, each at its own place. On each way
// back the other way round; an instance that cannot take it again fails, as a worker without a
// predecessor does.
//
// A reconfiguration takes the same way: the instance stays, and takes other parameters in `taking`.
// There is no predecessor, and so no probation: `committed` is followed by `closed` at once.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "host/base/clock.hpp"
#include "host/worker/instance.hpp"
#include "host/worker/pool.hpp"
#include "host/worker/worker_thread.hpp"

namespace skep::host {

// Where a worker is served: by a thread of its own, or at its seat in a pool.
struct WorkerPlace {
    std::shared_ptr<WorkerThread> thread;
    std::shared_ptr<PoolSeat> seat;

    [[nodiscard]] bool is_set() const { return thread != nullptr || seat != nullptr; }
};

class Handover {
public:
    enum class Phase : std::uint8_t {
        offered,
        taking,
        refused,
        tentative,
        committed,
        recalled,
        reverted,
        closed
    };

    explicit Handover(std::unique_ptr<Instance> successor)
        : other(std::move(successor)) {}

    // No other instance, but other parameters for the one there is.
    Handover(WorkerConfig before, WorkerConfig next)
        : live_before(std::move(before)),
          live(std::move(next)) {}

    [[nodiscard]] bool is_reconfiguration() const { return live.has_value(); }

    // Before it is offered: whether the worker stands still once it has taken over, until it is
    // told otherwise.
    void set_holds(bool holds) { decision_ = holds ? Decision::by_manager : Decision::open; }

    // Before it is offered: the successor begins anew, whatever state there is.
    void drop_state() { drops_state_ = true; }

    [[nodiscard]] Phase phase() const { return phase_.load(std::memory_order_acquire); }

    // False: it is in another stage than `from`. Release pairs with the acquire of whoever finds
    // the stage `to`: what was written before is seen.
    bool move(Phase from, Phase to) {
        return phase_.compare_exchange_strong(from, to, std::memory_order_acq_rel);
    }

    [[nodiscard]] bool holds() const { return decision_ == Decision::by_manager; }

    // [worker] Whether the swap, which is about to be in place, is committed by the worker itself.
    [[nodiscard]] bool commits() {
        Decision open = Decision::open;
        return decision_.compare_exchange_strong(open, Decision::by_worker);
    }

    // [manager] The swap takes too long, and is to be undone. False: the worker has just committed.
    [[nodiscard]] bool withdraw() {
        Decision open = Decision::open;
        return decision_.compare_exchange_strong(open, Decision::by_manager) || holds();
    }

    [[nodiscard]] bool drops_state() const { return drops_state_; }

    // The worker has come to the end of it.
    [[nodiscard]] bool is_taken() const {
        return phase() != Phase::offered && phase() != Phase::taking;
    }

    // Whether there is a state to be handed over.
    [[nodiscard]] bool moves_state(const Instance& from) const {
        return !drops_state_ && other != nullptr && from.state_version() != 0;
    }

    // The successor until it is in place, and then the predecessor; null in a reconfiguration.
    std::unique_ptr<Instance> other;
    // Where the successor is to be served, and then where the predecessor was; nowhere: both at the
    // same. Set before it is offered.
    WorkerPlace place;
    const WorkerConfig live_before;
    const std::optional<WorkerConfig> live;

    // -- Written by the worker before it reports; read by the manager after. --

    std::vector<std::byte> state;  // as the predecessor saved it
    Nanos begin{0};                // when the predecessor stopped
    // From the boundary at which the old instance stops to where the new one can take a message.
    Nanos blackout{0};
    std::string error;            // why it was refused, or how the successor failed
    bool has_failed = false;      // the successor, by itself
    std::uint64_t delivered = 0;  // what the worker had been delivered until then
    std::uint64_t consumed = 0;   // messages that the successor had finished when it went

private:
    // Who commits: the manager, when the whole reload is there, or, of a swap that stands alone,
    // whichever of the two is first to say so.
    enum class Decision : std::uint8_t { open, by_worker, by_manager };

    std::atomic<Decision> decision_{Decision::by_manager};
    bool drops_state_ = false;
    std::atomic<Phase> phase_{Phase::offered};
};

}  // namespace skep::host
