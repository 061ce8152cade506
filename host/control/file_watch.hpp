// Watches files, and says when some of them have changed and come to rest.
//
// What is watched is not the files, because a watch dies with the file it was set on, and most
// tools replace files: it is each folder on the way to one, symbolic links included, for the one
// name in it that leads on. So a file may be written in place, renamed into its place, or be
// reached by a link, of a file or of a folder, that is pointed elsewhere (as Kubernetes does it
// with a ConfigMap: no event on the file at all). An event only says when to look; whether a file
// is another one is seen by its identity, size and times.
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
        Nanos quiet = std::chrono::milliseconds(200);  // so long nothing may happen
        Nanos most = std::chrono::seconds(5);          // and so long it may go on happening
    };

    // What has changed since `since` is told of too, although nobody watched yet.
    FileWatch(std::chrono::system_clock::time_point since, Patience patience);

    explicit FileWatch(std::chrono::system_clock::time_point since)
        : FileWatch(since, Patience()) {}

    ~FileWatch();
    FileWatch(const FileWatch&) = delete;
    FileWatch& operator=(const FileWatch&) = delete;

    // Who is told, on a thread of this object's. Before the first watch().
    void on_change(std::function<void()> changed) { changed_ = std::move(changed); }

    // These files from now on, and no others; none is right. One that does not exist is told of
    // when it does. [any-thread]
    void watch(std::vector<std::string> files);

    // Nobody is told any more once this has returned. [any thread but this object's]
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
    std::thread thread_ GUARDED_BY(mutex_);  // once there is something to watch
};

}  // namespace skep::host
