// A thread of one worker, which serves it or stands by.
//
// A worker has one from its start to its end, unless it is handed off: its successor is served by
// another thread, which has been started and placed before, and stands by until then. The thread
// before stands by for the probation, as the instance before does, and ends after it. So the
// destructors of the thread_locals of a plugin run before that is closed, where they would keep it
// mapped, and a worker can get another place to run at.
//
//   start() ---> stands by ---> serves ---> the worker has ended
//                 |      ^        |
//               end()    +--------+  stand_by()
//                 v
//               over
//
// Whoever serves owns all that is the worker's thread's alone; go_on() of the next hands that on.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include <sys/types.h>

#include "host/base/clock.hpp"
#include "host/base/placement.hpp"
#include "host/base/result.hpp"

namespace skep::host {

class WorkerThread : public std::enable_shared_from_this<WorkerThread> {
public:
    // Serves the worker on this thread. False: another place does, and it stands by; true: the
    // worker has ended.
    using Serve = std::function<bool(WorkerThread& self)>;

    explicit WorkerThread(Clock& clock)
        : clock_(clock) {}

    WorkerThread(const WorkerThread&) = delete;
    WorkerThread& operator=(const WorkerThread&) = delete;

    // [any-thread but the manager's] Starts it to stand by, and waits until it is placed. The error
    // is the machine's: there was no thread to be had, or it refused the placement. end() has to
    // follow in any case, on another thread than this one.
    [[nodiscard]] Result<Done, std::string> start(const Placement& placement, Serve serve);
    // [manager-thread] Starts it to serve at once. Only of no thread this tells; see placed().
    [[nodiscard]] Result<Done, std::string> start_serving(const Placement& placement, Serve serve);

    // [itself] What became of its placement.
    [[nodiscard]] const Result<Done, std::string>& placed() const { return placed_; }

    // 0 until it runs. [any-thread]
    [[nodiscard]] pid_t id() const { return id_.load(std::memory_order_relaxed); }

    // [itself, as it serves] It stands by from now on; whoever is to serve is told next. It goes by
    // standing_by_name already.
    void stand_by();

    // [whoever has served until now] It stands by, or is about to, and serves from now on.
    void go_on();

    // [itself, as it serves] No plugin will be called on it any more, but by its thread_locals.
    void note_end();

    // [any-thread but itself] It stands by, or is about to, and is not needed any more: joins it.
    // What its thread_locals do may take long.
    void end();

    // [manager-thread] Its worker has ended on it.
    void join() { thread_.join(); }

    // [manager-thread] Nobody will join it.
    void give_up() { thread_.detach(); }

    // CPU time that it has used so far.
    [[nodiscard]] Nanos cpu() const;

private:
    enum class Part { stands_by, serves, over };

    template <typename Main>
    [[nodiscard]] Result<Done, std::string> start_as(Part part, Main main);
    void main(const Serve& serve);
    [[nodiscard]] bool is_to_serve();

    Clock& clock_;
    std::atomic<Part> part_{Part::stands_by};
    std::shared_ptr<Parker> parker_;  // where it stands by; null before the first time
    Result<Done, std::string> placed_{Done{}};
    std::atomic<pid_t> id_{0};
    std::atomic<std::int64_t> cpu_ns_{-1};  // -1: until it ends
    std::thread thread_;                    // of whoever starts it, and then the manager's
};

}  // namespace skep::host
