// The host's half of a context: what stands behind skep_context for one thread of one worker, or
// one seat in a pool. It stays when the worker gets another instance.
//
// All [worker-thread] but what says otherwise. It touches only what is shared for the worker's name
// (mailbox, counters) and what is immutable, so a thread that the manager gave up for lost can
// still call in here without harm; once revoked, it gets SKEP_E_REVOKED.
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
#include "host/messaging/tap.hpp"
#include "host/topology/plan.hpp"
#include "host/worker/activity.hpp"
#include "host/worker/control.hpp"
#include "host/worker/forwarding_parker.hpp"
#include "host/worker/outbox.hpp"
#include "host/worker/pool.hpp"

namespace skep::host {

// What all workers of one host share. The clock outlives every worker that is not lost.
struct WorkerWorld {
    Clock* clock = nullptr;
    std::shared_ptr<Router> router;
    std::shared_ptr<NamePool> names;
    std::shared_ptr<Taps> taps;
    std::shared_ptr<RestWatch> rest_watch;
};

// What belongs to the worker's name and outlives its generations.
struct WorkerHome {
    std::string name;
    std::shared_ptr<Mailbox> mailbox;
    std::shared_ptr<WorkerCounters> counters;
    std::shared_ptr<ForwardingParker> parker;  // the mailbox's
};

// What can be seen from outside of the call that a worker is in.
struct CallSight {
    const char* call = nullptr;  // "on_message"; null: none
    std::uint64_t number = 0;    // of the call
    std::int64_t checkpoint = 0;
    bool is_asleep = false;  // in the host: it waits for a message, room, or a resume

    bool operator==(const CallSight&) const = default;
};

class WorkerContext {
public:
    using ReportHeld = std::function<void(std::uint64_t epoch)>;

    // All of these outlive it.
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

    // What the worker may still do by itself. [any-thread] reads it.
    [[nodiscard]] Activity& activity() { return activity_; }

    [[nodiscard]] const Activity& activity() const { return activity_; }

    // [any-thread] From now on every call of the plugin is refused.
    void revoke() { is_revoked_.store(true, std::memory_order_release); }

    [[nodiscard]] bool is_revoked() const { return is_revoked_.load(std::memory_order_acquire); }

    // [any-thread] When the worker last was at a checkpoint of the host's.
    [[nodiscard]] Nanos last_checkpoint() const {
        return Nanos(last_checkpoint_ns_.load(std::memory_order_relaxed));
    }

    // Around a call of the plugin on the worker's thread.
    void begin_call(const char* call) {
        call_number_.store(call_number_.load(std::memory_order_relaxed) + 1,
                           std::memory_order_relaxed);
        call_.store(call, std::memory_order_relaxed);
    }

    void end_call() { call_.store(nullptr, std::memory_order_relaxed); }

    // [any-thread] Each field is as it was at some moment of late.
    [[nodiscard]] CallSight sight() const {
        return {call_.load(std::memory_order_relaxed),
                call_number_.load(std::memory_order_relaxed),
                last_checkpoint_ns_.load(std::memory_order_relaxed),
                home_.parker->own().is_asleep()};
    }

    [[nodiscard]] bool is_pooled() const { return is_pooled_; }

    // [whoever serves it, or starts it] From now on it takes turns of a pool, or has its own
    // thread.
    void set_pooled(bool is_pooled);

    // Makes this thread the worker's, until leave() or its end.
    void enter();
    static void leave();

    // Whether the calling thread is the worker's.
    [[nodiscard]] bool is_entered() const { return entered == this; }

    // The type that is served from now on.
    void serve(const skep_worker_type& type) {
        has_inputs_ = type.input_count > 0;
        is_loop_ = type.run != nullptr;
        outbox_.serve(type.output_count);
    }

    // -- Flow. --

    // What is wanted now, at a checkpoint.
    IssuedCommand look(Nanos now);

    // The hand-over of that command has been made, or refused.
    void end_swap(std::uint64_t epoch) { done_swap_ = epoch; }

    [[nodiscard]] bool is_done(const IssuedCommand& command) const {
        return command.wanted == Command::swap && command.epoch == done_swap_;
    }

    // Around run() of a loop worker: whether it was told to return for a hand-over.
    void begin_run() { is_told_to_return_ = false; }

    [[nodiscard]] bool is_told_to_return() const { return is_told_to_return_; }

    // Stands still while the manager wants that; then what it wants now: run, swap, drain or stop.
    Command stand_still_if_wanted();

    // The checkpoint: true when the worker has to end. A worker with inputs that drains ends when
    // its mailbox is empty.
    bool must_end() { return is_to_end(stand_still_if_wanted()); }

    // Where a thread of its own sleeps.
    [[nodiscard]] Parker& parker() { return home_.parker->own(); }

    // The end of a turn on a pool: whether the worker, if it wants to, may wait for a message.
    // False when there is one.
    bool end_turn(bool wants_to_wait);

    [[nodiscard]] bool is_to_end(Command wanted);

    // The checkpoint of a sender that waits for room: a drain is no reason to give up.
    bool must_stop_now() { return stand_still_if_wanted() == Command::stop; }

    std::int32_t receive(Nanos timeout, std::uint32_t max, skep_batch& batch);
    std::int32_t sleep(Nanos duration);

    // -- The handler loop's side. --

    // Takes up to `max` messages in flight. False when there is none.
    bool take(std::uint32_t max, skep_batch& batch);
    // Sleeps, after asking for a while, until there is a message, an unpark() since `ticket` was
    // prepared, or the deadline.
    void wait_for_message(std::uint32_t ticket, Nanos deadline);
    // Of the messages in flight, the first `done` are finished; the next one failed, if `failed`;
    // the rest goes back.
    void settle(std::uint32_t done, bool failed);
    // All that is in flight is finished, or, if `failed`, lost with the worker.
    void settle_all(bool failed);

    // Whether take() would find something.
    [[nodiscard]] bool has_more() { return inbox_.has_news(); }

private:
    void settle_in_flight(std::uint32_t finished, std::uint32_t failed);

    static constinit inline thread_local const WorkerContext* entered = nullptr;
    // What the worker that is entered has in hand; null before the first message. Those that take
    // turns on a thread share it, so that it stays in the core's cache.
    static constinit inline thread_local std::unique_ptr<MessageBatch> views = nullptr;

    const WorkerWorld world_;
    const WorkerHome& home_;
    const ReportHeld report_held_;

    std::atomic<bool> is_revoked_{false};
    Control control_;
    std::atomic<std::int64_t> last_checkpoint_ns_;
    std::atomic<const char*> call_{nullptr};
    std::atomic<std::uint64_t> call_number_{0};
    Activity activity_;

    // The worker's thread alone.
    bool is_pooled_ = false;
    bool has_inputs_ = false;
    bool is_loop_ = false;
    bool is_asleep_ = false;
    bool is_told_to_return_ = false;
    std::uint64_t done_swap_ = 0;  // the epoch of the last one; 0: none
    Inbox inbox_;
    Outbox outbox_;
    AdaptiveSpin spin_;
    std::shared_ptr<const Taps::List> taps_;  // those there were when it looked last
    std::uint64_t reported_epoch_;
};

// The table that every context points to.
[[nodiscard]] const skep_host_api& host_api();

}  // namespace skep::host
