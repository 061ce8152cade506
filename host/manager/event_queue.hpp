// The manager's queue: actions that other threads post for the manager's thread, in order. Shared
// with the workers, because an abandoned thread may still report after the manager is gone; post()
// then returns false and does nothing else.
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

    // [any-thread] Appends an action. False if the queue is closed; the action is then dropped.
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

    // [manager-thread] Takes all waiting actions.
    [[nodiscard]] std::vector<Action> take() {
        std::vector<Action> taken;
        MutexLock lock(mutex_);
        taken.swap(actions_);
        return taken;
    }

    // [manager-thread] Refuses all later actions, and returns the waiting ones.
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
