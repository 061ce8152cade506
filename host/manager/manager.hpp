// The manager: owns every worker of a host and is the only one to change what state they are in.
//
// One thread, the manager's, takes requests and facts from a queue and acts on them one by one. A
// plan is applied as the diff to the plan before: start is a diff from the empty plan, stop the
// diff to it, so there is one path and one set of mistakes to make. Nothing here runs code of a
// plugin, and nothing here waits for a worker: what takes long is a fact that arrives later.
//
// All functions may be called from any thread but a worker's own; they wait for the manager's
// answer. After the host has ended, requests are refused with host_ended, and metrics() still
// answers.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "host/base/clock.hpp"
#include "host/base/result.hpp"
#include "host/loader/loader.hpp"
#include "host/topology/plan.hpp"
#include "host/worker/metrics.hpp"

namespace skep::host {

class Taps;  // of messaging/tap.hpp

// Why a request was not carried out. Nothing has changed then.
struct Refusal {
    enum class Code {
        unknown_worker,    // "no worker 'x'"
        duplicate_worker,  // "worker 'x' exists already"
        illegal_state,     // "cannot pause worker 'x': it is stopped"
        mailbox_full,
        mailbox_closed,
        host_ended,
        bad_plan,  // a plugin could not be loaded, or an instance could not be made
    };
    Code code;
    std::string message;

    bool operator==(const Refusal&) const = default;
};

template <typename T>
using Answer = Result<T, Refusal>;

// How long the steps took by which a plan came into force.
struct ApplySteps {
    Nanos open{0};  // plugins opened, and successors checked
    Nanos make{0};  // instances made
    Nanos take{0};  // successors at a boundary, and their states handed over; then the routes

    bool operator==(const ApplySteps&) const = default;
};

// How a stop spends the time that it is given; each counts from its begin. Workers drain until
// `drain`, and are then told to stop now. Those that have not come back at `give_up` are lost. What
// is left until `total` is for the end of the process.
struct StopTimes {
    Nanos drain, give_up, total;

    bool operator==(const StopTimes&) const = default;
};

// Pure. The total is the grace itself, but half a second at least. No grace: a second, in which
// nothing drains.
[[nodiscard]] StopTimes stop_times(Nanos grace);

// How a host came to its end.
struct Ending {
    enum class Cause {
        finished,  // every source ended and everything drained
        stopped,   // it was asked to
        failed,    // a worker failed that the host cannot do without
    };
    Cause cause = Cause::finished;
    std::string reason;  // for failed: which worker and why
    std::vector<std::string>
        lost;  // workers whose threads did not come back: the process must _exit
};

// A version of a plugin: open, or what is left of one.
struct LibraryUse {
    LibraryFacts facts;
    bool is_open = false;
    std::vector<std::string> workers;  // that run it, by name: "count@2" is generation 2 of count
    std::vector<std::string> standby;  // that may go back to it, or are about to get it
};

// What plugins say of themselves, by their content.
using PluginInfos = std::map<std::string, PluginInfo>;

// What becomes of a plan that has a successor which cannot take the state of its predecessor.
enum class StateLoss {
    refused,   // the plan is
    accepted,  // that successor begins anew; the others take over their states
};

// Who is told of what a host does by itself. [manager-thread] Must not wait, and must not ask the
// manager.
class ManagerObserver {
public:
    struct Reverted {
        std::string worker;
        std::uint64_t failed = 0, back = 0;  // generations
        std::uint64_t consumed = 0;          // messages that the failed one had finished
        std::string error;
        // It has not failed, but was recalled with this worker, which has; "": it has failed.
        std::string with;
    };

    virtual ~ManagerObserver() = default;
    // A successor has taken over, as this generation, and is on probation. Told before the plan is
    // answered for; one of the next two follows.
    virtual void swapped(const std::string& worker, std::uint64_t generation) = 0;
    // Its probation is over, or cut short by what came next.
    virtual void settled(const std::string& worker, std::uint64_t generation) = 0;

    // On probation it has not come back from a call for this long. It stays on probation, and
    // settled() or reverted() follows when it comes back.
    virtual void hangs(const std::string& /*worker*/,
                       std::uint64_t /*generation*/,
                       Nanos /*lasts*/) {}

