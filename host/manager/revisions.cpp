// The revisions that workers have: which library and which type of it.
#include <algorithm>
#include <tuple>

#include "host/manager/core.hpp"

namespace skep::host {

// Opens the plugin that the plan of a worker names.
Answer<Revision> Core::open_revision(std::shared_ptr<const WorkerPlan> plan) {
    Result<std::shared_ptr<Library>, std::string> library = libraries_.open(*plan);
    if (!library) {
        return Unexpected<Refusal>(bad_plan(library.error()));
    }
    const skep_worker_type* const type = (*library)->find_type(plan->type);
    if (type == nullptr) {
        library->reset();
        libraries_.close_unused();
        return Unexpected<Refusal>(
            bad_plan(plan->plugin_path + ": the plugin has no worker type '" + plan->type + "'"));
    }
    return Revision{std::move(plan), std::move(*library), type, 0};
}

Answer<Done> Core::open_library(WorkerEntry& entry) {
    if (entry.library == nullptr) {
        Answer<Revision> opened = open_revision(entry.plan);
        if (!opened) {
            return Unexpected<Refusal>(opened.error());
        }
        entry.library = std::move(opened->library);
        entry.type = opened->type;
    }
    return Done{};
}

std::vector<LibraryUse> Core::libraries() {
    std::vector<LibraryUse> all;
    for (const std::shared_ptr<const Library>& library : libraries_.all()) {
        LibraryUse& use = all.emplace_back();
        use.facts = facts_of(*library);
        use.is_open = true;
        for (const auto& [name, entry] : entries_) {
            if (entry->library == library) {
                use.workers.push_back(name + "@" + std::to_string(entry->generation));
            } else if (entry->swap && entry->swap->other.library == library) {
                use.standby.push_back(name);
            }
        }
    }
    for (LibraryFacts& facts : loader_.left()) {
        all.push_back({std::move(facts), false, {}, {}});
    }
    std::stable_sort(all.begin(), all.end(), [](const LibraryUse& a, const LibraryUse& b) {
        return std::tie(a.facts.path, b.facts.opened) < std::tie(b.facts.path, a.facts.opened);
    });
    return all;
}

// Returns the threads of workers and helpers, and those that are lost.
std::set<pid_t> Core::known_threads() const {
    std::set<pid_t> known;
    for (const auto& [thread, worker] : lost_threads_) {
        known.insert(thread);
    }
    for (const Worker::LostCall& it : lost_calls_) {
        known.insert(it.thread_id);
    }
    for (const auto& [name, entry] : entries_) {
        if (entry->worker != nullptr) {
            for (const auto& it : entry->worker->threads()) {
                known.insert(it->id());
            }
        }
    }
    const std::vector<pid_t> helpers = helpers_.ids();
    known.insert(helpers.begin(), helpers.end());
    return known;
}

}  // namespace skep::host
