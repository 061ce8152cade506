// The host's half of a context: the object behind skep_context for one thread of one worker, or one
// seat in a pool. It stays when a swap replaces the instance.
//
// All [worker-thread], if not marked otherwise. It uses only data that is shared for the worker's
// name (mailbox, counters) or immutable. Thus a thread that the manager abandoned can still call it
// without harm: its lease refuses, and every function returns SKEP_E_REVOKED.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <skep/abi.h>

#include "host/base/clock.hpp"
#include "host/messaging/outbox.hpp"
#include "host/messaging/tap.hpp"
#include "host/topology/plan.hpp"
#include "host/worker/activity.hpp"
#include "host/worker/control.hpp"
#include "host/worker/forwarding_parker.hpp"
#include "host/worker/lease.hpp"
#include "host/worker/pool.hpp"

namespace skep::host {

// The objects that all workers of a host share. The clock outlives every worker that is not lost.
struct WorkerWorld {
    Clock* clock = nullptr;
    std::shared_ptr<Router> router;
    std::shared_ptr<NamePool> names;
    std::shared_ptr<Taps> taps;
    std::shared_ptr<RestWatch> rest_watch;
};

// The objects that belong to the worker's name and outlive its instances.
struct WorkerHome {
    std::string name;
    std::shared_ptr<Mailbox> mailbox;
    std::shared_ptr<WorkerCounters> counters;
    std::shared_ptr<ForwardingParker> parker;  // also the mailbox's parker
};

// What other threads can see of the plugin call that a worker is in.
struct CallSight {
    const char* call = nullptr;  // "on_message"; null: no call
    std::uint64_t number = 0;    // counts the calls
    std::int64_t checkpoint = 0;
    bool is_asleep = false;  // inside of the host: waits for a message, room, or a resume

    bool operator==(const CallSight&) const = default;
};

class WorkerContext {
public:
    using ReportHeld = std::function<void(std::uint64_t epoch)>;

    // All arguments must outlive the context.
    WorkerContext(const WorkerWorld& world, const WorkerHome& home, ReportHeld report_held);
    ~WorkerContext();
    WorkerContext(const WorkerContext&) = delete;
    WorkerContext& operator=(const WorkerContext&) = delete;

    [[nodiscard]] Control& control() { return control_; }

    [[nodiscard]] Clock& clock() { return *world_.clock; }

    [[nodiscard]] const WorkerHome& home() const { return home_; }

    [[nodiscard]] Outbox& outbox() { return outbox_; }

    [[nodiscard]] const Inbox& inbox() const { return inbox_; }

    [[nodiscard]] NamePool& names() { return *world_.names; }

    // What the worker may still do without another message. [any-thread] reads it.
    [[nodiscard]] Activity& activity() { return activity_; }

    [[nodiscard]] const Activity& activity() const { return activity_; }

    // [manager-thread] Refuses every call of the plugin from now on.
    void refuse() { lease_->refuse(); }

    // [manager-thread] Revokes the lease of the thread that serves the worker, which is in a call
    // of the plugin. Returns false if it is not.
    [[nodiscard]] bool revoke() { return lease_->revoke(fence_); }

    // What a thread whose lease was revoked may still use.
    struct LeftBehind {
        std::unique_ptr<Lease> lease;
        Inbox::InHand messages;
    };

    // [manager-thread] After revoke(): makes the lease for the next thread that enters. The
    // messages in flight become dead letters of a crash.
    [[nodiscard]] LeftBehind renew();

    // [any-thread] Returns when the worker was last at a checkpoint of the host.
    [[nodiscard]] Nanos last_checkpoint() const {
        return Nanos(last_checkpoint_ns_.load(std::memory_order_relaxed));
    }

    // Call before and after a plugin call on the worker's thread. end_call() throws LeaseRevoked.
    Lease& begin_call(const char* call) {
        call_number_.store(call_number_.load(std::memory_order_relaxed) + 1,
                           std::memory_order_relaxed);
        call_.store(call, std::memory_order_relaxed);
        Lease& lease = *lease_;  // read before the thread leaves the host
        lease.leave_host();
        return lease;
    }

    void end_call(Lease& lease) {
        lease.return_to_host();
        call_.store(nullptr, std::memory_order_relaxed);
    }

    // [any-thread] Each field is the value of some recent moment.
    [[nodiscard]] CallSight sight() const {
        return {call_.load(std::memory_order_relaxed),
                call_number_.load(std::memory_order_relaxed),
                last_checkpoint_ns_.load(std::memory_order_relaxed),
                home_.parker->own().is_asleep()};
    }

    [[nodiscard]] bool is_pooled() const { return is_pooled_; }

    // [the place that serves the worker, or the thread that starts it] Sets whether the worker runs
    // in turns of a pool or has its own thread.
    void set_pooled(bool is_pooled);

