// The threads of workers that hang in code of a plugin, and that the manager has abandoned.
// [manager-thread]
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include <sys/types.h>

#include "host/manager/worker_entry.hpp"

namespace skep::host {

class LostThreads {
public:
    // Adds the thread of a worker that did not stop in time, and removes it when it has returned.
    void add(const WorkerEntry& entry);
    void remove(const WorkerEntry& entry);

    // Adds a thread that is not a worker's. `what` describes its work.
    void add(pid_t thread, std::string what);

    // Adds the call of a successor that was rolled back while it hung. Its library stays mapped.
    void add(Worker::LostCall call) { calls_.push_back(std::move(call)); }

    // Removes and returns the calls that have returned.
    [[nodiscard]] std::vector<Worker::LostCall> take_returned();

    // Adds the ids of the threads.
    void add_ids_to(std::set<pid_t>& known) const;

    // At the end of the host: returns what the threads that have not returned belong to. What these
    // use stays for ever.
    [[nodiscard]] std::vector<std::string> abandon();

private:
    std::multimap<pid_t, std::string> threads_;  // and what each belongs to
    std::vector<Worker::LostCall> calls_;
};

}  // namespace skep::host
