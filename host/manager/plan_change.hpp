// One change from the plan in force to another plan. The file plan_change.cpp tells it in order:
//
//   prepare   everything that can fail without a thread: libraries, pools, entries
//   begin     create the instances: new workers on their threads, successors on a helper thread
//   offer     offer the successors, senders before receivers; each is active at its next boundary
//   commit    when all are active: the plan is in force        }  one of the two,
//   abort     after the first failure: it was never in force   }  and the change is over
//
// All functions: [manager-thread].
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "host/manager/manager_parts.hpp"

namespace skep::host {

class PlanChange : public std::enable_shared_from_this<PlanChange> {
public:
    using Reply = std::function<void(Answer<Applied>)>;

    struct Order {
        std::uint64_t number = 0;  // of this change
        std::shared_ptr<const Plan> next;
        bool starts = true;  // false: new workers are only known
        StateLoss loss = StateLoss::refused;
        Reply reply;
    };

    // `parts` must outlive this object.
    PlanChange(ManagerParts& parts, Order order);

    // Returns why the plan cannot be applied; nothing has changed then.
    [[nodiscard]] std::optional<Refusal> prepare();
    // Precondition: prepare() refused nothing.
    void begin();

    // -- Events. Precondition: not is_over(). --

    // A new worker of this change has its instance.
    void on_ready(WorkerEntry& entry);
    // A successor of this change is active, or was refused.
    void on_swapped(WorkerEntry& entry);
    // Aborts the change if it takes too long.
    void check(Nanos now);
    // None of the new workers has run: they wait, or are still being created. The previous plan has
    // stayed in force.
    void abort(Refusal why);

    // When check() is due.
    [[nodiscard]] Nanos deadline() const { return deadline_; }

    // -- The end. --

    [[nodiscard]] bool is_over() const { return outcome_.has_value(); }

    // The workers that have failed or ended, and start again with the plan.
    [[nodiscard]] const std::vector<std::string>& restarts() const { return restarts_; }

    // Answers the request.
    void answer() const { order_.reply(*outcome_); }

    // A single swap has been committed before its change was aborted.
    static void commit_late(ManagerParts& parts, WorkerEntry& entry);

private:
    // Successors that a helper thread creates, one after the other. Their names stay.
    struct Creation {
        std::vector<PendingInstance> pending;
        std::atomic<std::size_t> at{0};  // the one in `create`; only shown, any memory order works
    };

    [[nodiscard]] std::optional<Refusal> prepare_entries();
    [[nodiscard]] std::optional<Refusal> begin_swap(WorkerEntry& entry,
                                                    std::shared_ptr<const WorkerPlan> plan);
    [[nodiscard]] std::optional<Refusal> begin_reconfiguration(
        WorkerEntry& entry, std::shared_ptr<const WorkerPlan> plan);
    [[nodiscard]] std::optional<Refusal> set_swap(WorkerEntry& entry, Swap swap);
    void create_successors();
    void on_created(std::vector<PendingInstance>& pending);
    void go_on();
    void offer_successors();
    void offer_wave();
    void commit();
    void withdraw_swap(WorkerEntry& entry);
    [[nodiscard]] Nanos end_step();

    ManagerParts& parts_;
    const Order order_;
    Applied applied_;                   // so far
    std::vector<WorkerEntry*> starts_;  // receivers before their senders
    std::vector<WorkerEntry*> swaps_;
    std::shared_ptr<const Creation> creation_;     // null: no successor has to be created
    std::size_t making_ = 0;                       // the number of workers without an instance
    std::size_t taking_ = 0;                       // of offered successors that are not active
    std::deque<std::vector<WorkerEntry*>> waves_;  // of swaps, not offered yet
    Nanos deadline_ = forever;
    Nanos step_begin_;
    std::vector<std::string> restarts_;
    std::optional<Answer<Applied>> outcome_;
};

}  // namespace skep::host
