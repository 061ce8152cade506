// Watches files and reports when some of them have changed and no further change follows.
//
// An inotify watch ends with its file, and most tools replace files. Therefore this class watches
// each folder on the path to a file, symbolic links included, for the one name in it that is on the
// path. A file may thus be written in place, renamed into place, or reached by a link to a file or
// a folder that changes its target (as Kubernetes does with a ConfigMap: no event on the file at
// all). An event only triggers a check; identity, size and times show if a file has changed.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "host/base/clock.hpp"
#include "host/base/fd.hpp"
#include "host/base/mutex.hpp"

namespace skep::host {

class FileWatch {
public:
    struct Patience {
        Nanos quiet = std::chrono::milliseconds(200);  // reports after this time without an event
        Nanos most = std::chrono::seconds(5);          // reports at the latest after this time
    };

    // Also reports files that have changed since `since`, before the watch began.
    FileWatch(std::chrono::system_clock::time_point since, Patience patience);

    explicit FileWatch(std::chrono::system_clock::time_point since)
        : FileWatch(since, Patience()) {}

    ~FileWatch();
    FileWatch(const FileWatch&) = delete;
    FileWatch& operator=(const FileWatch&) = delete;

    // Sets the callback, which runs on this object's thread. Must be called before the first
    // watch().
    void on_change(std::function<void()> changed) { changed_ = std::move(changed); }

    // Replaces the watched files; the list may be empty. A file that does not exist is reported
    // when it appears. [any-thread]
    void watch(std::vector<std::string> files);

    // Blocks until the callback has returned; it is not called again. [any thread but this
    // object's]
    void end();

private:
    void wake() const;
    void serve();

    const std::chrono::system_clock::time_point since_;
    const Patience patience_;
    const Fd wake_;
    std::function<void()> changed_;

    Mutex mutex_;
    std::vector<std::string> files_ GUARDED_BY(mutex_);
    bool is_ending_ GUARDED_BY(mutex_) = false;
    std::thread thread_ GUARDED_BY(mutex_);  // started with the first file to watch
};

}  // namespace skep::host
