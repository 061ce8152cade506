#include "host/daemon/verdict_json.hpp"

#include <chrono>

#include <nlohmann/json.hpp>

namespace skep::host {
namespace {

using Json = nlohmann::ordered_json;

Json milliseconds(Nanos span) {
    return std::chrono::duration<double, std::milli>(span).count();
}

Json swap_json(const ReloadDetails::Swap& it) {
    Json json = {{"worker", it.worker},
                 {"generation", it.generation},
                 {"plugin", it.plugin},
                 {"path", it.path},
                 {"hash_before", it.hash_before},
                 {"hash", it.hash}};
    if (it.metrics) {
        json["blackout_ns"] = it.metrics->blackout.count();
        json["state_bytes"] = it.metrics->state_bytes;
        json["queued"] = it.metrics->queued;
    }
    return json;
}

}  // namespace

Json changes_json(const ReloadChanges& it) {
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
    Json json = {{"changes", changes_json(it.changes)}};
    if (it.read) {
        json["steps_ms"]["read"] = milliseconds(*it.read);
    }
    if (it.steps) {
        json["steps_ms"]["open"] = milliseconds(it.steps->open);
        json["steps_ms"]["make"] = milliseconds(it.steps->make);
        json["steps_ms"]["take"] = milliseconds(it.steps->take);
    }
    json["swapped"] = Json::array();
    for (const ReloadDetails::Swap& swap : it.swaps) {
        json["swapped"].push_back(swap_json(swap));
    }
    return json;
}

}  // namespace skep::host
