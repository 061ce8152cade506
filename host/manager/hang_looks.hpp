// Looks at workers with their own thread, to find calls into plugins that hang; PoolSet does it for
// pools. [manager-thread]
#pragma once

#include <optional>

#include "host/manager/worker_table.hpp"

namespace skep::host {

class HangLooks {
public:
    // Both must outlive this object.
    HangLooks(Clock& clock, const WorkerTable& table)
        : clock_(clock),
          table_(table) {}

    // A worker was started.
    void begin() {
        if (!next_) {
            plan_next();
        }
    }

    [[nodiscard]] Nanos next() const { return next_.value_or(forever); }

    // Looks if a look is due.
    void look(Nanos now);

private:
    void plan_next();

    Clock& clock_;
    const WorkerTable& table_;
    std::optional<Nanos> next_;
};

}  // namespace skep::host
