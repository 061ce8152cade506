#include "host/manager/lost_threads.hpp"

#include <algorithm>
#include <iterator>

namespace skep::host {

namespace {

// Returns the thread id of a worker with its own thread. A worker on a pool has none; its key comes
// from its order.
pid_t key_of(const WorkerEntry& entry) {
    const pid_t thread = entry.worker->thread_id();
    return thread != 0 ? thread : -1 - static_cast<pid_t>(entry.order);
}

}  // namespace

void LostThreads::add(const WorkerEntry& entry) {
    threads_.emplace(key_of(entry), entry.home->name);
}

void LostThreads::remove(const WorkerEntry& entry) {
    threads_.erase(key_of(entry));
}

void LostThreads::add(pid_t thread, std::string what) {
    threads_.emplace(thread, std::move(what));
}

std::vector<Worker::LostCall> LostThreads::take_returned() {
    const auto returned = std::stable_partition(
        calls_.begin(), calls_.end(), [](const Worker::LostCall& it) { return !it.is_over(); });
    std::vector<Worker::LostCall> taken(std::make_move_iterator(returned),
                                        std::make_move_iterator(calls_.end()));
    calls_.erase(returned, calls_.end());
    return taken;
}

void LostThreads::add_ids_to(std::set<pid_t>& known) const {
    for (const auto& [thread, what] : threads_) {
        known.insert(thread);
    }
    for (const Worker::LostCall& it : calls_) {
        known.insert(it.thread_id);
    }
}

std::vector<std::string> LostThreads::abandon() {
    std::vector<std::string> lost;
    for (const auto& [thread, what] : threads_) {
        lost.push_back(what);
    }
    for (Worker::LostCall& it : calls_) {
        lost.push_back(it.worker->name());
        if (it.thread != nullptr) {
            it.thread->give_up();
        }
        (void)new Worker::LostCall(std::move(it));  // the thread uses it
    }
    calls_.clear();
    return lost;
}

}  // namespace skep::host
