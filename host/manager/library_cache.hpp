// The plugins of a host: opened for the first worker that needs them, closed after the last.
//
// All functions: [manager-thread].
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <sys/types.h>

#include "host/base/clock.hpp"
#include "host/loader/loader.hpp"
#include "host/manager/manager.hpp"
#include "host/topology/plan.hpp"

namespace skep::host {

class LibraryCache {
public:
    // Returns the threads that the manager knows of: those of workers, helpers and lost threads. A
    // thread that is named as a worker's and is not one of them was left behind by a plugin.
    using KnownThreads = std::function<std::set<pid_t>()>;

    // All references must outlive this object; `observer` may be null.
    LibraryCache(Clock& clock,
                 Loader& loader,
                 const Manager::Limits& limits,
                 ManagerObserver* observer,
                 KnownThreads known_threads);

    // Opens the library that a worker's plan names, unless it is open.
    [[nodiscard]] Result<std::shared_ptr<Library>, std::string> open(const WorkerPlan& plan);

    // Closes the libraries that nobody else holds. Leaves one mapped if a thread may still be
    // inside it, and logs the cause.
    void close_unused();

    [[nodiscard]] std::vector<std::shared_ptr<const Library>> all() const;

private:
    // By path and content.
    using Libraries = std::map<std::pair<std::string, std::string>, std::shared_ptr<Library>>;

    [[nodiscard]] std::string pinned_problem(const std::string& path) const;
    void close(std::shared_ptr<Library> library);

    Clock& clock_;
    Loader& loader_;
    const Manager::Limits limits_;
    ManagerObserver* const observer_;
    const KnownThreads known_threads_;
    Libraries libraries_;
    std::set<const Library*> on_pools_;  // those that a worker on a pool has used
};

}  // namespace skep::host
