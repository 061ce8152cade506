#include "host/manager/manager.hpp"

#include <algorithm>

#include <pthread.h>

#include "host/manager/core.hpp"
#include "host/manager/plan_checks.hpp"
#include "host/manager/revisions.hpp"

namespace skep::host {

namespace {

Refusal host_has_ended() {
    return {Refusal::Code::host_ended, "the host has ended"};
}

// Runs `request(reply)` on the manager's thread and blocks until `reply` is called.
template <typename T, typename Request>
Answer<T> ask(Core& core, Request request) {
    auto promise = std::make_shared<std::promise<Answer<T>>>();
    std::future<Answer<T>> answer = promise->get_future();
    const bool is_posted = core.post([promise, request = std::move(request)] {
        request([promise](Answer<T> value) { promise->set_value(std::move(value)); });
    });
    return is_posted ? answer.get() : Answer<T>(Unexpected<Refusal>(host_has_ended()));
}

}  // namespace

StopTimes stop_times(Nanos grace) {
    constexpr Nanos shortest = std::chrono::milliseconds(500);
    constexpr Nanos longest_margin = std::chrono::seconds(1);  // for workers to return
    constexpr Nanos shortest_margin = std::chrono::milliseconds(400);
    constexpr int part_of_the_process = 4;  // of the margin
    if (grace <= Nanos(0)) {
        constexpr Nanos left = longest_margin / part_of_the_process;
        return {Nanos(0), longest_margin - left, longest_margin};
    }
    const Nanos total = std::max(grace, shortest);
    const Nanos margin = std::clamp<Nanos>(total / 2, shortest_margin, longest_margin);
    return {total - margin, total - margin / part_of_the_process, total};
}

Manager::Manager(
    Clock& clock, Loader& loader, When ends, const Limits& limits, ManagerObserver* observer)
    : core_(std::make_unique<Core>(clock, loader, ends, limits, observer)),
      thread_([this] {
          pthread_setname_np(pthread_self(), "manager");
          core_->loop();
      }) {}

Manager::~Manager() {
    request_stop(Nanos(0));
    thread_.join();
}

Answer<Applied> Manager::apply(Plan next, StateLoss loss) {
    const auto shared = std::make_shared<const Plan>(std::move(next));
    return ask<Applied>(*core_, [this, shared, loss](const auto& reply) {
        core_->apply({0, shared, true, loss, reply});
    });
}

Answer<Done> Manager::create(WorkerPlan worker) {
    return ask<Done>(*core_, [this, worker = std::move(worker)](const Completion& reply) {
        core_->create(worker, reply);
    });
}

Answer<Done> Manager::start(const std::string& worker) {
    return ask<Done>(*core_,
                     [this, worker](const Completion& reply) { core_->start(worker, reply); });
}

Answer<Done> Manager::pause(const std::string& worker, bool wait) {
    return ask<Done>(*core_, [this, worker, wait](const Completion& reply) {
        core_->pause(worker, wait, reply);
    });
}

Answer<Done> Manager::resume(const std::string& worker) {
    return ask<Done>(*core_,
                     [this, worker](const Completion& reply) { core_->resume(worker, reply); });
}

Answer<Done> Manager::stop(const std::string& worker) {
    return ask<Done>(*core_,
                     [this, worker](const Completion& reply) { core_->stop(worker, reply); });
}

Answer<Done> Manager::restart(const std::string& worker) {
    return ask<Done>(*core_,
                     [this, worker](const Completion& reply) { core_->restart(worker, reply); });
}

Answer<Done> Manager::send(const std::string& worker, std::string payload) {
    return ask<Done>(*core_, [this, worker, payload = std::move(payload)](const Completion& reply) {
        reply(core_->send(worker, payload));
    });
}

Answer<std::size_t> Manager::broadcast(std::string payload) {
    return ask<std::size_t>(*core_, [this, payload = std::move(payload)](const auto& reply) {
        reply(core_->broadcast(payload));
    });
}

Answer<WorkerMetrics> Manager::metrics(const std::string& worker) {
    Answer<WorkerMetrics> answer = ask<WorkerMetrics>(*core_, [this, worker](const auto& reply) {
        const ManagerParts& parts = core_->parts();
        const WorkerEntry* const entry = parts.table.find(worker);
        reply(entry != nullptr ? Answer<WorkerMetrics>(entry->metrics(parts.clock.now()))
                               : Unexpected<Refusal>(unknown(worker)));
    });
    if (!answer && answer.error().code == Refusal::Code::host_ended) {
        for (WorkerMetrics& it : metrics().workers) {
            if (it.name == worker) {
                return std::move(it);
            }
        }
    }
    return answer;
}

HostMetrics Manager::metrics() {
    Answer<HostMetrics> answer = ask<HostMetrics>(
        *core_, [this](const auto& reply) { reply(core_->parts().table.metrics()); });
    if (answer) {
        return std::move(*answer);
    }
    (void)core_->wait();  // the queue closes just before the counts of the last entry are final
    return core_->parts().table.metrics();
}

Answer<std::shared_ptr<const Plan>> Manager::plan() {
    return ask<std::shared_ptr<const Plan>>(
        *core_, [this](const auto& reply) { reply(core_->parts().plan.plan()); });
}

Answer<ChangeSummary> Manager::check(Plan next, PluginInfos plugins, StateLoss loss) {
    return ask<ChangeSummary>(
        *core_,
        [this, loss, next = std::move(next), plugins = std::move(plugins)](const auto& reply) {
            const ManagerParts& parts = core_->parts();
            reply(check_plan(next, plugins, loss, parts.plan, parts.table, parts.schedule));
        });
}

Answer<Applied> Manager::rollback(StateLoss loss) {
    return ask<Applied>(*core_, [this, loss](const auto& reply) { core_->rollback(reply, loss); });
}

Answer<std::vector<LibraryUse>> Manager::libraries() {
    return ask<std::vector<LibraryUse>>(*core_, [this](const auto& reply) {
        ManagerParts& parts = core_->parts();
        reply(uses_of(parts.libraries, parts.table, parts.loader));
    });
}

const std::shared_ptr<Taps>& Manager::taps() const {
    return core_->parts().world.taps;
}

void Manager::request_stop(Nanos grace) {
    (void)core_->post([this, grace] { core_->stop_host(grace, Ending::Cause::stopped, ""); });
}

Ending Manager::wait() {
    return core_->wait();
}

}  // namespace skep::host
