// Tracks the instances on probation for the thread that reloads. The manager's observer reports to
// it.
#pragma once

#include <atomic>
#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "host/base/mutex.hpp"
#include "host/manager/manager.hpp"

namespace skep::host {

class Probations {
public:
    // -- Events from the observer; [manager-thread]. --
    void swapped(const std::string& worker, std::uint64_t generation);
    void settled(const std::string& worker, std::uint64_t generation);
    void reverted(const ManagerObserver::Reverted& it);

    struct Hanging {
        std::string worker;
        std::uint64_t generation = 0;
        Nanos lasts{0};
    };

    void hangs(const Hanging& it);

    // -- For the thread that reloads. --

    // Forgets all earlier events.
    void begin();

    [[nodiscard]] bool is_empty();

    struct Outcome {
        std::vector<ManagerObserver::Reverted> failed;
        std::vector<Hanging> hanging;
    };

    // Blocks until every probation has ended or its instance hangs, or until `is_cut_short`.
    [[nodiscard]] Outcome wait(const std::atomic<bool>& is_cut_short);

    // Wakes wait(). Call it after `is_cut_short` has become true. [any-thread]
    void cut_short();

private:
    Mutex mutex_;
    Condition changed_;
    std::set<std::pair<std::string, std::uint64_t>> open_ GUARDED_BY(mutex_);
    std::vector<ManagerObserver::Reverted> failed_ GUARDED_BY(mutex_);
    std::vector<Hanging> hanging_ GUARDED_BY(mutex_);
};

}  // namespace skep::host
