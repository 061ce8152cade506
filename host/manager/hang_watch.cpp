#include "host/manager/hang_watch.hpp"

#include <bit>
#include <utility>

namespace skep::host {

std::optional<HangWatch::Report> HangWatch::look(const CallSight& sight, Nanos now) {
    if (sight.call == nullptr || sight.is_asleep || sight != seen_) {
        const Report report{seen_.call, now - since_, true};
        const bool was_reported = std::exchange(is_reported_, false);
        seen_ = sight.is_asleep ? CallSight() : sight;
        since_ = now;
        next_report_ = hang_limit;
        return was_reported ? std::optional(report) : std::nullopt;
    }
    const Nanos lasted = now - since_;
    if (lasted < next_report_) {
        return std::nullopt;
    }
    if (next_report_ == hang_limit) {
        ++hangs_;
    }
    while (next_report_ <= lasted) {
        next_report_ *= 2;
    }
    if (!is_reported_ && !std::has_single_bit(hangs_) && lasted < 2 * longest_) {
        return std::nullopt;
    }
    is_reported_ = true;
    longest_ = lasted;
    return Report{sight.call, lasted, false};
}

}  // namespace skep::host
