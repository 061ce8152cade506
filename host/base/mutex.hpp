// A mutex that clang can analyse. std::mutex of libstdc++ carries no annotations: GUARDED_BY cannot
// name it. This is the thinnest wrapper that it can name (after LevelDB's port/port_stdcxx.h).
//
// Every Mutex in skep is a leaf. While it is held, no code takes another lock, logs, runs code of a
// plugin, or destroys an object that skep did not write.
#pragma once

#include <condition_variable>
#include <mutex>

#include "host/base/annotations.hpp"

namespace skep::host {

class CAPABILITY("mutex") Mutex {
public:
    Mutex() = default;
    Mutex(const Mutex&) = delete;
    Mutex& operator=(const Mutex&) = delete;

    void lock() ACQUIRE() { mutex_.lock(); }

    void unlock() RELEASE() { mutex_.unlock(); }

private:
    std::mutex mutex_;
};

class SCOPED_CAPABILITY MutexLock {
public:
    explicit MutexLock(Mutex& mutex) ACQUIRE(mutex)
        : mutex_(mutex) {
        mutex_.lock();
    }

    ~MutexLock() RELEASE() { mutex_.unlock(); }

    MutexLock(const MutexLock&) = delete;
    MutexLock& operator=(const MutexLock&) = delete;

private:
    Mutex& mutex_;
};

// Waits with a Mutex held. The predicate is a lambda marked REQUIRES(that mutex).
using Condition = std::condition_variable_any;

}  // namespace skep::host
