#include "host/manager/hang_looks.hpp"

#include <algorithm>

#include <spdlog/spdlog.h>

namespace skep::host {

namespace {

// How often the manager looks at workers, and how much time the look may take per worker.
constexpr Nanos hang_look = std::chrono::milliseconds(250);
constexpr Nanos hang_look_each = std::chrono::microseconds(10);

}  // namespace

// Works only in real time: a manual clock does not advance while a plugin is at work.
void HangLooks::plan_next() {
    if (clock_.is_real() && !table_.entries().empty()) {
        next_ = clock_.now() +
                std::max(hang_look,
                         hang_look_each * static_cast<std::int64_t>(table_.entries().size()));
    } else {
        next_.reset();
    }
}

void HangLooks::look(Nanos now) {
    if (next() > now) {
        return;
    }
    for (const auto& [name, entry] : table_.entries()) {
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
    plan_next();
}

}  // namespace skep::host
