#include "host/manager/worker_entry.hpp"

#include <utility>

namespace skep::host {

WorkerMetrics WorkerEntry::metrics(Nanos now) const {
    WorkerMetrics it;
    it.name = home->name;
    it.plugin = library == nullptr ? "" : library->info().id + " " + library->info().version;
    it.type = plan->type;
    it.generation = generation;
    it.state = state;
    it.error = error;
    it.started = started;
    it.ended = ended;
    it.started_wall = started_wall;
    it.ended_wall = ended_wall;
    it.swaps = swaps;
    it.rollbacks = rollbacks;
    it.last_swap = last_swap;
    it.cpu = worker == nullptr ? cpu : worker->cpu();
    read_counts(*home, it);
    if (worker != nullptr) {
        const CallSight sight = worker->sight();
        it.call = sight.call == nullptr || sight.is_asleep ? "" : sight.call;
        it.checkpoint_age = now - worker->last_checkpoint();
    }
    return it;
}

const WorkerTypeInfo* Revision::info() const {
    return library == nullptr ? nullptr : library->info().find(plan->type);
}

void read_counts(const WorkerHome& home, WorkerMetrics& into) {
    const WorkerCounters& counters = *home.counters;
    into.items = counters.items.load(std::memory_order_relaxed);
    into.errors = counters.errors.load(std::memory_order_relaxed);
    into.out = counters.out.load(std::memory_order_relaxed);
    into.out_rejected.no_route = counters.no_route.load(std::memory_order_relaxed);
    into.out_rejected.too_big = counters.too_big.load(std::memory_order_relaxed);
    into.out_rejected.misuse = counters.misuse.load(std::memory_order_relaxed);
    into.out_rejected.no_memory = counters.no_memory.load(std::memory_order_relaxed);
    into.in = home.mailbox->counts();
    into.queue_high = home.mailbox->queue_high();
    if (const auto budget = home.mailbox->budget()) {
        into.queued_bytes = budget->used();
        into.is_full_of_bytes = budget->is_awaited();
    }
}

void answer_all(std::vector<Completion>& waiting, const Answer<Done>& answer) {
    for (const Completion& reply : std::exchange(waiting, {})) {
        reply(answer);
    }
}

Refusal bad_plan(std::string why) {
    return {Refusal::Code::bad_plan, std::move(why)};
}

Refusal unknown(const std::string& worker) {
    return {Refusal::Code::unknown_worker, "no worker '" + worker + "'"};
}

Refusal cannot(std::string_view verb, const WorkerEntry& entry) {
    return {Refusal::Code::illegal_state,
            "cannot " + std::string(verb) + " worker '" + entry.home->name + "': it is " +
                std::string(name_of(entry.state))};
}

}  // namespace skep::host
