#include "host/daemon/verdict_json.hpp"

#include <chrono>

#include <nlohmann/json.hpp>

namespace skep::host {
namespace {

using Json = nlohmann::ordered_json;

Json milliseconds(Nanos span) {
    return std::chrono::duration<double, std::milli>(span).count();
}

Json swap_json(const AppliedSwap& it) {
    Json json = {{"worker", it.now->name},
                 {"generation", it.generation},
                 {"plugin", it.plugin},
                 {"path", it.now->plugin_path},
                 {"hash_before", it.before->plugin_content},
                 {"hash", it.now->plugin_content}};
    if (it.figures) {
        json["blackout_ns"] = it.figures->blackout.count();
        json["state_bytes"] = it.figures->state_bytes;
        json["queued"] = it.figures->queued;
    }
    return json;
}

}  // namespace

Json changes_json(const ChangeSummary& it) {
    const Changes& changes = it.changes;
    return {{"swap", changes.to_swap},
            {"reconfigure", changes.to_reconfigure},
            {"start", changes.to_add},
            {"stop", changes.to_remove},
            {"state_ends", it.state_ends},
            {"rewire", changes.routes_changed},
            {"settings", changes.settings_changed},
            {"stay", it.stay}};
}

Json details_json(const ReloadDetails& it) {
    Json json = {{"changes", changes_json(it.applied.summary)}};
    if (it.read) {
        json["steps_ms"]["read"] = milliseconds(*it.read);
    }
    if (!it.applied.summary.changes.empty()) {
        json["steps_ms"]["open"] = milliseconds(it.applied.steps.open);
        json["steps_ms"]["make"] = milliseconds(it.applied.steps.make);
        json["steps_ms"]["take"] = milliseconds(it.applied.steps.take);
    }
    json["swapped"] = Json::array();
    for (const AppliedSwap& swap : it.applied.swaps) {
        json["swapped"].push_back(swap_json(swap));
    }
    return json;
}

}  // namespace skep::host
