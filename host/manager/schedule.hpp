// The entries of [[schedule]] that are still pending. [manager-thread]
#pragma once

#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include "host/base/clock.hpp"
#include "host/topology/plan.hpp"

namespace skep::host {

class Schedule {
public:
    // Begins at the start of the host. Its times count from `now`.
    void begin(const std::vector<SchedulePlan>& entries, Nanos now) {
        pending_.assign(entries.begin(), entries.end());
        start_ = now;
    }

    [[nodiscard]] bool has_begun() const { return start_.has_value(); }

    [[nodiscard]] bool is_pending() const { return !pending_.empty(); }

    // Returns when the next entry is due.
    [[nodiscard]] Nanos next() const {
        return pending_.empty() ? forever : *start_ + pending_.front().at;
    }

    // Removes and returns the next entry if it is due.
    [[nodiscard]] std::optional<SchedulePlan> take_due(Nanos now) {
        if (next() > now) {
            return std::nullopt;
        }
        std::optional<SchedulePlan> due = std::move(pending_.front());
        pending_.pop_front();
        return due;
    }

    void clear() { pending_.clear(); }

private:
    std::deque<SchedulePlan> pending_;
    std::optional<Nanos> start_;
};

}  // namespace skep::host