    // Makes the calling thread the worker's thread, until leave() or its end.
    void enter();
    static void leave();

    // True if the calling thread is the worker's thread.
    [[nodiscard]] bool is_entered() const { return entered->is_of(*this); }

    // The lease of the worker that the calling thread serves, or that of no worker.
    [[nodiscard]] static Lease& lease_of_this_thread() { return *entered; }

    // Sets the type that is served from now on.
    void serve(const skep_worker_type& type) {
        has_inputs_ = type.input_count > 0;
        is_loop_ = type.run != nullptr;
        outbox_.serve(type.output_count);
    }

    // A successor gets one message, then at most 2, 4, 8, ... at once: if it hangs, few are lost.
    void begin_slowly() { most_at_once_ = 1; }

    // -- Flow. --

    // The checkpoint: returns the current command.
    IssuedCommand look(Nanos now);

    // The handover of that command has succeeded or was refused.
    void end_swap(std::uint64_t epoch) { done_swap_ = epoch; }

    [[nodiscard]] bool is_done(const IssuedCommand& command) const {
        return command.wanted == Command::swap && command.epoch == done_swap_;
    }

    // Call before run() of a loop worker. is_told_to_return(): true if run() was asked to return
    // for a handover.
    void begin_run() { is_told_to_return_ = false; }

    [[nodiscard]] bool is_told_to_return() const { return is_told_to_return_; }

    // Stands still while the manager commands that. Returns the next command: run, swap, drain or
    // stop.
    Command stand_still_if_wanted();

    // The checkpoint of a plugin: true when the worker has to end. A draining worker with inputs
    // ends when its mailbox is empty.
    bool must_end() { return is_to_end(stand_still_if_wanted()); }

    // The parker where a thread of the worker sleeps.
    [[nodiscard]] Parker& parker() { return home_.parker->own(); }

    // Ends a turn on a pool. Returns true if the worker wants to wait for a message and may.
    // Returns false when a message is there.
    bool end_turn(bool wants_to_wait);

    [[nodiscard]] bool is_to_end(Command wanted);

    // The checkpoint of a sender that waits for room: a drain is no reason to stop.
    bool must_stop_now() { return stand_still_if_wanted() == Command::stop; }

    std::int32_t receive(Nanos timeout, std::uint32_t max, skep_batch& batch);
    std::int32_t sleep(Nanos duration);

    // -- The handler loop's side. --

    // Takes up to `max` messages, which are then in flight. Returns false when no message waits.
    bool take(std::uint32_t max, skep_batch& batch);
    // Polls for a while, then sleeps until a message, an unpark() since `ticket` was prepared, or
    // the deadline.
    void wait_for_message(std::uint32_t ticket, Nanos deadline);
    // Ends the flight of all messages: the first `done` are finished, the next one failed if
    // `failed`, and the rest goes back.
    void settle(std::uint32_t done, bool failed);
    // Ends the flight of all messages: all are finished, or, if `failed`, dead letters of a crash.
    void settle_all(bool failed);

    // True if take() would find a message.
    [[nodiscard]] bool has_more() { return inbox_.has_news(); }

private:
    void settle_in_flight(std::uint32_t finished, std::uint32_t failed);

    static constinit inline Lease of_no_worker{nullptr};
    static constinit inline thread_local Lease* entered = &of_no_worker;
    // The messages of the entered worker; null before the first message. Workers that take turns on
    // a thread share it, so that it stays in the core's cache.
    static constinit inline thread_local std::unique_ptr<MessageBatch> views = nullptr;

    const WorkerWorld world_;
    const WorkerHome& home_;
    const ReportHeld report_held_;

    const Fence fence_{Fence::Cost::asymmetric};
    std::unique_ptr<Lease> lease_ = std::make_unique<Lease>(this);  // changed by the manager
    Control control_;
    std::atomic<std::int64_t> last_checkpoint_ns_;
    std::atomic<const char*> call_{nullptr};
    std::atomic<std::uint64_t> call_number_{0};
    Activity activity_;

    // Used only by the worker's thread.
    bool is_pooled_ = false;
    bool has_inputs_ = false;
    bool is_loop_ = false;
    bool is_asleep_ = false;
    bool is_told_to_return_ = false;
    std::uint64_t done_swap_ = 0;             // the epoch of the last finished swap; 0: none
    std::uint32_t most_at_once_ = batch_max;  // see begin_slowly()
    Inbox inbox_;
    Outbox outbox_;
    AdaptiveSpin spin_;
    std::shared_ptr<const Taps::List> taps_;  // as of the last look
    std::uint64_t reported_epoch_;
};

// Returns the table that every context points to.
[[nodiscard]] const skep_host_api& host_api();

}  // namespace skep::host