    // It has failed, or was recalled, and the instance before it is back. Of a reload whoever
    // failed first is told first.
    virtual void reverted(const Reverted& it) = 0;
    // A library was closed: it is gone for certain, or `cause` says why it is mapped still.
    virtual void closed(const LibraryFacts& facts) = 0;
};

class Manager {
public:
    struct Limits {
        // So long a plan may take until its instances are made, and then until its successors have
        // taken over; of this, the longest that one of the workers says for itself.
        Nanos make = std::chrono::seconds(30);
        Nanos take = std::chrono::seconds(10);
        // So many closed versions of a plugin may stay mapped, with so much memory in all; it gets
        // no more then.
        std::size_t pinned = 64;
        std::size_t pinned_bytes = std::size_t{256} << 20;
        // As `make`, for a plan that replaces another: whoever reloads waits for the verdict.
        Nanos make_beside = std::chrono::seconds(10);
    };

    enum class When {
        all_done,  // the host ends by itself when all its work is done: see drain_order.hpp
        asked,     // it ends when it is asked to
    };

    // The clock, the loader and the observer, if there is one, outlive the manager.
    Manager(Clock& clock,
            Loader& loader,
            When ends,
            const Limits& limits,
            ManagerObserver* observer = nullptr);

    explicit Manager(Clock& clock, Loader& loader, When ends = When::all_done)
        : Manager(clock, loader, ends, Limits()) {}

    // Stops without grace whatever still runs.
    ~Manager();
    Manager(const Manager&) = delete;
    Manager& operator=(const Manager&) = delete;

    // Moves from the current plan to `next`, which is in force when it answers: new workers run,
    // those that differ have got a successor, those that are gone drain, routes are as it says.
    // All instances are made first, beside what runs; then the successors take over, each at the
    // next boundary of its worker. A failure up to there undoes what was begun: nothing is lost,
    // and `next` was never in force. Unchanged workers notice nothing.
    //
    // A successor that fails within Plan::probation is replaced by the instance before it, and so
    // are those that came with the same plan and that routes join to it, directly or through each
    // other.
    Answer<Done> apply(Plan next, StateLoss loss = StateLoss::refused);

    // Whether apply() would refuse `next` now, and why, as far as that can be told without doing
    // anything. A plugin that `plugins` has not is not asked for.
    Answer<Done> check(Plan next, PluginInfos plugins);

    // Applies the plan that was in force before the one that is now, as apply() does, with the
    // plugins as they were. Again: the one before that. The last `plans_kept` plans are remembered;
    // none is left: illegal_state.
    Answer<Done> rollback(StateLoss loss = StateLoss::refused);
    static constexpr std::size_t plans_kept = 8;

    // One worker more, not started; and starting it (again, when it is stopped or failed).
    Answer<Done> create(WorkerPlan worker);
    Answer<Done> start(const std::string& worker);

    // Tells a worker to stand still at its next checkpoint. With `wait`, answers when it does.
    Answer<Done> pause(const std::string& worker, bool wait = false);
    Answer<Done> resume(const std::string& worker);
    // Ends one worker: what is queued is finished first, for as long as its stop_grace allows.
    // Answers when it has ended. It stays known, and can be started again; that is why
    // workers that it feeds go on waiting for it, where they would drain behind one that ended by
    // itself.
    Answer<Done> stop(const std::string& worker);

    // Stops a worker as stop() does, unless it is at rest, and starts it again. The host cannot
    // come to its end in between. Answers when the new generation runs.
    Answer<Done> restart(const std::string& worker);

    Answer<Done> send(const std::string& worker, std::string payload);
    // To every worker there is at this moment. How many took it.
    Answer<std::size_t> broadcast(std::string payload);

    [[nodiscard]] Answer<WorkerMetrics> metrics(const std::string& worker);
    [[nodiscard]] HostMetrics metrics();
    // Of the plan in force.
    [[nodiscard]] Answer<ApplySteps> steps();
    // The plan in force. Never null.
    [[nodiscard]] Answer<std::shared_ptr<const Plan>> plan();
    // By path, then the newest first.
    [[nodiscard]] Answer<std::vector<LibraryUse>> libraries();

    // The taps of this host's routes; what they show names no worker after the manager has gone.
    [[nodiscard]] const std::shared_ptr<Taps>& taps() const;

    // Asks the whole host to end within stop_times(grace): sources first, then everything drains;
    // what has not ended then is told to stop now, and is lost when it does not come back. Asking
    // again shortens the time. Does not wait: see wait().
    void request_stop(Nanos grace);
    // Waits for the end.
    Ending wait();

private:
    const std::unique_ptr<class Core> core_;
    std::thread thread_;
};

}  // namespace skep::host
