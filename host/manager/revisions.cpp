#include "host/manager/revisions.hpp"

#include <algorithm>
#include <tuple>

namespace skep::host {

Answer<Revision> open_revision(LibraryCache& libraries, std::shared_ptr<const WorkerPlan> plan) {
    Result<std::shared_ptr<Library>, std::string> library = libraries.open(*plan);
    if (!library) {
        return Unexpected<Refusal>(bad_plan(library.error()));
    }
    const skep_worker_type* const type = (*library)->find_type(plan->type);
    if (type == nullptr) {
        library->reset();
        libraries.close_unused();
        return Unexpected<Refusal>(
            bad_plan(plan->plugin_path + ": the plugin has no worker type '" + plan->type + "'"));
    }
    return Revision{std::move(plan), std::move(*library), type, 0};
}

Answer<Done> open_library(LibraryCache& libraries, WorkerEntry& entry) {
    if (entry.library == nullptr) {
        Answer<Revision> opened = open_revision(libraries, entry.plan);
        if (!opened) {
            return Unexpected<Refusal>(opened.error());
        }
        entry.library = std::move(opened->library);
        entry.type = opened->type;
    }
    return Done{};
}

std::vector<LibraryUse> uses_of(const LibraryCache& libraries,
                                const WorkerTable& table,
                                Loader& loader) {
    std::vector<LibraryUse> all;
    for (const std::shared_ptr<const Library>& library : libraries.all()) {
        LibraryUse& use = all.emplace_back();
        use.facts = facts_of(*library);
        use.is_open = true;
        for (const auto& [name, entry] : table.entries()) {
            if (entry->library == library) {
                use.workers.push_back(name + "@" + std::to_string(entry->generation));
            } else if (entry->swap && entry->swap->other.library == library) {
                use.standby.push_back(name);
            }
        }
    }
    for (LibraryFacts& facts : loader.left()) {
        all.push_back({std::move(facts), false, {}, {}});
    }
    std::stable_sort(all.begin(), all.end(), [](const LibraryUse& a, const LibraryUse& b) {
        return std::tie(a.facts.path, b.facts.opened) < std::tie(b.facts.path, a.facts.opened);
    });
    return all;
}

}  // namespace skep::host
