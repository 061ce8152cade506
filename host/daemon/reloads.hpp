// Runs reloads and rollbacks one at a time, and gives each trigger a number and a verdict.
//
// Triggers that come during a run wait for the next run, which serves all of them: a thousand
// triggers in a second cause two reloads, and the second reads the latest files. (Fluent Bit lost
// such triggers, fluent-bit#8457.) Each rollback is a separate run in this order, because two
// rollbacks go back twice.
//
// The plan that a run has applied is in force at once. The run waits for the end of the probation
// before it reports its verdict; the next trigger ends this wait. (Kubernetes' minReadySeconds,
// with a verdict.)
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "host/base/mutex.hpp"
#include "host/daemon/probations.hpp"
#include "host/manager/manager.hpp"

namespace skep::host {

enum class ReloadResult {
    applied,      // the new plan is in force
    no_change,    // the plan was in force already
    refused,      // the previous plan stays in force, unchanged
    hangs,        // the new plan is in force, and a successor on probation hangs in a call
    rolled_back,  // as applied, except for workers whose successor failed on probation
};

[[nodiscard]] std::string_view name_of(ReloadResult result);

enum class ReloadKind {
    reload,    // to the current files
    rollback,  // to the previous plan
};

[[nodiscard]] std::string_view name_of(ReloadKind kind);

struct ReloadRequest {
    ReloadKind kind = ReloadKind::reload;
    StateLoss loss = StateLoss::refused;

    bool operator==(const ReloadRequest&) const = default;
};

// The outcome of a reload.
struct ReloadOutcome {
    ReloadResult result = ReloadResult::refused;
    std::string text;     // the changes, or why nothing has changed; it may have several lines
    std::string details;  // for the audit log: a JSON object, or ""
};

struct Verdict {
    ReloadRequest request;
    std::uint64_t number = 0;  // the number of the trigger: 1, 2, 3, ...
    std::uint64_t run = 0;     // the number of the run that served it; not `number`: merged
    ReloadOutcome outcome;
    bool is_final = false;  // false: there is no outcome yet, or the plan is on probation
};

class Reloads {
public:
    using Run = std::function<ReloadOutcome(const ReloadRequest&)>;
    // Called with each verdict and the origin of its trigger.
    using Report = std::function<void(const Verdict&, const std::string& who)>;
    // Calls `run` and `report` on this object's thread. `run` reads the current files and applies
    // them. `probations` must get the events of the probations that `run` starts, while it runs and
    // after.
    explicit Reloads(
        Run run,
        Report report = [](const Verdict&, const std::string&) {},
        std::shared_ptr<Probations> probations = std::make_shared<Probations>());
    // Ends as end() does, without a time limit.
    ~Reloads();
    Reloads(const Reloads&) = delete;
    Reloads& operator=(const Reloads&) = delete;

    // Refuses the waiting triggers and blocks until the running reload has returned; does not wait
    // for a probation. False: the reload did not return in this time, and hangs in a plugin or a
    // file. This object must then not be destroyed, and the process ends with _exit().
    [[nodiscard]] bool end(Nanos patience);

    // Queues a run and returns the number of the trigger. `who` is the origin, for the logs.
    // [any-thread]
    std::uint64_t trigger(std::string who, const ReloadRequest& request = {});
    // Blocks until the plan of a trigger is in force or refused. [any-thread]
    Verdict wait(std::uint64_t number);
    // Returns the current verdict of a trigger. None: the number is unknown or forgotten. A trigger
    // is forgotten when its final verdict has been returned, or after many later runs. [any-thread]
    [[nodiscard]] std::optional<Verdict> look(std::uint64_t number);

private:
    struct Waiting {
        ReloadRequest request;
        std::uint64_t run;  // the number of the first trigger that it serves
    };

    struct Trigger {
        ReloadRequest request;
        std::uint64_t run;
        std::string who;
    };

    struct Outcome {
        ReloadOutcome outcome;
        bool is_final = false;
    };

    [[nodiscard]] ReloadOutcome run_contained(const ReloadRequest& request) const;
    void serve();
    [[nodiscard]] std::optional<Verdict> known(std::uint64_t number) REQUIRES(mutex_);
    void announce(std::uint64_t run, const ReloadOutcome& outcome);
    void conclude(std::uint64_t run, ReloadOutcome outcome);

    const Run run_;
    const Report report_;
    const std::shared_ptr<Probations> probations_;

    Mutex mutex_;
    Condition changed_;
    std::uint64_t last_ GUARDED_BY(mutex_) = 0;  // the number of the last trigger
    std::deque<Waiting> waiting_ GUARDED_BY(mutex_);
    bool is_ending_ GUARDED_BY(mutex_) = false;
    bool is_over_ GUARDED_BY(mutex_) = false;  // the thread is about to end
    // True if another run waits, or the end. Written under mutex_.
    std::atomic<bool> has_next_{false};
    // By number: triggers without a final verdict, or whose final verdict has not been returned.
    std::map<std::uint64_t, Trigger> triggers_ GUARDED_BY(mutex_);
    std::map<std::uint64_t, Outcome> outcomes_ GUARDED_BY(mutex_);  // by run

    std::thread thread_;
};

}  // namespace skep::host
