// Stores the names that messages point to: each distinct text once, for the lifetime of the pool.
// Worker names and content types are few, messages are many. [any-thread]
#pragma once

#include <string>
#include <string_view>
#include <unordered_set>

#include "host/base/mutex.hpp"

namespace skep::host {

class NamePool {
public:
    [[nodiscard]] const std::string* intern(std::string_view name) {
        MutexLock lock(mutex_);
        return &*names_.emplace(name).first;  // elements of an unordered_set do not move
    }

private:
    Mutex mutex_;
    std::unordered_set<std::string> names_ GUARDED_BY(mutex_);
};

}  // namespace skep::host
