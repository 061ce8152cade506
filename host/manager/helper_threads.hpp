// Short-lived threads that call plugins outside of workers, because the manager's thread never
// calls a plugin. A helper thread ends before its plugin may be closed. Therefore a thread_local
// that the plugin touches there does not pin the plugin.
//
// All functions: [manager-thread].
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <sys/types.h>

#include "host/base/clock.hpp"
#include "host/base/result.hpp"
#include "host/manager/event_queue.hpp"

namespace skep::host {

class HelperThreads {
public:
    // Describes the work of a thread, for people: "worker 'a' in create". [manager-thread]
    using What = std::function<std::string()>;

    // A thread that was abandoned.
    struct Lost {
        pid_t thread;
        std::string what;
    };

    // `clock` must outlive this object.
    HelperThreads(Clock& clock, std::shared_ptr<EventQueue> queue);

    // Runs `work` on a new thread, then `then` on the manager's thread. The error: the thread could
    // not be started, and `work` is dropped.
    [[nodiscard]] Result<Done, std::string> try_run(What what,
                                                    std::function<void()> work,
                                                    EventQueue::Action then);

    // As try_run(), for work that must be done. Without a thread the error is logged, the work is
    // not done, and everything that it holds stays.
    void run(const What& what, const std::function<void()>& work, EventQueue::Action then);

    [[nodiscard]] bool empty() const { return threads_.empty(); }

    // Returns the threads that run; 0 stands for one that has not begun.
    [[nodiscard]] std::vector<pid_t> ids() const;

    // Abandons the threads that have not returned, and everything that they hold.
    [[nodiscard]] std::vector<Lost> abandon();

private:
    struct Helper {
        std::thread thread;
        std::shared_ptr<std::atomic<pid_t>> id;
        What what;
        std::function<void()> keeps;  // work that no thread could be had for
    };

    Clock& clock_;
    const std::shared_ptr<EventQueue> queue_;
    std::map<std::uint64_t, Helper> threads_;
    std::uint64_t started_ = 0;
};

}  // namespace skep::host
