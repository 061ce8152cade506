// A handover is the protocol that replaces the instance of a running worker (a swap), in phases.
//
//   offered ---> taking ---> tentative ---> committed ---> closed
//      |            |            |           |     |
//      v            v            v           |     v
//    closed      refused     reverted <------+--- recalled
//
//   offered    the manager has created a successor and sent Command::swap
//   taking     the worker, at a boundary, moves the state from the old instance to the new one
//   refused    the state could not be moved; the old instance continues
//   tentative  the new instance is active and holds, until the whole reload is decided
//   committed  the new instance works; the old one is parked unchanged for the probation
//   recalled   the new instance works until the next boundary, and is then rolled back: another
//              swap of the same reload has failed on probation
//   reverted   the old instance is active again: the swap was aborted; or rolled back, because the
//              new instance or another swap of the same reload (recalled) failed on probation
//   closed     final: the offer was aborted before it began, or the probation is over
//
// Each arrow is one compare-and-swap. Thus the manager and the worker never both own an instance:
// in refused, reverted and closed `other` and `place` are the manager's, in all other phases the
// worker's. (Suspend, load, code_change, resume is Erlang/OTP's; the parked predecessor is nginx's
// old cycle.)
//
// In a relocation the successor is served at another place: in turns of a pool, or by another
// thread, which ends with the instance for which it stands by (see worker_thread.hpp). The state is
// saved at the old place and loaded at the new one.
//
// Exclusive resources (acquire and release of abi.h) are handed over like state. The old instance
// releases them after it has saved its state, the new one acquires them after it has loaded the
// state, each at its own place. An abort and a rollback do the same in the opposite direction. An
// instance that cannot acquire its resources again fails, as a worker without a predecessor does.
//
// A reconfiguration uses the same phases: the instance stays, and gets other parameters in
// `taking`. It has no predecessor, and thus no probation: `closed` follows `committed` at once.
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

// The place where a worker is served: a thread of its own, or its seat in a pool.
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

    // A reconfiguration: keeps the instance and changes its parameters.
    Handover(WorkerConfig before, WorkerConfig next)
        : live_before(std::move(before)),
          live(std::move(next)) {}

    [[nodiscard]] bool is_reconfiguration() const { return live.has_value(); }

    // Precondition: not offered yet. True: after the handover the worker holds until the manager
    // decides.
    void set_holds(bool holds) { decision_ = holds ? Decision::by_manager : Decision::open; }

    // Precondition: not offered yet. The successor starts without state.
    void drop_state() { drops_state_ = true; }

    [[nodiscard]] Phase phase() const { return phase_.load(std::memory_order_acquire); }

    // Returns false if the handover is not in phase `from`. Release pairs with the acquire of a
    // thread that finds phase `to`: that thread sees all earlier writes.
    bool move(Phase from, Phase to) {
        return phase_.compare_exchange_strong(from, to, std::memory_order_acq_rel);
    }

    [[nodiscard]] bool holds() const { return decision_ == Decision::by_manager; }

    // [worker] True if the worker itself commits the swap, whose successor is about to be active.
    [[nodiscard]] bool commits() {
        Decision open = Decision::open;
        return decision_.compare_exchange_strong(open, Decision::by_worker);
    }

    // [manager] Aborts a swap that takes too long. Returns false if the worker has just committed.
    [[nodiscard]] bool withdraw() {
        Decision open = Decision::open;
        return decision_.compare_exchange_strong(open, Decision::by_manager) || holds();
    }

    [[nodiscard]] bool drops_state() const { return drops_state_; }

    // True if the worker has finished the handover, with success or not.
    [[nodiscard]] bool is_taken() const {
        return phase() != Phase::offered && phase() != Phase::taking;
    }

    // True if the handover moves state out of `from`.
    [[nodiscard]] bool moves_state(const Instance& from) const {
        return !drops_state_ && other != nullptr && from.state_version() != 0;
    }

    // The successor until it is active, then the predecessor; null in a reconfiguration.
    std::unique_ptr<Instance> other;
    // The place of the successor, then that of the predecessor; unset if both have the same place.
    // Set before the offer.
    WorkerPlace place;
    const WorkerConfig live_before;
    const std::optional<WorkerConfig> live;

    // -- Written by the worker before it reports; read by the manager after that. --

    std::vector<std::byte> state;  // as saved by the predecessor
    Nanos begin{0};                // when the predecessor stopped
    // From the boundary at which the old instance stops until the new one can take a message.
    Nanos blackout{0};
    std::string error;            // why the handover was refused, or how the successor failed
    bool has_failed = false;      // the successor itself failed
    std::uint64_t delivered = 0;  // messages delivered to the worker before the swap
    std::uint64_t consumed = 0;   // messages that the successor finished before it was rolled back

private:
    // The side that commits: the manager, when the whole reload is ready; or, for a swap that is
    // not part of a group, the side that decides first.
    enum class Decision : std::uint8_t { open, by_worker, by_manager };

    std::atomic<Decision> decision_{Decision::by_manager};
    bool drops_state_ = false;
    std::atomic<Phase> phase_{Phase::offered};
};

}  // namespace skep::host
