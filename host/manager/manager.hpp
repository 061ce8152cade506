// The manager owns every worker of a host; only the manager changes the state of a worker.
//
// The manager's thread takes requests and reports from a queue and handles them one by one. It
// applies a plan as the diff to the plan in force: a start is the diff from the empty plan, a stop
// the diff to it; all three share one path. The thread never runs code of a plugin and never waits
// for a worker: the result of long work arrives as a later report.
//
// All functions may be called from any thread but a worker's; they block until the manager answers.
// After the host has ended, requests are refused with host_ended, and metrics() still answers.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "host/base/clock.hpp"
#include "host/base/result.hpp"
#include "host/loader/loader.hpp"
#include "host/topology/diff.hpp"
#include "host/topology/plan.hpp"
#include "host/worker/metrics.hpp"

namespace skep::host {

class Taps;  // of messaging/tap.hpp

// Why a request was not carried out. A refused request has changed nothing.
struct Refusal {
    enum class Code {
        unknown_worker,    // "no worker 'x'"
        duplicate_worker,  // "worker 'x' exists already"
        illegal_state,     // "cannot pause worker 'x': it is stopped"
        mailbox_full,
        mailbox_closed,
        host_ended,
        bad_plan,  // a plugin could not be loaded, or an instance could not be created
    };
    Code code;
    std::string message;

    bool operator==(const Refusal&) const = default;
};

template <typename T>
using Answer = Result<T, Refusal>;

// The durations of the steps that put a plan in force.
struct ApplySteps {
    Nanos open{0};  // opened the plugins, and checked the successors
    Nanos make{0};  // created the instances
    Nanos take{0};  // handed over the states at boundaries, then built the routes

    bool operator==(const ApplySteps&) const = default;
};

// A worker that got a successor.
struct AppliedSwap {
    std::shared_ptr<const WorkerPlan> before, now;
    std::uint64_t generation = 0;        // of the successor
    std::string plugin;                  // of the successor: its id and version
    std::optional<SwapMetrics> figures;  // none: the worker does not run
};

// What a plan changes in the plan in force.
struct ChangeSummary {
    Changes changes;
    std::size_t stay = 0;                 // the number of workers that stay as they are
    std::vector<std::string> state_ends;  // those of `to_remove` that have state
};

// What putting a plan in force did.
struct Applied {
    ChangeSummary summary;
    ApplySteps steps;
    std::vector<AppliedSwap> swaps;  // of changes.to_swap
};

// How a stop spends its time; each value counts from its begin. Workers drain until `drain`, and
// must then stop now. Those that have not returned at `give_up` are lost. The rest until `total` is
// for the end of the process.
struct StopTimes {
    Nanos drain, give_up, total;

    bool operator==(const StopTimes&) const = default;
};

// Returns the times for a grace. The total is the grace, but at least half a second. No grace: a
// total of one second, in which nothing drains. Pure.
[[nodiscard]] StopTimes stop_times(Nanos grace);

// How a host ended.
struct Ending {
    enum class Cause {
        finished,  // every source ended and everything drained
        stopped,   // on request
        failed,    // a required worker failed
    };
    Cause cause = Cause::finished;
    std::string reason;             // for failed: the worker and its error
    std::vector<std::string> lost;  // workers whose threads did not return: the process must _exit
};

// A version of a plugin: open, or the rest of a closed one.
struct LibraryUse {
    LibraryFacts facts;
    bool is_open = false;
    std::vector<std::string> workers;  // those that run it: "count@2" is generation 2 of count
    std::vector<std::string> standby;  // those that may roll back to it, or are about to get it
};

// The descriptions of plugins, by the content of their files.
using PluginInfos = std::map<std::string, PluginInfo>;

// What happens if a successor cannot load the state of its predecessor.
enum class StateLoss {
    refused,   // the plan is refused
    accepted,  // that successor starts without state; the others load their states
};

// Gets the events of a host that no request caused. [manager-thread] Must not block, and must not
// call the manager.
class ManagerObserver {
public:
    struct Reverted {
        std::string worker;
        std::uint64_t failed = 0, back = 0;  // generations
        std::uint64_t consumed = 0;          // messages that the failed generation had finished
        std::string error;
        // The failed worker with which this one was rolled back; "": this worker itself failed.
        std::string with;
    };

    virtual ~ManagerObserver() = default;
    // A successor is active, as this generation, and on probation. Called before apply() returns;
    // one of the next two follows.
    virtual void swapped(const std::string& worker, std::uint64_t generation) = 0;
    // Its probation has ended, by time or because the next swap ended it.
    virtual void settled(const std::string& worker, std::uint64_t generation) = 0;

    // On probation it has not returned from a call for this long. It stays on probation, and
    // settled() or reverted() follows when the call returns.
    virtual void hangs(const std::string& /*worker*/,
                       std::uint64_t /*generation*/,
                       Nanos /*lasts*/) {}

