// The manager's queue: what other threads want done on the manager's thread, in the order in which
// they said it. Shared with the workers, because a thread that was given up for lost may still
// report when the manager is long gone; it is then told so and nothing happens.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "host/base/clock.hpp"
#include "host/base/mutex.hpp"

namespace skep::host {

class EventQueue {
public:
    using Action = std::function<void()>;

    explicit EventQueue(std::shared_ptr<Parker> consumer)
        : consumer_(std::move(consumer)) {}

    // [any-thread] False when the queue is closed; the action is then dropped.
    bool post(Action action) {
        {
            MutexLock lock(mutex_);
            if (is_closed_) {
                return false;
            }
            actions_.push_back(std::move(action));
        }
        consumer_->unpark();
        return true;
    }

    // [manager-thread] All that is waiting.
    [[nodiscard]] std::vector<Action> take() {
        std::vector<Action> taken;
        MutexLock lock(mutex_);
        taken.swap(actions_);
        return taken;
    }

    // [manager-thread] Refuses all that comes from now on, and returns what came before.
    [[nodiscard]] std::vector<Action> close() {
        std::vector<Action> taken;
        MutexLock lock(mutex_);
        is_closed_ = true;
        taken.swap(actions_);
        return taken;
    }

private:
    const std::shared_ptr<Parker> consumer_;

    Mutex mutex_;
    std::vector<Action> actions_ GUARDED_BY(mutex_);
    bool is_closed_ GUARDED_BY(mutex_) = false;
};

}  // namespace skep::host
