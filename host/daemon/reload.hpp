// The work of one reload: reads the topology file and its plugins and puts the new plan in force.
// The work of one rollback: puts the previous plan in force again.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "host/base/working_folder.hpp"
#include "host/daemon/prepare.hpp"
#include "host/daemon/reloads.hpp"
#include "host/loader/file_loader.hpp"
#include "host/manager/manager.hpp"
#include "host/topology/diff.hpp"

namespace skep::host {

// What a reload changes, for people and programs.
struct ReloadChanges {
    Changes changes;
    std::size_t stay = 0;                 // the number of workers that stay as they are
    std::vector<std::string> state_ends;  // those of `to_remove` whose type keeps state
};

// Returns "swap count; start log; stop old; rewire; 3 stay; the state of old ends".
[[nodiscard]] std::string changes_text(const ReloadChanges& it);
// Returns {"swap":["count"],"reconfigure":[],"start":["log"],"stop":["old"],"state_ends":["old"],
//          "rewire":true,"settings":false,"stay":3}.
[[nodiscard]] std::string changes_json(const ReloadChanges& it);

// Reads the file and the plugins, and probes new plugins in a child process. The running workers
// stay untouched until the plan is complete.
class Reloader {
public:
    struct Modes {
        bool always_watches = false;  // even if the topology does not say `watch`
        bool is_audited = false;      // fill in ReloadOutcome::details
    };

    // `manager` and `is_cancelled` must outlive this object. `file` should be absolute, because the
    // working folder may be replaced. Once `is_cancelled` is true, trials of plugins end early.
    Reloader(std::string file,
             Manager& manager,
             const Modes& modes,
             const std::atomic<bool>* is_cancelled)
        : file_(std::move(file)),
          manager_(manager),
          modes_(modes),
          is_cancelled_(is_cancelled) {}

    // Runs a reload or a rollback. At most one may run at a time.
    [[nodiscard]] ReloadOutcome run(const ReloadRequest& request) {
        return request.kind == ReloadKind::rollback ? rollback(request.loss) : reload(request.loss);
    }

    struct Preview {
        std::string problem;  // "" if the plan is valid; otherwise nothing else is set
        ReloadChanges changes;
    };

    // Returns what a reload would change now. [any-thread]
    [[nodiscard]] Preview preview() const;

    // Returns the topology and its plugins if the mode or the plan in force asks for a watch;
    // otherwise none. [any-thread]
    [[nodiscard]] std::vector<std::string> files_to_watch() const;

private:
    struct Read {
        Preview preview;
        Plan next;
    };

    [[nodiscard]] ReloadOutcome reload(StateLoss loss);
    [[nodiscard]] ReloadOutcome rollback(StateLoss loss);
    [[nodiscard]] Read read(FileLoader& loader) const;
    [[nodiscard]] std::string create_problem_of(const Plan& next,
                                                const Changes& changes,
                                                FileLoader& loader) const;
    [[nodiscard]] std::string problem_of(const Plan& next, FileLoader& loader) const;
    [[nodiscard]] ReloadOutcome outcome(const Plan& before,
                                        const ReloadChanges& changes,
                                        Nanos read_in) const;

    [[nodiscard]] std::string details(const Plan& before,
                                      const ReloadChanges& changes,
                                      Nanos read_in) const;
    [[nodiscard]] ReloadChanges changes_between(const Plan& before, const Plan& next) const;

    const WorkingFolder working_folder_;
    const std::string file_;
    Manager& manager_;
    const Modes modes_;
    const std::atomic<bool>* const is_cancelled_;
    std::unique_ptr<FileLoader> loader_;  // of reload(); made by its first call
};

}  // namespace skep::host
