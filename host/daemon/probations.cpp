#include "host/daemon/probations.hpp"

namespace skep::host {

void Probations::swapped(const std::string& worker, std::uint64_t generation) {
    const MutexLock lock(mutex_);
    open_.emplace(worker, generation);
}

void Probations::settled(const std::string& worker, std::uint64_t generation) {
    const MutexLock lock(mutex_);
    open_.erase({worker, generation});
    changed_.notify_all();
}

void Probations::reverted(const ManagerObserver::Reverted& it) {
    const MutexLock lock(mutex_);
    if (open_.erase({it.worker, it.failed}) > 0) {
        failed_.push_back(it);
    }
    changed_.notify_all();
}

void Probations::hangs(const Hanging& it) {
    const MutexLock lock(mutex_);
    if (open_.erase({it.worker, it.generation}) > 0) {
        hanging_.push_back(it);
    }
    changed_.notify_all();
}

void Probations::begin() {
    const MutexLock lock(mutex_);
    open_.clear();
    failed_.clear();
    hanging_.clear();
}

bool Probations::is_empty() {
    const MutexLock lock(mutex_);
    return open_.empty() && failed_.empty() && hanging_.empty();
}

Probations::Outcome Probations::wait(const std::atomic<bool>& is_cut_short) {
    const MutexLock lock(mutex_);
    changed_.wait(mutex_, [&]() REQUIRES(mutex_) { return open_.empty() || is_cut_short; });
    return {std::exchange(failed_, {}), std::exchange(hanging_, {})};
}

void Probations::cut_short() {
    const MutexLock lock(mutex_);
    changed_.notify_all();
}

}  // namespace skep::host
