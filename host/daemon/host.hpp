// A host process: the manager with its loader and its audit log, and what stops and reloads it.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "host/base/clock.hpp"
#include "host/daemon/audit.hpp"
#include "host/daemon/probations.hpp"
#include "host/daemon/reloader.hpp"
#include "host/daemon/signals.hpp"
#include "host/loader/file_loader.hpp"
#include "host/manager/manager.hpp"
#include "host/topology/plan.hpp"

namespace skep::host {

class Host {
public:
    struct Settings {
        std::string file;     // the topology, as an absolute path
        bool is_dev = false;  // ends only on request, and always watches its files
        // When the files of the plan were read.
        std::chrono::system_clock::time_point read_at;
    };

    // Makes a host that has no worker yet. From now on signals stop it. The guard keeps it until
    // the process ends.
    [[nodiscard]] static std::shared_ptr<Host> make(Guard& guard,
                                                    Settings settings,
                                                    const Plan& plan,
                                                    std::unique_ptr<FileLoader> loader,
                                                    std::unique_ptr<Audit> audit);

    Host(Guard& guard,
         Settings settings,
         std::unique_ptr<FileLoader> loader,
         std::unique_ptr<Audit> audit);
    Host(const Host&) = delete;
    Host& operator=(const Host&) = delete;

    enum class Start {
        running,
        refused,  // the manager refused the plan, and the reason is in the log
        ended,    // a signal has stopped the host before its plan was in force
    };

    // Puts the plan in force. If the host then runs, SIGHUP and changed files reload it.
    Start start(const Plan& plan);

    // Asks the host to end within this time. Does not block. [any-thread]
    void stop(Nanos grace);

    struct End {
        Ending ending;
        // A reload is inside a plugin or a file, and a client may wait for it.
        bool is_reload_stuck = false;
    };

    // Blocks until the host has ended and its reloader too.
    End wait();

    // Returns true, and logs why, if the process must end by leave() while code of plugins still
    // runs.
    [[nodiscard]] static bool is_stuck(const End& end);

    // Ends the process without destructors.
    [[noreturn]] void leave(int exit_code) const;

    [[nodiscard]] Manager& manager() { return manager_; }

    [[nodiscard]] Audit& audit() { return *audit_; }

    // Precondition: start() has returned `running`.
    [[nodiscard]] Reloader& reloader() { return *reloader_; }

private:
    // Forwards the events of the manager to the audit log and the probations.
    class Observer final : public ManagerObserver {
    public:
        explicit Observer(Host& host)
            : host_(host) {}

        void swapped(const std::string& worker, std::uint64_t generation) override;
        void settled(const std::string& worker, std::uint64_t generation) override;
        void hangs(const std::string& worker, std::uint64_t generation, Nanos lasts) override;
        void reverted(const Reverted& it) override;
        void closed(const LibraryFacts& facts) override;

    private:
        Host& host_;
    };

    Guard& guard_;
    const Settings settings_;
    SteadyClock clock_;
    const std::unique_ptr<FileLoader> loader_;
    const std::unique_ptr<Audit> audit_;
    Probations probations_;
    Observer observer_;
    Manager manager_;
    std::optional<Reloader> reloader_;  // set by start()
};

}  // namespace skep::host
