// A worker: one generation of a name, on its own thread.
//
//   create -> Fact::ready -> holds -> run, or the handler loop -> destroy -> Fact::ended
//
// The object belongs to the manager and to its thread together: when the manager gives a thread up
// for lost, the thread keeps what it needs alive.
#pragma once

#include <ctime>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include <sys/types.h>

#include "host/base/result.hpp"
#include "host/loader/loader.hpp"
#include "host/worker/worker_context.hpp"

namespace skep::host {

// What a worker tells the manager. A fact of an older generation than the manager's is out of date.
struct Fact {
    enum class Kind {
        ready,  // the instance is made; the worker holds
        held,   // it stands still for the command of `epoch`
        ended,  // the thread is about to end; join() does not wait long
    };
    std::string worker;
    std::uint64_t generation = 0;
    Kind kind = Kind::ready;
    std::uint64_t epoch = 0;
    bool has_failed = false;
    std::string error;  // for a failure: which call, and the plugin's own words
};

class Worker : public std::enable_shared_from_this<Worker> {
public:
    struct Spec {
        std::uint64_t generation = 1;
        std::shared_ptr<Library> library;
        const skep_worker_type* type = nullptr;
        std::map<std::string, ParamValue> config;
    };

    // Called on the worker's thread; must not wait for the manager.
    using Report = std::function<void(Fact)>;

    Worker(const WorkerWorld& world, WorkerHome home, Spec spec, Report report);

    // [manager-thread] Starts the thread. The error is the machine's: there was no thread to be
    // had.
    [[nodiscard]] Result<Done, std::string> start();
    // [manager-thread] Returns the epoch of the command.
    std::uint64_t request(Wanted wanted);
    // [manager-thread] After Fact::ended.
    void join();
    // [manager-thread] The thread is not coming back: its context does nothing from now on, and
    // nobody will join it.
    void give_up();

    [[nodiscard]] std::uint64_t generation() const { return spec_.generation; }

    [[nodiscard]] Nanos last_checkpoint() const { return context_.last_checkpoint(); }

    [[nodiscard]] bool has_timer() const { return context_.has_timer(); }

    // Of its thread; 0 until that runs. [any-thread]
    [[nodiscard]] pid_t thread_id() const { return thread_id_.load(std::memory_order_relaxed); }

    // CPU time that the thread has used so far. [manager-thread]
    [[nodiscard]] Nanos cpu() const;

private:
    void thread_main();
    [[nodiscard]] Fact live();
    bool run_loop(void* instance);
    bool run_handler(void* instance);
    bool call(const char* what, const std::function<std::int32_t()>& plugin_code);

    const WorkerHome home_;
    const Spec spec_;
    const Report report_;
    WorkerContext context_;
    std::string error_;  // the worker's thread alone

    std::thread thread_;  // the manager's alone
    std::atomic<pid_t> thread_id_{0};
    std::atomic<std::int64_t> cpu_ns_{-1};  // written once, by the thread as it ends
};

}  // namespace skep::host
