// The host's half of a context: what stands behind skep_context for one generation of one worker.
//
// All [worker-thread] but what says otherwise. It touches only what is shared for the worker's name
// (mailbox, counters) and what is immutable, so a thread that the manager gave up for lost can
// still call in here without harm; once revoked, it gets SKEP_E_REVOKED.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <skep/abi.h>

#include "host/base/clock.hpp"
#include "host/topology/plan.hpp"
#include "host/worker/control.hpp"
#include "host/worker/outbox.hpp"
#include "host/worker/pool.hpp"

namespace spdlog {
class logger;
}

namespace skep::host {

// What all workers of one host share. The clock outlives every worker that is not lost.
struct WorkerWorld {
    Clock* clock = nullptr;
    std::shared_ptr<Router> router;
    std::shared_ptr<NamePool> names;
};

// What belongs to the worker's name and outlives its generations.
struct WorkerHome {
    std::string name;
    std::shared_ptr<Mailbox> mailbox;
    std::shared_ptr<WorkerCounters> counters;
    std::shared_ptr<PoolSeat> seat;  // the mailbox's parker, for a worker of a pool; else null
};

class WorkerContext {
public:
    using ReportHeld = std::function<void(std::uint64_t epoch)>;

    // All of these outlive it.
    WorkerContext(const WorkerWorld& world,
                  const WorkerHome& home,
                  std::uint64_t generation,
                  const skep_worker_type& type,
                  const WorkerConfig& config,
                  ReportHeld report_held);
    ~WorkerContext();
    WorkerContext(const WorkerContext&) = delete;
    WorkerContext& operator=(const WorkerContext&) = delete;

    [[nodiscard]] const skep_context* raw() const { return &raw_; }

    [[nodiscard]] Control& control() { return control_; }

    // [any-thread] Made when it is first asked for: most workers say nothing.
    [[nodiscard]] spdlog::logger& log();

    [[nodiscard]] Clock& clock() { return *world_.clock; }

    [[nodiscard]] const WorkerHome& home() const { return home_; }

    [[nodiscard]] Outbox& outbox() { return outbox_; }

    [[nodiscard]] const Inbox& inbox() const { return inbox_; }

    [[nodiscard]] NamePool& names() { return *world_.names; }

    // [any-thread] From now on every call of the plugin is refused.
    void revoke() { is_revoked_.store(true, std::memory_order_release); }

    [[nodiscard]] bool is_revoked() const { return is_revoked_.load(std::memory_order_acquire); }

    // [any-thread] When the worker last was at a checkpoint of the host's.
    [[nodiscard]] Nanos last_checkpoint() const {
        return Nanos(last_checkpoint_ns_.load(std::memory_order_relaxed));
    }

    [[nodiscard]] bool is_pooled() const { return home_.seat != nullptr; }

    // Makes this thread the worker's, until leave() or its end.
    void enter();
    static void leave();

    // Whether the calling thread is the worker's.
    [[nodiscard]] bool is_entered() const { return entered == this; }

    // -- Flow. --

    // Stands still while the manager wants that; then what it wants now: run, drain or stop. On a
    // pool it does not stand still, but returns `hold`: the worker gets no turn that does anything.
    Wanted stand_still_if_wanted();

    // The checkpoint: true when the worker has to end. A worker with inputs that drains ends when
    // its mailbox is empty.
    bool must_end() { return is_to_end(stand_still_if_wanted()); }

    // The same for the beginning of a turn on a pool, whose thread knows about what time it is.
    Wanted begin_turn(Nanos now);
    // And its end: whether the worker, if it wants to, may wait for a message. False when there is
    // one.
    bool end_turn(bool wants_to_wait);

    [[nodiscard]] bool is_to_end(Wanted wanted);

    // The checkpoint of a sender that waits for room: a drain is no reason to give up.
    bool must_stop_now() { return stand_still_if_wanted() == Wanted::stop; }

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

    void set_timer(std::uint32_t id, Nanos first, Nanos period);

    // Makes has_timer() true or false, between two calls of the plugin: in a call it may set again
    // what was due. True when there were timers, and are none.
    bool publish_timers() {
        const bool had_any = has_timer();
        if (had_any == timers_.empty()) {
            has_timer_.store(!had_any, std::memory_order_relaxed);
        }
        return had_any && timers_.empty();
    }

    [[nodiscard]] Nanos next_timer() const;

    // [any-thread] A handler without routes to it but with a timer is a source of its own.
    [[nodiscard]] bool has_timer() const { return has_timer_.load(std::memory_order_relaxed); }

    // The id of a timer that is due, which is thereby set for its next time; or nothing.
    std::optional<std::uint32_t> due_timer();

    // -- Services. --

    void fail(std::string text) { error_ = std::move(text); }

    // What the plugin said to fail(), once.
    [[nodiscard]] std::string take_error() { return std::exchange(error_, {}); }

    [[nodiscard]] const ParamValue* config(const char* name) const;

    // Messages that the plugin has kept and not released. [any-thread]
    std::atomic<std::int64_t>& kept() { return kept_; }

private:
    struct Timer {
        std::uint32_t id;
        Nanos next;
        Nanos period;
    };

    void note_checkpoint(Nanos now);
    Wanted look_at_command();

    static constinit inline thread_local const WorkerContext* entered = nullptr;

    const WorkerWorld world_;
    const WorkerHome& home_;
    const std::uint64_t generation_;
    const WorkerConfig& config_;
    const ReportHeld report_held_;
    std::shared_ptr<spdlog::logger> log_;
    std::once_flag log_made_;
    const bool has_inputs_;

    std::atomic<bool> is_revoked_{false};
    std::atomic<bool> has_timer_{false};
    bool is_asleep_ = false;  // the worker's thread alone, as all below the counts
    Control control_;
    std::atomic<std::int64_t> last_checkpoint_ns_;
    std::atomic<std::int64_t> kept_{0};

    // The worker's thread alone.
    Inbox inbox_;
    Outbox outbox_;
    AdaptiveSpin spin_;
    std::uint64_t reported_epoch_;
    std::vector<skep_message> views_;
    std::vector<Timer> timers_;
    std::string error_;

    const skep_context raw_;
};

// The table that every context points to.
[[nodiscard]] const skep_host_api& host_api();

}  // namespace skep::host
