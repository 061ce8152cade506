// What is on probation, for whoever waits for what becomes of it. The manager's observer tells it.
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
    // -- As the observer; [manager-thread]. --
    void swapped(const std::string& worker, std::uint64_t generation);
    void settled(const std::string& worker, std::uint64_t generation);
    void reverted(const ManagerObserver::Reverted& it);

    struct Hanging {
        std::string worker;
        std::uint64_t generation = 0;
        Nanos lasts{0};
    };

    void hangs(const Hanging& it);

    // -- Whoever reloads. --

    // What is told from now on counts, and nothing that was told before.
    void begin();

    [[nodiscard]] bool is_empty();

    struct Outcome {
        std::vector<ManagerObserver::Reverted> failed;
        std::vector<Hanging> hanging;
    };

    // Waits until nothing is on probation any more but what hangs, or `is_cut_short`.
    [[nodiscard]] Outcome wait(const std::atomic<bool>& is_cut_short);

    // After `is_cut_short` has become true. [any-thread]
    void cut_short();

private:
    Mutex mutex_;
    Condition changed_;
    std::set<std::pair<std::string, std::uint64_t>> open_ GUARDED_BY(mutex_);
    std::vector<ManagerObserver::Reverted> failed_ GUARDED_BY(mutex_);
    std::vector<Hanging> hanging_ GUARDED_BY(mutex_);
};

}  // namespace skep::host