    // It has failed or was rolled back, and its predecessor is active again. Of one reload, the
    // worker that failed first comes first.
    virtual void reverted(const Reverted& it) = 0;
    // A library was closed: it is unmapped for certain, or `cause` says why it is still mapped.
    virtual void closed(const LibraryFacts& facts) = 0;
};

class Manager {
public:
    struct Limits {
        // How long a plan may take until its instances are created, and then until its successors
        // are active. For the second, the longest time that one of the workers declares wins.
        Nanos make = std::chrono::seconds(30);
        Nanos take = std::chrono::seconds(10);
        // How many closed versions of a plugin may stay mapped, and with how much memory in all.
        // Beyond that the manager loads no further version of it.
        std::size_t pinned = 64;
        std::size_t pinned_bytes = std::size_t{256} << 20;
        // As `make`, for a plan that replaces another: a user waits for the verdict.
        Nanos make_beside = std::chrono::seconds(10);
    };

    enum class When {
        all_done,  // the host ends by itself when all its work is done: see drain_order.hpp
        asked,     // the host ends only on request
    };

    // The clock, the loader and the observer, if given, must outlive the manager.
    Manager(Clock& clock,
            Loader& loader,
            When ends,
            const Limits& limits,
            ManagerObserver* observer = nullptr);

    explicit Manager(Clock& clock, Loader& loader, When ends = When::all_done)
        : Manager(clock, loader, ends, Limits()) {}

    // Stops all workers without grace.
    ~Manager();
    Manager(const Manager&) = delete;
    Manager& operator=(const Manager&) = delete;

    // Changes from the current plan to `next`, which is in force when this returns: new workers
    // run, changed workers have a successor, removed workers drain, and the routes are those of
    // `next`. The manager first creates all instances, while the old ones run; then the successors
    // become active, each at the next boundary of its worker. A failure before that aborts the
    // change: nothing is lost, and `next` was never in force. Unchanged workers are not affected.
    //
    // A successor that fails within Plan::probation is rolled back to its predecessor. So are the
    // other successors of the same plan that routes join to it, directly or through each other.
    Answer<Applied> apply(Plan next, StateLoss loss = StateLoss::refused);

    // Returns what apply() would change now, or why it would refuse `next`, as far as that is known
    // without any action. Does not check plugins that `plugins` lacks.
    Answer<ChangeSummary> check(Plan next,
                                PluginInfos plugins,
                                StateLoss loss = StateLoss::refused);

    // Applies the previous plan, as apply() does, with its plugins as they were. A second call goes
    // back one plan further. The manager keeps the last `plans_kept` plans; none left:
    // illegal_state.
    Answer<Applied> rollback(StateLoss loss = StateLoss::refused);
    static constexpr std::size_t plans_kept = 8;

    // Adds a worker without starting it.
    Answer<Done> create(WorkerPlan worker);
    // Starts a worker, or starts a stopped or failed one again.
    Answer<Done> start(const std::string& worker);

    // Pauses a worker at its next checkpoint. With `wait`, blocks until it is paused.
    Answer<Done> pause(const std::string& worker, bool wait = false);
    Answer<Done> resume(const std::string& worker);
    // Ends one worker after its queued messages, within its stop_grace. Blocks until it has ended.
    // The worker stays known and can be started again. Therefore the workers that it feeds still
    // wait for it; they would drain after a worker that ended by itself.
    Answer<Done> stop(const std::string& worker);

    // Stops a worker as stop() does, unless it is at rest, and starts it again. The host cannot end
    // in between. Blocks until the new generation runs.
    Answer<Done> restart(const std::string& worker);

    Answer<Done> send(const std::string& worker, std::string payload);
    // Sends to every current worker. Returns the number of workers that accepted the message.
    Answer<std::size_t> broadcast(std::string payload);

    [[nodiscard]] Answer<WorkerMetrics> metrics(const std::string& worker);
    [[nodiscard]] HostMetrics metrics();
    // Returns the plan in force. Never null.
    [[nodiscard]] Answer<std::shared_ptr<const Plan>> plan();
    // Returns the libraries by path, then the newest first.
    [[nodiscard]] Answer<std::vector<LibraryUse>> libraries();

    // The taps of this host's routes. After the manager is gone, they show no names of workers.
    [[nodiscard]] const std::shared_ptr<Taps>& taps() const;

    // Asks the whole host to end within stop_times(grace): sources end first, then everything
    // drains. Workers that have not ended then must stop now, and are lost if they do not return. A
    // second call can only shorten the time. Does not block: see wait().
    void request_stop(Nanos grace);
    // Blocks until the host has ended.
    Ending wait();

private:
    const std::unique_ptr<class Core> core_;
    std::thread thread_;
};

}  // namespace skep::host
