// Calls plugins outside of workers on short-lived helper threads, because the manager's thread
// never calls a plugin. A helper thread ends before its plugin may be closed. Therefore a
// thread_local that the plugin touches there does not pin the plugin.
#include <system_error>

#include <pthread.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include "host/base/crash_report.hpp"
#include "host/manager/core.hpp"
#include "host/worker/thread_census.hpp"

namespace skep::host {

// Runs `work` on a helper thread, then `then` on the manager's thread. The error: no thread could
// be started, and `work` is dropped.
Result<Done, std::string> Core::try_aside(std::function<std::string()> what,
                                          std::function<void()> work,
                                          EventQueue::Action then) {
    const std::uint64_t number = ++asides_made_;
    Aside& made = asides_[number];
    made.what = std::move(what);
    made.id = std::make_shared<std::atomic<pid_t>>(0);
    const EventQueue::Action ended = [this, number, then = std::move(then)] {
        const auto found = asides_.find(number);
        if (found == asides_.end()) {
            return;  // abandoned; everything that it holds stays
        }
        found->second.thread.join();
        asides_.erase(found);
        then();
    };
    const std::shared_ptr<Parker> presence = clock_.make_parker();  // marks a thread at work
    const auto run = [queue = queue_, id = made.id, work = std::move(work), ended, presence] {
        const SignalStack signal_stack;
        id->store(gettid());
        work();
        pthread_setname_np(pthread_self(), ended_thread_name);
        (void)queue->post(ended);
        presence->detach();
    };
    presence->attach();
    try {
        made.thread = std::thread(run);
    } catch (const std::system_error& error) {
        presence->detach();
        asides_.erase(number);
        return Unexpected<std::string>("cannot start a thread: " + error.code().message());
    }
    return Done{};
}

// As try_aside(), for work that must be done. Without a thread the work is not done, and its
// objects stay.
void Core::aside(const std::function<std::string()>& what,
                 const std::function<void()>& work,
                 EventQueue::Action then) {
    if (const auto started = try_aside(what, work, std::move(then)); !started) {
        spdlog::error("{}: {}", what(), started.error());
        Aside& kept = asides_[++asides_made_];
        kept.what = what;
        kept.id = std::make_shared<std::atomic<pid_t>>(0);
        kept.keeps = work;
    }
}

// Destroys an unused instance. Its thread ends first, because destructors of its thread_locals may
// still need the instance.
void Core::destroy_later(PendingInstance pending) {
    const auto shared = std::make_shared<PendingInstance>(std::move(pending));
    aside([shared] { return "worker '" + shared->worker + "' in destroy"; },
          [shared] {
              name_this_thread(shared->worker, shared->instance->generation());
              if (shared->place.thread != nullptr) {
                  shared->place.thread->end();
              }
              shared->instance->destroy();
          },
          [this, shared] {
              shared->instance.reset();
              shared->owner.reset();
              close_unused_libraries();
          });
}

// Abandons helper threads that have not returned at the end of the host.
void Core::give_up_asides() {
    for (auto& [number, it] : asides_) {
        if (it.thread.joinable()) {
            it.thread.detach();
        }
        const std::string what = it.what();
        spdlog::error("{} did not come back; its thread is abandoned", what);
        lost_threads_.emplace(it.id->load(), what);
    }
    asides_.clear();
}

}  // namespace skep::host
