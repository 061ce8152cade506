// Finds calls into plugins that hang, for workers with their own thread; pools.cpp does it for
// pools.
#include <algorithm>

#include <spdlog/spdlog.h>

#include "host/manager/core.hpp"

namespace skep::host {

namespace {

// How often the manager looks at workers, and how much time the look may take per worker.
constexpr Nanos hang_look = std::chrono::milliseconds(250);
constexpr Nanos hang_look_each = std::chrono::microseconds(10);

}  // namespace

// Works only in real time: a manual clock does not advance while a plugin is at work.
void Core::watch_for_hangs() {
    if (clock_.is_real() && !entries_.empty()) {
        next_hang_look_ =
            clock_.now() +
            std::max(hang_look, hang_look_each * static_cast<std::int64_t>(entries_.size()));
    } else {
        next_hang_look_.reset();
    }
}

void Core::look_for_hangs(Nanos now) {
    for (const auto& [name, entry] : entries_) {
        if (entry->worker == nullptr || entry->pool != nullptr ||
            entry->state == WorkerState::lost) {
            continue;
        }
        const std::optional<HangWatch::Report> report =
            entry->hang_watch.look(entry->worker->sight(), now);
        entry->worker->ask_to_return(entry->hang_watch.lasted(now));
        if (!report) {
            continue;
        }
        const double seconds = std::chrono::duration<double>(report->lasted).count();
        if (report->goes_on) {
            spdlog::info("worker '{}'@{}: went on after {:.1f} s in {}",
                         name,
                         entry->generation,
                         seconds,
                         report->call);
        } else {
            spdlog::warn("worker '{}'@{}: has been in {} for {:.1f} s without a checkpoint",
                         name,
                         entry->generation,
                         report->call,
                         seconds);
        }
    }
    watch_for_hangs();
}

}  // namespace skep::host
