// Reloads and rolls back a running host, one run at a time.
//
// The file watch, SIGHUP and the control socket all call trigger(). A thread of this object serves
// the queue of triggers (trigger_queue.hpp). Reloader::run is the procedure: read the files, find
// the changes, try the plugins, apply, wait for the probation, write the verdict to the audit log
// and return it to those who wait.
//
// The plan that a run has applied is in force at once. The run waits for the end of the probation
// before it publishes its verdict; the next trigger ends this wait. (Kubernetes' minReadySeconds,
// with a verdict.)
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "host/base/result.hpp"
#include "host/base/working_folder.hpp"
#include "host/daemon/audit.hpp"
#include "host/daemon/candidate.hpp"
#include "host/daemon/file_watch.hpp"
#include "host/daemon/probations.hpp"
#include "host/daemon/trigger_queue.hpp"
#include "host/daemon/verdict.hpp"
#include "host/manager/manager.hpp"
#include "host/topology/plan.hpp"

namespace skep::host {

class Reloader {
public:
    struct Settings {
        std::string file;  // the topology; absolute, because the working folder may be replaced
        bool always_watches = false;  // even if the topology does not say `watch`
        // Files that have changed since then are reported by the watch.
        std::chrono::system_clock::time_point read_at;
        // Once it is true, trials of plugins end early.
        const std::atomic<bool>* is_cancelled = nullptr;
    };

    // `probations` gets the events of the manager's observer. All but `settings` must outlive this
    // object. The manager must have a plan.
    Reloader(Settings settings, Manager& manager, Audit& audit, Probations& probations);
    // Ends as end() does, without a time limit.
    ~Reloader();
    Reloader(const Reloader&) = delete;
    Reloader& operator=(const Reloader&) = delete;

    // Queues a run and returns the number of the trigger. `who` is the origin, for the logs. Does
    // not block. [any-thread]
    std::uint64_t trigger(std::string who, const ReloadRequest& request = {});

    // As TriggerQueue::wait() and look(). [any-thread]
    [[nodiscard]] Verdict wait(std::uint64_t number) { return queue_.wait(number); }

    [[nodiscard]] std::optional<Verdict> look(std::uint64_t number) { return queue_.look(number); }

    // Returns what a reload would change now, or why it would be refused. [any-thread]
    [[nodiscard]] Result<ChangeSummary, std::string> preview() const;

    // Refuses the waiting triggers, blocks until the running reload has returned, and ends the
    // watch; does not wait for a probation. False: the reload did not return in this time, and
    // hangs in a plugin or a file. This object must then not be destroyed, and the process ends
    // with _exit().
    [[nodiscard]] bool end(Nanos patience);

private:
    // A plan that could be put in force.
    struct Candidate {
        Plan plan;
        ChangeSummary summary;
    };

    void serve();
    void run(Verdict verdict);
    void put_in_force(Verdict& verdict);
    void reload(Verdict& verdict);
    void rollback(Verdict& verdict);
    void conclude(Verdict verdict);
    [[nodiscard]] Result<Candidate, std::string> read(CandidateReader& files, StateLoss loss) const;
    void describe(Verdict& verdict, ReloadDetails details) const;
    void watch_files();

    const Settings settings_;
    const WorkingFolder working_folder_;
    Manager& manager_;
    Audit& audit_;
    Probations& probations_;
    CandidateReader files_;  // used by the thread of this object
    TriggerQueue queue_;
    FileWatch watch_;
    std::thread thread_;
};

}  // namespace skep::host
