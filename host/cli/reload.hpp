// From the topology file as it is now to the plan in force: what a reload does, each time; and from
// there to the plan before.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "host/base/working_folder.hpp"
#include "host/cli/prepare.hpp"
#include "host/control/reloads.hpp"
#include "host/loader/file_loader.hpp"
#include "host/manager/manager.hpp"
#include "host/topology/diff.hpp"

namespace skep::host {

// What a reload does, for people and programs.
struct ReloadChanges {
    Changes changes;
    std::size_t stay = 0;                 // how many workers stay as they are
    std::vector<std::string> state_ends;  // of `to_remove`, whose type keeps state over a reload
};

// "swap count; start log; stop old; rewire; 3 stay; the state of old ends"
[[nodiscard]] std::string changes_text(const ReloadChanges& it);
// {"swap":["count"],"reconfigure":[],"start":["log"],"stop":["old"],"state_ends":["old"],
//  "rewire":true,"settings":false,"stay":3}
[[nodiscard]] std::string changes_json(const ReloadChanges& it);

// Reads the file and the plugins, new ones in a child process first, and touches nothing that runs
// until the plan stands.
class Reloader {
public:
    struct Modes {
        bool always_watches = false;  // whatever the topology says
        bool is_audited = false;      // somebody wants ReloadOutcome::details
    };

    // The manager outlives it. `file` should be absolute: the working folder may be replaced. Once
    // `is_cancelled`, which outlives it too, trials of plugins end early.
    Reloader(std::string file,
             Manager& manager,
             const Modes& modes,
             const std::atomic<bool>* is_cancelled)
        : file_(std::move(file)),
          manager_(manager),
          modes_(modes),
          is_cancelled_(is_cancelled) {}

    // One at a time, of whatever kind.
    [[nodiscard]] ReloadOutcome run(const ReloadWish& wish) {
        return wish.kind == ReloadKind::rollback ? rollback(wish.loss) : reload(wish.loss);
    }

    struct Preview {
        std::string problem;  // "" when the plan stands; otherwise nothing else is set
        ReloadChanges changes;
    };

    // What a reload would do now. [any-thread]
    [[nodiscard]] Preview preview() const;

    // The topology and its plugins, always or if the plan in force says `watch`; else none.
    // [any-thread]
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
    std::unique_ptr<FileLoader> loader_;  // of reload(); made by the first
};

}  // namespace skep::host
