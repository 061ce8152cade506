#include "host/manager/drain_order.hpp"

#include <algorithm>

#include "host/worker/activity.hpp"

namespace skep::host {

namespace {

// At the end up to `one_by_one` groups drain one by one, and more groups in `parts` parts: a host
// of 100,000 workers must not look at all of them 100,000 times.
constexpr std::size_t one_by_one = 256;
constexpr std::size_t parts = 32;

using Groups = std::span<const GroupFacts>;

std::vector<bool> ended(Groups groups, bool for_good) {
    std::vector<bool> found(groups.size());
    std::transform(groups.begin(), groups.end(), found.begin(), [&](const GroupFacts& it) {
        return it.has_ended(for_good);
    });
    return found;
}

bool all_of_upstream(const GroupFacts& group, const std::vector<bool>& has) {
    return std::all_of(
        group.upstream.begin(), group.upstream.end(), [&](std::size_t up) { return has[up]; });
}

// A worker that routes feed drains when all its feeders have ended. If workers also send to it
// directly, or if no route feeds it, it drains when the host's work is done.
DrainDecision while_working(Groups groups, const HostFacts& host) {
    DrainDecision made;
    const std::vector<bool> has_ended = ended(groups, true);
    bool is_alive = host.is_changing;
    bool has_source = false;
    bool is_any_left = false;
    for (std::size_t i = 0; i < groups.size(); ++i) {
        const GroupFacts& it = groups[i];
        has_source = has_source || it.is_source();
        if (has_ended[i]) {
            continue;
        }
        is_any_left = is_any_left || it.is_at_work;
        made.is_in_motion = made.is_in_motion || it.is_in_motion || it.is_loop_busy;
        // A worker that waits for one that an operator has stopped keeps waiting.
        is_alive = is_alive || it.is_alive() ||
                   std::any_of(it.upstream.begin(), it.upstream.end(), [&](std::size_t up) {
                       return groups[up].is_halted && it.is_at_work;
                   });
        if (it.was_sent_to || it.is_changing || !it.is_at_work) {
            continue;
        }
        if (!it.is_fed()) {
            if (it.is_cycle && it.is_source() && !it.runs_loop && !it.has_timer) {
                made.if_quiet.push_back(i);
            }
        } else if (all_of_upstream(it, has_ended)) {
            if (!it.runs_handler && !it.is_cycle) {
                made.drain.push_back(i);
            } else if (!it.has_one_shot) {
                made.if_quiet.push_back(i);
            }
        }
    }
    made.is_host_next = host.ends_by_itself && has_source && is_any_left && !is_alive;
    return made;
}

// Drains the groups one after the other, which lets messages from on_drain find their receivers.
// The order is that of the flow, then that of the file. Groups that got no direct message come
// first, and groups without on_drain, which send nothing, last.
DrainDecision once_done(Groups groups) {
    DrainDecision made;
    const std::vector<bool> has_ended = ended(groups, false);
    std::vector<std::size_t> by_rank[3];
    std::size_t left = 0;
    for (std::size_t i = 0; i < groups.size(); ++i) {
        const GroupFacts& it = groups[i];
        if (it.is_changing) {
            return made;  // this group drains
        }
        made.is_in_motion = made.is_in_motion || it.is_in_motion;
        if (has_ended[i]) {
            continue;
        }
        ++left;
        if (all_of_upstream(it, has_ended)) {
            by_rank[!it.has_on_drain ? 2 : it.was_sent_to ? 1 : 0].push_back(i);
        }
    }
    for (std::size_t rank = 0; rank < 3 && made.next.empty(); ++rank) {
        made.next = std::move(by_rank[rank]);
        if (rank < 2) {
            const std::size_t most = left <= one_by_one ? 1 : left / parts;
            made.next.resize(std::min(made.next.size(), most));
        }
    }
    made.is_host_next = !made.next.empty();
    return made;
}

// Drains from the sources down, even if messages are left, because one deadline applies to all.
// Handlers without feeding routes and without a timer get direct messages, and drain last.
DrainDecision while_stopping(Groups groups) {
    DrainDecision made;
    const std::vector<bool> has_ended = ended(groups, true);
    std::vector<bool> is_passive(groups.size());
    std::vector<bool> waits(groups.size());  // passive, or fed by a passive group
    bool have_others_ended = true;
    for (std::size_t i = groups.size(); i-- > 0;) {
        const GroupFacts& it = groups[i];
        is_passive[i] = !it.is_fed() && !it.has_loop && !it.has_timer;
        waits[i] = is_passive[i] || std::any_of(it.upstream.begin(),
                                                it.upstream.end(),
                                                [&](std::size_t up) { return waits[up]; });
        have_others_ended = have_others_ended && (waits[i] || has_ended[i]);
    }
    for (std::size_t i = 0; i < groups.size(); ++i) {
        if (!has_ended[i] &&
            (is_passive[i] ? have_others_ended : all_of_upstream(groups[i], has_ended))) {
            made.drain.push_back(i);
        }
    }
    return made;
}

}  // namespace

void GroupFacts::add(const WorkerFacts& worker) {
    using Life = WorkerFacts::Life;
    const bool is_there = worker.life == Life::at_work || worker.life == Life::changing;
    const auto does = [&](std::uint32_t bits) { return is_there && (worker.activity & bits) != 0; };
    is_at_work = is_at_work || worker.life == Life::at_work;
    is_changing = is_changing || worker.life == Life::changing;
    is_halted = is_halted || worker.life == Life::halted;
    has_loop = has_loop || worker.is_loop;
    has_loop_ended = has_loop_ended || (worker.is_loop && worker.life == Life::ended);
    runs_loop = runs_loop || (worker.is_loop && is_there);
    runs_handler = runs_handler || (!worker.is_loop && is_there);
    is_loop_busy = is_loop_busy || (worker.is_loop && is_there && !does(Activity::receiving));
    has_timer = has_timer || does(Activity::timers);
    has_one_shot = has_one_shot || does(Activity::one_shot);
    is_in_motion = is_in_motion || does(Activity::transient);
    has_on_drain = has_on_drain || worker.has_on_drain;
    was_sent_to = was_sent_to || worker.was_sent_to;
    began_timer = began_timer || (worker.activity & Activity::began) != 0;
    began_one_shot = began_one_shot || (worker.activity & Activity::began_one_shot) != 0;
}

DrainDecision decide(std::span<const GroupFacts> groups, const HostFacts& host) {
    switch (host.phase) {
        case HostFacts::Phase::working:
            return while_working(groups, host);
        case HostFacts::Phase::done:
            return once_done(groups);
        default:
            return while_stopping(groups);
    }
}

}  // namespace skep::host
