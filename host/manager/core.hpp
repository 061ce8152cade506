// The manager's thread: its queue, its loop, and the requests. manager.hpp has the contract.
//
// Other threads touch only the queue. Everything else belongs to the manager's thread: requests and
// reports of workers are closures that run there. What a request or a report means for workers,
// plans and probations is decided in the parts: see manager_parts.hpp, plan_change.hpp and
// host_end.hpp. This class passes it on.
#pragma once

#include <cstdint>
#include <future>
#include <memory>
#include <optional>
#include <string>

#include "host/manager/event_queue.hpp"
#include "host/manager/hang_looks.hpp"
#include "host/manager/host_end.hpp"
#include "host/manager/host_sender.hpp"
#include "host/manager/manager_parts.hpp"
#include "host/manager/plan_change.hpp"

namespace skep::host {

class Core {
public:
    Core(Clock& clock,
         Loader& loader,
         Manager::When ends,
         const Manager::Limits& limits,
         ManagerObserver* observer);

    // [any-thread] Runs `action` on the manager's thread. False if that thread has ended.
    bool post(EventQueue::Action action) { return queue_->post(std::move(action)); }

    // [manager-thread] Runs until the host has ended.
    void loop();
    // [any-thread] Blocks until the host has ended.
    Ending wait();

    // [manager-thread]; after the loop has ended also [any-thread], to read.
    [[nodiscard]] ManagerParts& parts() { return parts_; }

    // The following are [manager-thread].
    void apply(PlanChange::Order order);
    void rollback(PlanChange::Reply reply, StateLoss loss);
    void create(WorkerPlan worker, const Completion& reply);
    void start(const std::string& worker, const Completion& reply);
    void pause(const std::string& worker, bool waits, const Completion& reply);
    void resume(const std::string& worker, const Completion& reply);
    void stop(const std::string& worker, const Completion& reply);
    void restart(const std::string& worker, const Completion& reply);
    Answer<Done> send(const std::string& worker, const std::string& payload);
    Answer<std::size_t> broadcast(const std::string& payload);
    void stop_host(Nanos grace, Ending::Cause cause, std::string reason);

private:
    void tick();
    [[nodiscard]] Nanos next_deadline() const;
    void run_schedule();
    void settle_change();
    void on_report(const WorkerReport& report);
    void on_swapped(WorkerEntry& entry);
    void on_ended(WorkerEntry& entry, bool has_failed, const std::string& error);
    void retire_what_is_gone();
    [[nodiscard]] Refusal absent(const std::string& worker) const;

    const std::shared_ptr<Parker> parker_;
    const std::shared_ptr<EventQueue> queue_;
    ManagerParts parts_;
    HostEnd end_;
    HangLooks hangs_;
    HostSender sender_;
    std::shared_ptr<PlanChange> change_;  // null: no plan is being applied
    std::uint64_t changes_begun_ = 0;
    Nanos helpers_deadline_ = forever;  // at the end of the host: then they are abandoned
    std::promise<Ending> ended_;
    const std::shared_future<Ending> ended_future_{ended_.get_future()};
};

}  // namespace skep::host
