#include "host/manager/plan_checks.hpp"

#include <algorithm>
#include <iterator>
#include <set>

#include "host/manager/probation_set.hpp"
#include "host/topology/succession.hpp"

namespace skep::host {

namespace {

// Returns the receiver that a worker waits for: that of its first blocking route that is full.
const WorkerEntry* full_receiver_of(const WorkerEntry& sender,
                                    const Plan& plan,
                                    const WorkerTable& table) {
    for (const RoutePlan& route : plan.routes) {
        const WorkerEntry* const to = table.find(route.to);
        if (route.from == sender.home->name && route.when_full == WhenFull::block &&
            to != nullptr && to->home->mailbox->counts().queued >= route.queue) {
            return to;
        }
    }
    return nullptr;
}

}  // namespace

std::vector<const WorkerPlan*> workers_named(const Plan& next,
                                             const std::vector<std::string>& names) {
    std::vector<const WorkerPlan*> found;
    for (const WorkerPlan& worker : next.workers) {
        if (found.size() < names.size() && names[found.size()] == worker.name) {
            found.push_back(&worker);
        }
    }
    return found;
}

std::optional<Refusal> refusal_of(const Plan& next,
                                  const Changes& changes,
                                  const PlanInForce& plan,
                                  const WorkerTable& table,
                                  const Schedule& schedule) {
    if (schedule.has_begun() && changes.schedule_changed) {
        return bad_plan("[[schedule]] differs, which cannot change once the host has started");
    }
    if (const std::optional<std::string> vetoed = veto(*plan, changes)) {
        return bad_plan(*vetoed);
    }
    for (const WorkerPlan* const worker : workers_named(next, changes.to_add)) {
        if (const WorkerEntry* const entry =
                table.find(worker->name)) {  // from an earlier plan, and not gone yet
            Refusal refusal = cannot("add", *entry);
            if (entry->is_leaving && entry->state != WorkerState::draining) {
                refusal.message += "; an earlier reload removed it, and it has not ended yet";
            }
            return refusal;
        }
    }
    return std::nullopt;
}

namespace {

// Returns why a worker cannot get its successor, by the descriptions of the plugins.
std::optional<Refusal> swaps_refusal(const Plan& next,
                                     const Changes& changes,
                                     const WorkerTable& table,
                                     const PluginInfos& plugins,
                                     StateLoss loss) {
    for (const WorkerPlan* const worker : workers_named(next, changes.to_swap)) {
        const WorkerEntry* const found = table.find(worker->name);
        if (found == nullptr) {
            return Refusal{Refusal::Code::host_ended, "the host is ending"};
        }
        const WorkerEntry& entry = *found;
        if (std::optional<Refusal> refused = swap_refusal(entry)) {
            return refused;
        }
        const auto plugin = plugins.find(worker->plugin_content);
        if (entry.worker == nullptr || plugin == plugins.end() ||
            plugin->second.find(worker->type) == nullptr) {
            continue;
        }
        if (auto refused = successor_refusal(entry, *worker, plugin->second, loss)) {
            return refused;
        }
    }
    return std::nullopt;
}

}  // namespace

ChangeSummary summary_of(Changes changes, const Plan& next, const WorkerTable& table) {
    ChangeSummary made;
    std::copy_if(changes.to_remove.begin(),
                 changes.to_remove.end(),
                 std::back_inserter(made.state_ends),
                 [&](const std::string& worker) {
                     const WorkerEntry* const entry = table.find(worker);  // null: the host ends
                     const WorkerTypeInfo* const type = entry == nullptr ? nullptr : entry->info();
                     return type != nullptr && type->state_version > 0;
                 });
    made.stay = next.workers.size() - changes.to_add.size() - changes.to_swap.size() -
                changes.to_reconfigure.size();
    made.changes = std::move(changes);
    return made;
}

Answer<ChangeSummary> check_plan(const Plan& next,
                                 const PluginInfos& plugins,
                                 StateLoss loss,
                                 const PlanInForce& plan,
                                 const WorkerTable& table,
                                 const Schedule& schedule) {
    Changes changes = diff(*plan, next);
    std::optional<Refusal> refused = refusal_of(next, changes, plan, table, schedule);
    if (!refused) {
        refused = swaps_refusal(next, changes, table, plugins, loss);
    }
    if (refused) {
        return Unexpected<Refusal>(*refused);
    }
    return summary_of(std::move(changes), next, table);
}

std::optional<Refusal> successor_refusal(const WorkerEntry& entry,
                                         const WorkerPlan& plan,
                                         const PluginInfo& plugin,
                                         StateLoss loss) {
    const WorkerTypeInfo& before = *entry.info();
    const WorkerTypeInfo& next = *plugin.find(plan.type);
    const bool is_other_build = plan.plugin_path != entry.plan->plugin_path ||
                                plan.plugin_content != entry.plan->plugin_content;
    std::optional<std::string> problem = succession_problem(before, next);
    if (problem) {
        *problem += "; to start it without state: skep drain " + plan.name +
                    ", skep reload, skep restart " + plan.name;
    } else if (is_other_build && plugin.static_tls) {
        problem =
            "its plugin has static TLS, and a process has room for only a few versions of that; "
            "compile it without -ftls-model=initial-exec, or restart the host";
    } else if (loss == StateLoss::refused) {
        problem = state_problem(before, next);
    }
    if (!problem) {
        return std::nullopt;
    }
    return bad_plan("worker '" + plan.name + "' cannot get a successor: " + *problem);
}

std::optional<Refusal> swap_refusal(const WorkerEntry& entry) {
    if (entry.swap && !entry.swap->is_committed) {
        return in_between(entry);
    }
    if (entry.swap && entry.swap->is_hanging && ProbationSet::is_in_that_call(entry)) {
        return Refusal{Refusal::Code::illegal_state,
                       "worker '" + entry.home->name +
                           "' has not returned from the call in which its probation ended"};
    }
    if (entry.state != WorkerState::running && entry.state != WorkerState::paused &&
        !is_at_rest(entry.state) && entry.state != WorkerState::created) {
        return cannot("swap", entry);
    }
    return std::nullopt;
}

Refusal in_between(const WorkerEntry& entry) {
    return {Refusal::Code::illegal_state,
            "worker '" + entry.home->name + "' is between two generations"};
}

std::string why_late(const WorkerEntry& late,
                     const Plan& plan,
                     const WorkerTable& table,
                     Nanos now) {
    const WorkerEntry* slow = &late;
    std::set<const WorkerEntry*> seen;
    while (seen.insert(slow).second) {
        const WorkerEntry* const next = full_receiver_of(*slow, plan, table);
        slow = next == nullptr ? slow : next;
    }
    const WorkerMetrics metrics = slow->metrics(now);
    std::string why = "worker '" + slow->home->name + "' ";
    if (!metrics.call.empty() || metrics.in.in_flight > 0 || slow == &late) {
        why += "did not come to a boundary between two messages in time";
    } else {
        why += "takes no messages";
    }
    if (!metrics.call.empty()) {
        why += ": it is inside '" + metrics.call + "' of its plugin";
    }
    if (slow != &late) {
        why += ", and worker '" + late.home->name + "' waits for room at it";
    }
    return why + "; its 'quiesce' says how long it may take";
}

}  // namespace skep::host
