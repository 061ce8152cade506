// The pools of a host: made before the first worker that needs them, dropped after the last.
#include <algorithm>

#include <spdlog/spdlog.h>

#include "host/manager/core.hpp"

namespace skep::host {

namespace {

// How often pools are looked at for workers that keep a thread to themselves.
constexpr Nanos pool_look = std::chrono::milliseconds(100);

// So many looks in one turn: it is told once.
constexpr std::uint32_t looks_to_tell = 10;

}  // namespace

Answer<Done> Core::start_pools(const Plan& plan) {
    if (own_cpus_.empty()) {
        own_cpus_ = allowed_cpus();  // the manager's thread is never placed itself
    }
    for (const PoolPlan& it : plan.pools) {
        if (pools_.contains(it.name)) {
            continue;
        }
        const std::size_t threads =
            it.threads > 0 ? it.threads : std::max<std::size_t>(own_cpus_.size(), 1);
        auto pool = std::make_shared<Pool>(clock_, it.name, threads, it.placement);
        if (const Result<Done, std::string> started = pool->start(); !started) {
            drop_pools();
            return Unexpected<Refusal>(bad_plan(started.error()));
        }
        pools_.emplace(it.name, std::move(pool));
    }
    if (!pools_.empty() && !next_pool_look_) {
        next_pool_look_ = clock_.now() + pool_look;
    }
    return Done{};
}

// Those that no worker runs on and the plan does not have.
void Core::drop_pools() {
    std::erase_if(pools_, [this](const auto& it) {
        return it.second.use_count() == 1 && plan_->find_pool(it.first) == nullptr;
    });
    if (pools_.empty()) {
        next_pool_look_.reset();
    }
}

void Core::look_at_pools() {
    next_pool_look_ = clock_.now() + pool_look;
    for (const auto& [name, pool] : pools_) {
        for (const Pool::Blocker& it : pool->look_for_blockers()) {
            if (it.looks == looks_to_tell) {
                spdlog::warn(
                    "worker '{}' has kept a thread of pool '{}' to itself for {} ms: give it "
                    "a thread of its own, or the pool another one",
                    it.worker,
                    name,
                    (pool_look * looks_to_tell).count() / 1'000'000);
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
