#include "host/manager/helper_threads.hpp"

#include <algorithm>
#include <iterator>
#include <system_error>

#include <pthread.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include "host/base/crash_report.hpp"
#include "host/worker/thread_census.hpp"

namespace skep::host {

HelperThreads::HelperThreads(Clock& clock, std::shared_ptr<EventQueue> queue)
    : clock_(clock),
      queue_(std::move(queue)) {}

Result<Done, std::string> HelperThreads::try_run(What what,
                                                 std::function<void()> work,
                                                 EventQueue::Action then) {
    const std::uint64_t number = ++started_;
    Helper& made = threads_[number];
    made.what = std::move(what);
    made.id = std::make_shared<std::atomic<pid_t>>(0);
    const EventQueue::Action ended = [this, number, then = std::move(then)] {
        const auto found = threads_.find(number);
        if (found == threads_.end()) {
            return;  // abandoned; everything that it holds stays
        }
        found->second.thread.join();
        threads_.erase(found);
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
        threads_.erase(number);
        return Unexpected<std::string>("cannot start a thread: " + error.code().message());
    }
    return Done{};
}

void HelperThreads::run(const What& what,
                        const std::function<void()>& work,
                        EventQueue::Action then) {
    if (const auto started = try_run(what, work, std::move(then)); !started) {
        spdlog::error("{}: {}", what(), started.error());
        Helper& kept = threads_[++started_];
        kept.what = what;
        kept.id = std::make_shared<std::atomic<pid_t>>(0);
        kept.keeps = work;
    }
}

std::vector<pid_t> HelperThreads::ids() const {
    std::vector<pid_t> all;
    std::transform(threads_.begin(), threads_.end(), std::back_inserter(all), [](const auto& it) {
        return it.second.id->load();
    });
    return all;
}

std::vector<HelperThreads::Lost> HelperThreads::abandon() {
    std::vector<Lost> lost;
    for (auto& [number, it] : threads_) {
        if (it.thread.joinable()) {
            it.thread.detach();
        }
        lost.push_back({it.id->load(), it.what()});
        spdlog::error("{} did not come back; its thread is abandoned", lost.back().what);
    }
    threads_.clear();
    return lost;
}

}  // namespace skep::host
