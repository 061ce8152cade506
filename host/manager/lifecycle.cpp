#include <algorithm>

#include <spdlog/spdlog.h>

#include "host/base/assert.hpp"
#include "host/manager/core.hpp"
#include "host/manager/wiring.hpp"
#include "host/topology/diff.hpp"

namespace skep::host {

namespace {

const WorkerTypeInfo* type_info(const Slot& slot) {
    if (slot.library == nullptr) {
        return nullptr;
    }
    const auto& types = slot.library->info().types;
    const auto found = std::find_if(
        types.begin(), types.end(), [&](const auto& it) { return it.name == slot.plan->type; });
    return found == types.end() ? nullptr : &*found;
}

// A thread of its own has an id; what is lost on a pool has none, but its place in all listings.
pid_t lost_key(const Slot& slot) {
    const pid_t thread = slot.worker->thread_id();
    return thread != 0 ? thread : -1 - static_cast<pid_t>(slot.order);
}

std::string first_line(const Diagnostics& diagnostics) {
    std::string text;
    for (const Diagnostic& it : diagnostics) {
        text += (text.empty() ? "" : "; ") + (it.file.empty() ? "" : it.file + ": ") + it.message;
    }
    return text;
}

std::vector<const WorkerPlan*> added_by(const Plan& next, const Changes& changes) {
    std::vector<const WorkerPlan*> added;
    for (const WorkerPlan& worker : next.workers) {  // both in the same order
        if (added.size() < changes.to_add.size() && changes.to_add[added.size()] == worker.name) {
            added.push_back(&worker);
        }
    }
    return added;
}

}  // namespace

bool Core::can(const Slot& slot, WorkerEvent event) const {
    return next_state(slot.state, event).has_value();
}

// The one setter.
void Core::set_state(Slot& slot, WorkerEvent event) {
    const std::optional<WorkerState> next = next_state(slot.state, event);
    SKEP_ASSERT(next.has_value());
    spdlog::debug(
        "{}@{}: {} -> {}", slot.home.name, slot.generation, name_of(slot.state), name_of(*next));
    slot.state = *next;
}

// Why a plan cannot be applied as things are; what is told without starting anything.
std::optional<Refusal> Core::refusal_of(const Plan& next, const Changes& changes) {
    if (launch_ || is_ending()) {
        return Refusal{Refusal::Code::illegal_state,
                       is_ending() ? "the host is ending" : "a plan is being applied"};
    }
    if (!changes.to_change.empty()) {
        return Refusal{Refusal::Code::bad_plan,
                       "worker '" + changes.to_change.front() +
                           "' differs, and a running worker cannot be exchanged yet"};
    }
    for (const WorkerPlan* const worker : added_by(next, changes)) {
        if (const Slot* const slot = find(worker->name)) {  // of the plan before, and not gone yet
            return cannot("add", *slot);
        }
        const std::string& pool = worker->run.pool;
        if (!pool.empty() && next.find_pool(pool) == nullptr) {
            return Refusal{Refusal::Code::bad_plan, "no pool '" + pool + "'"};
        }
    }
    return std::nullopt;
}

void Core::apply(std::shared_ptr<const Plan> next, bool starts, const Reply& reply) {
    const Changes changes = diff(*plan_, *next);
    if (const std::optional<Refusal> refused = refusal_of(*next, changes)) {
        reply(Unexpected<Refusal>(*refused));
        return;
    }
    if (const Answer<Done> pooled = start_pools(*next); !pooled) {
        reply(pooled);
        return;
    }
    // Everything that can fail without a thread comes first, on slots that nobody else has seen
    // yet.
    std::vector<Slot*> added;
    for (const WorkerPlan* const worker : added_by(*next, changes)) {
        added.push_back(&add_slot({next, worker}));
        const Answer<Done> opened = starts ? open_library(*added.back()) : Answer<Done>(Done{});
        if (!opened) {
            for (Slot* const slot : added) {
                retire(*slot);
                retired_.pop_back();
            }
            reply(opened);
            return;
        }
    }
    std::shared_ptr<const Plan> before = plan_;
    adopt(std::move(next));
    for (const std::string& name : changes.to_remove) {
        find(name)->is_removed = true;
    }
    for (Slot* const slot : added) {
        if (starts) {
            slot->home.mailbox->open();  // before the routes to it are made
        }
    }
    rewire();
    needs_advance_ = true;
    if (!starts || added.empty()) {
        reply(Done{});
        return;
    }
    const std::set<std::string> names(changes.to_add.begin(), changes.to_add.end());
    launch_ = Launch{names, {}, std::move(before), reply};
    const std::vector<FlowGroup> groups = flow_;  // a launch that fails at once changes flow_
    for (const FlowGroup& group : groups) {       // receivers before their senders
        for (const std::string& name : group.workers) {
            if (launch_ && names.contains(name)) {
                launch(*find(name));
            }
        }
    }
}

// All workers of `plan` are there.
void Core::adopt(std::shared_ptr<const Plan> plan) {
    plan_ = std::move(plan);
    flow_ = flow_groups(*plan_);
    for (const WorkerPlan& worker : plan_->workers) {
        find(worker.name)->plan = {plan_, &worker};  // of the plan before it is equal
    }
}

Slot& Core::add_slot(std::shared_ptr<const WorkerPlan> shared) {
    const WorkerPlan& plan = *shared;
    auto slot = std::make_unique<Slot>();
    slot->plan = std::move(shared);
    slot->order = slots_made_++;
    std::shared_ptr<PoolSeat> seat;
    if (!plan.run.pool.empty()) {
        slot->pool = pools_.at(plan.run.pool);
        seat = std::make_shared<PoolSeat>(*slot->pool);
    }
    slot->home = {
        plan.name,
        std::make_shared<Mailbox>(
            seat != nullptr ? std::shared_ptr<Parker>(seat) : clock_.make_parker(), plan.mailbox),
        std::make_shared<WorkerCounters>(),
        seat};
    return *slots_.emplace(plan.name, std::move(slot)).first->second;
}

Answer<Done> Core::open_library(Slot& slot) {
    if (slot.library != nullptr) {
        return Done{};
    }
    std::shared_ptr<Library>& shared = libraries_[slot.plan->plugin_path];
    if (shared == nullptr) {
        Result<std::shared_ptr<Library>> opened = loader_.open(slot.plan->plugin_path);
        if (!opened) {
            libraries_.erase(slot.plan->plugin_path);
            return Unexpected<Refusal>({Refusal::Code::bad_plan, first_line(opened.error())});
        }
        shared = std::move(*opened);
    }
    if (shared->find_type(slot.plan->type) == nullptr) {
        return Unexpected<Refusal>(
            {Refusal::Code::bad_plan,
             slot.plan->plugin_path + ": the plugin has no worker type '" + slot.plan->type + "'"});
    }
    slot.library = shared;
    return Done{};
}

void Core::rewire() {
    world_.router->publish(wire(*plan_, *world_.names, rings_, [this](const std::string& worker) {
        const Slot& slot = *find(worker);
        return WiredWorker{
            slot.home.mailbox, slot.order, slot.home.seat != nullptr, type_info(slot)};
    }));
}

void Core::launch(Slot& slot) {
    set_state(slot, WorkerEvent::start);
    ++slot.generation;
    slot.error.clear();
    slot.is_stopped_by_operator = false;
    slot.wants_pause = false;
    slot.deadline.reset();
    slot.started = clock_.now();
    slot.started_wall = std::chrono::system_clock::now();
    slot.ended.reset();
    slot.ended_wall.reset();
    slot.worker = std::make_shared<Worker>(
        world_,
        slot.home,
        Worker::Spec{slot.generation,
                     slot.library,
                     slot.library->find_type(slot.plan->type),
                     slot.plan->config,
                     placement_of(slot)},
        [this, queue = queue_, order = slot.order](Fact fact) {
            // Nobody to hear it: the host has ended without this thread.
            (void)queue->post([this, order, fact = std::move(fact)] { on_fact(order, fact); });
        });
    const Result<Done, std::string> started = slot.worker->start();
    if (!started) {
        slot.worker.reset();
        on_ended(slot, true, started.error());
        return;
    }
    set_state(slot, WorkerEvent::loaded);
}

// A slot may be younger than a lost thread of its name, and both in their first generation: the
// order tells.
void Core::on_fact(std::size_t order, const Fact& fact) {
    Slot* const slot = find(fact.worker);
    if (slot == nullptr || slot->order != order || slot->generation != fact.generation) {
        return;
    }
    switch (fact.kind) {
        case Fact::Kind::ready:
            if (slot->state == WorkerState::starting) {
                on_ready(*slot);
            }
            break;
        case Fact::Kind::held:
            if (slot->state == WorkerState::pausing && slot->pause_epoch == fact.epoch) {
                set_state(*slot, WorkerEvent::held);
                answer_all(slot->waiting_for_pause, Done{});
            }
            break;
        case Fact::Kind::ended:
            if (slot->state == WorkerState::lost) {
                lost_threads_.erase(lost_key(*slot));
            } else {
                slot->worker->join();
            }
            slot->cpu = slot->worker->cpu();
            slot->worker.reset();
            on_ended(*slot, fact.has_failed, fact.error);
            break;
    }
}

void Core::on_ready(Slot& slot) {
    if (!launch_ || launch_->waiting.erase(slot.home.name) == 0) {
        release(slot);
        return;
    }
    launch_->ready.insert(slot.home.name);
    if (launch_->waiting.empty()) {
        finish_launch();
    }
}

// Lets a worker go that has been made and holds.
void Core::release(Slot& slot) {
    if (slot.wants_pause) {
        set_state(slot, WorkerEvent::held);
        answer_all(slot.waiting_for_pause, Done{});
    } else {
        set_state(slot, WorkerEvent::ready);
        slot.worker->request(Wanted::run);
    }
    answer_all(slot.waiting_for_run, Done{});
    needs_advance_ = true;
}

void Core::finish_launch() {
    const Launch launched = *std::exchange(launch_, std::nullopt);
    if (!schedule_start_) {
        schedule_.assign(plan_->schedule.begin(), plan_->schedule.end());
        schedule_start_ = clock_.now();
    }
    for (const FlowGroup& group : flow_) {
        for (const std::string& name : group.workers) {
            // One that was told to stop meanwhile is not released.
            if (launched.ready.contains(name) && find(name)->state == WorkerState::starting) {
                release(*find(name));
            }
        }
    }
    launched.reply(Done{});
}

// None of the new workers has run: they hold, or are still being made. The plan before is in force
// again.
void Core::undo_launch(const Refusal& why) {
    Launch undone = *std::exchange(launch_, std::nullopt);
    undone.waiting.merge(undone.ready);
    for (const std::string& name : undone.waiting) {
        Slot& slot = *find(name);
        slot.is_removed = true;
        if (can(slot, WorkerEvent::drain)) {
            drain(slot);
        }
    }
    adopt(std::move(undone.before));
    for (const WorkerPlan& worker : plan_->workers) {
        find(worker.name)->is_removed = false;
    }
    rewire();
    needs_advance_ = true;
    undone.reply(Unexpected<Refusal>(why));
}

void Core::on_ended(Slot& slot, bool has_failed, const std::string& error) {
    has_anything_ended_ = true;
    set_state(slot, has_failed ? WorkerEvent::failed : WorkerEvent::exited);
    slot.error = error;
    slot.ended = clock_.now();
    slot.ended_wall = std::chrono::system_clock::now();
    slot.deadline.reset();
    slot.home.mailbox->close();
    if (const std::uint64_t rest = slot.home.mailbox->dead_letter_rest(); rest > 0) {
        spdlog::warn(
            "{}@{}: {} queued messages became dead letters", slot.home.name, slot.generation, rest);
    }
    const bool is_launching = launch_ && (launch_->waiting.contains(slot.home.name) ||
                                          launch_->ready.contains(slot.home.name));
    const std::string why = "worker '" + slot.home.name + "' failed: " + error;
    if (has_failed) {
        add(slot.home.counters->errors, 1);
        if (!is_launching) {  // then whoever asked for the plan is told
            spdlog::error("{}", why);
        }
    }
    const Answer<Done> answer =
        has_failed ? Answer<Done>(Unexpected<Refusal>({Refusal::Code::illegal_state, why}))
                   : Answer<Done>(Done{});
    answer_all(slot.waiting_for_end, answer);
    answer_all(slot.waiting_for_run,
               has_failed ? answer : Unexpected<Refusal>(cannot("run", slot)));
    answer_all(slot.waiting_for_pause, Unexpected<Refusal>(cannot("pause", slot)));
    needs_advance_ = true;
    if (is_launching) {
        undo_launch(has_failed ? Refusal{Refusal::Code::bad_plan, why} : cannot("run", slot));
    } else if (has_failed && slot.plan->on_failure == OnFailure::stop_host) {
        stop_host(plan_->stop_grace, Ending::Cause::failed, why);
    }
}

// No new work from now on; what is queued is finished. A worker that is held goes on for that.
void Core::drain(Slot& slot) {
    if (slot.state == WorkerState::draining || slot.state == WorkerState::stopping) {
        return;
    }
    slot.home.mailbox->close();
    set_state(slot, WorkerEvent::drain);
    if (slot.worker == nullptr) {  // it never ran
        answer_all(slot.waiting_for_end, Done{});
        slot.deadline.reset();
        needs_advance_ = true;
        return;
    }
    slot.worker->request(slot.state == WorkerState::draining ? Wanted::drain : Wanted::stop);
    if (slot.state == WorkerState::stopping) {
        slot.deadline = clock_.now() + Manager::stop_margin;
    }
}

void Core::stop_now(Slot& slot) {
    slot.home.mailbox->close();
    set_state(slot, WorkerEvent::stop);
    slot.worker->request(Wanted::stop);
    slot.deadline = clock_.now() + Manager::stop_margin;
}

void Core::lose(Slot& slot) {
    set_state(slot, WorkerEvent::lost);
    slot.error = "did not stop in time";
    slot.deadline.reset();
    lost_threads_.emplace(lost_key(slot), slot.home.name);
    slot.worker->give_up();
    spdlog::error("{}@{}: did not stop in time; its thread is given up for lost",
                  slot.home.name,
                  slot.generation);
    slot.home.mailbox->dead_letter_rest();
    answer_all(slot.waiting_for_end, Unexpected<Refusal>(cannot("stop", slot)));
    answer_all(slot.waiting_for_pause, Unexpected<Refusal>(cannot("pause", slot)));
    needs_advance_ = true;
}

}  // namespace skep::host
