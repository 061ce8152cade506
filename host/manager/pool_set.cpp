#include "host/manager/pool_set.hpp"

#include <algorithm>
#include <bit>

#include <spdlog/spdlog.h>

namespace skep::host {

namespace {

// How often the manager looks for workers that block a thread of a pool.
constexpr Nanos pool_look = std::chrono::milliseconds(100);

// A worker that is in one turn for this number of looks is logged, and again at each doubling.
constexpr std::uint32_t looks_to_log = 10;

bool is_to_log(std::uint32_t looks) {
    return looks % looks_to_log == 0 && std::has_single_bit(looks / looks_to_log);
}

}  // namespace

Result<Done, std::string> PoolSet::start(const Plan& next, const Plan& in_force) {
    if (own_cpus_.empty()) {
        own_cpus_ = allowed_cpus();  // the manager's thread has no placement
    }
    for (const PoolPlan& it : next.pools) {
        if (std::any_of(pools_.begin(), pools_.end(), [&](const auto& started) {
                return started.plan == it;
            })) {
            continue;
        }
        const std::size_t threads =
            it.threads > 0 ? it.threads : std::max<std::size_t>(own_cpus_.size(), 1);
        auto pool = std::make_shared<Pool>(clock_, it.name, threads, it.placement);
        if (const Result<Done, std::string> started = pool->start(); !started) {
            drop_unused(in_force);
            return Unexpected<std::string>(started.error());
        }
        pools_.push_back({it, std::move(pool)});
    }
    if (!pools_.empty() && !next_look_) {
        next_look_ = clock_.now() + pool_look;
    }
    return Done{};
}

Result<std::shared_ptr<Pool>, std::string> PoolSet::find(const WorkerPlan& worker,
                                                         const Plan& plan) const {
    if (worker.run.pool.empty()) {
        return std::shared_ptr<Pool>();
    }
    const PoolPlan* const wanted = plan.find_pool(worker.run.pool);
    if (wanted == nullptr) {
        return Unexpected<std::string>("no pool '" + worker.run.pool + "'");
    }
    return std::find_if(
               pools_.begin(), pools_.end(), [&](const auto& it) { return it.plan == *wanted; })
        ->pool;
}

void PoolSet::drop_unused(const Plan& in_force) {
    std::erase_if(pools_, [&](const StartedPool& it) {
        const PoolPlan* const planned = in_force.find_pool(it.plan.name);
        return it.pool.use_count() == 1 && (planned == nullptr || *planned != it.plan);
    });
    if (pools_.empty()) {
        next_look_.reset();
    }
}

void PoolSet::look(const Plan& in_force) {
    next_look_ = clock_.now() + pool_look;
    for (const StartedPool& started : pools_) {
        for (const Pool::Blocker& it : started.pool->look_for_blockers()) {
            if (is_to_log(it.looks)) {
                spdlog::warn(
                    "worker '{}': has kept a thread of pool '{}' busy for {} ms: give the "
                    "worker its own thread, or the pool another thread",
                    it.worker,
                    started.plan.name,
                    (pool_look * it.looks).count() / 1'000'000);
            }
        }
    }
    drop_unused(in_force);
}

Placement PoolSet::placement_of(const RunPlan& run) const {
    Placement placement = run.placement;
    if (run.core_group > 0 && placement.cpus.empty() && !own_cpus_.empty()) {
        placement.cpus = {own_cpus_[run.core_group % own_cpus_.size()]};
    }
    return placement;
}

}  // namespace skep::host
