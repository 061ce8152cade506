// The pools of a host: made before the first worker that needs them, dropped after the last. A pool
// never changes: one with other settings is another pool, to which its workers move.
#include <algorithm>
#include <bit>

#include <spdlog/spdlog.h>

#include "host/manager/core.hpp"

namespace skep::host {

namespace {

// How often pools are looked at for workers that keep a thread to themselves.
constexpr Nanos pool_look = std::chrono::milliseconds(100);

// So many looks in one turn: it is logged, and again whenever the number has doubled.
constexpr std::uint32_t looks_to_log = 10;

bool is_to_log(std::uint32_t looks) {
    return looks % looks_to_log == 0 && std::has_single_bit(looks / looks_to_log);
}

}  // namespace

Answer<Done> Core::start_pools(const Plan& plan) {
    if (own_cpus_.empty()) {
        own_cpus_ = allowed_cpus();  // the manager's thread is never placed itself
    }
    for (const PoolPlan& it : plan.pools) {
        if (std::any_of(pools_.begin(), pools_.end(), [&](const auto& started) {
                return started.plan == it;
            })) {
            continue;
        }
        const std::size_t threads =
            it.threads > 0 ? it.threads : std::max<std::size_t>(own_cpus_.size(), 1);
        auto pool = std::make_shared<Pool>(clock_, it.name, threads, it.placement);
        if (const Result<Done, std::string> started = pool->start(); !started) {
            drop_pools();
            return Unexpected<Refusal>(bad_plan(started.error()));
        }
        pools_.push_back({it, std::move(pool)});
    }
    if (!pools_.empty() && !next_pool_look_) {
        next_pool_look_ = clock_.now() + pool_look;
    }
    return Done{};
}

// Where the plan has that worker; null: on a thread of its own.
Answer<std::shared_ptr<Pool>> Core::pool_of(const WorkerPlan& worker, const Plan& plan) const {
    if (worker.run.pool.empty()) {
        return std::shared_ptr<Pool>();
    }
    const PoolPlan* const wanted = plan.find_pool(worker.run.pool);
    if (wanted == nullptr) {
        return Unexpected<Refusal>(bad_plan("no pool '" + worker.run.pool + "'"));
    }
    return std::find_if(
               pools_.begin(), pools_.end(), [&](const auto& it) { return it.plan == *wanted; })
        ->pool;
}

// Those that no worker runs on and the plan does not have.
void Core::drop_pools() {
    std::erase_if(pools_, [this](const StartedPool& it) {
        const PoolPlan* const planned = plan_->find_pool(it.plan.name);
        return it.pool.use_count() == 1 && (planned == nullptr || *planned != it.plan);
    });
    if (pools_.empty()) {
        next_pool_look_.reset();
    }
}

void Core::look_at_pools() {
    next_pool_look_ = clock_.now() + pool_look;
    for (const StartedPool& started : pools_) {
        for (const Pool::Blocker& it : started.pool->look_for_blockers()) {
            if (is_to_log(it.looks)) {
                spdlog::warn(
                    "worker '{}' has kept a thread of pool '{}' to itself for {} ms: give it "
                    "a thread of its own, or the pool another one",
                    it.worker,
                    started.plan.name,
                    (pool_look * it.looks).count() / 1'000'000);
            }
        }
    }
    drop_pools();
}

Placement Core::placement_of(const RunPlan& run) const {
    Placement placement = run.placement;
    if (run.core_group > 0 && placement.cpus.empty() && !own_cpus_.empty()) {
        placement.cpus = {own_cpus_[run.core_group % own_cpus_.size()]};
    }
    return placement;
}

}  // namespace skep::host
