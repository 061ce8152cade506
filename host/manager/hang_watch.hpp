// Finds calls into a plugin that hang, by periodic looks from another thread.
//
// A worker hangs while it is in one call, does not sleep in the host (for a message, for room, for
// a pause), and reaches no checkpoint. The first report is due after hang_limit, the next ones when
// the time has doubled, and one when the worker continues. A worker that hangs repeatedly is
// reported the 1st, 2nd, 4th, 8th time, and whenever it has hung for twice as long as before.
#pragma once

#include <cstdint>
#include <optional>

#include "host/base/clock.hpp"
#include "host/worker/worker_context.hpp"

namespace skep::host {

inline constexpr Nanos hang_limit = std::chrono::seconds(1);

class HangWatch {
public:
    struct Report {
        const char* call;  // "on_message"
        Nanos lasted;
        bool goes_on;  // the hang is over
    };

    [[nodiscard]] std::optional<Report> look(const CallSight& sight, Nanos now);

    // Returns how long the looks have seen the worker in the same place.
    [[nodiscard]] Nanos lasted(Nanos now) const {
        return seen_.call == nullptr ? Nanos(0) : now - since_;
    }

private:
    CallSight seen_;
    Nanos since_{0};
    Nanos next_report_ = hang_limit;  // of this hang
    Nanos longest_{0};                // that was reported
    std::uint64_t hangs_ = 0;
    bool is_reported_ = false;
};

}  // namespace skep::host
