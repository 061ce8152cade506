// The plugins of a host: opened for the first worker that needs them, closed after the last.
#include <algorithm>
#include <chrono>
#include <tuple>

#include <spdlog/spdlog.h>

#include "host/manager/core.hpp"
#include "host/worker/thread_census.hpp"

namespace skep::host {

namespace {

// A plugin of 5 MB takes a tenth of this time, if its static constructors do nothing.
constexpr Nanos slow_load = std::chrono::milliseconds(100);

std::string first_line(const Diagnostics& diagnostics) {
    std::string text;
    for (const Diagnostic& it : diagnostics) {
        text += (text.empty() ? "" : "; ") + (it.file.empty() ? "" : it.file + ": ") + it.message;
    }
    return text;
}

}  // namespace

// Checks that the limits allow another version of the plugin, in case it stays mapped as well.
Answer<Done> Core::check_pinned(const std::string& path) {
    const std::vector<LibraryFacts> left = loader_.left();
    std::size_t pinned = 0;
    std::size_t bytes = 0;
    for (const LibraryFacts& it : left) {
        if (it.path == path && it.mapped > 0) {
            ++pinned;
            bytes += it.mapped;
        }
    }
    if (pinned < limits_.pinned && bytes < limits_.pinned_bytes) {
        return Done{};
    }
    return Unexpected<Refusal>(
        bad_plan(path + ": cannot load another version: " + std::to_string(pinned) +
                 " old versions are still mapped, with " + std::to_string(bytes >> 10) +
                 " KiB ('skep generations' lists the reasons); restart the host"));
}

// Opens the plugin that the plan of a worker names.
Answer<Revision> Core::open_revision(std::shared_ptr<const WorkerPlan> plan) {
    const auto key = std::pair(plan->plugin_path, plan->plugin_content);
    std::shared_ptr<Library> library;
    if (const auto found = libraries_.find(key); found != libraries_.end()) {
        library = found->second;
    } else {
        if (const Answer<Done> checked = check_pinned(plan->plugin_path); !checked) {
            return Unexpected<Refusal>(checked.error());
        }
        const Nanos begin = clock_.now();
        Result<std::shared_ptr<Library>> opened =
            loader_.open(plan->plugin_path, plan->plugin_content);
        if (!opened) {
            return Unexpected<Refusal>(bad_plan(first_line(opened.error())));
        }
        library = std::move(*opened);
        if (const Nanos took = clock_.now() - begin; took >= slow_load) {
            spdlog::warn(
                "plugin {}: its static constructors are slow: loading it took {} ms, and "
                "the host carried out no other request in that time",
                library->info().id,
                std::chrono::duration_cast<std::chrono::milliseconds>(took).count());
        }
        libraries_.emplace(key, library);
    }
    if (!plan->run.pool.empty()) {
        on_pools_.insert(library.get());
    }
    const skep_worker_type* const type = library->find_type(plan->type);
    if (type == nullptr) {
        library.reset();
        close_unused_libraries();
        return Unexpected<Refusal>(
            bad_plan(plan->plugin_path + ": the plugin has no worker type '" + plan->type + "'"));
    }
    return Revision{std::move(plan), std::move(library), type, 0};
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

void Core::close_unused_libraries() {
    for (auto it = libraries_.begin(); it != libraries_.end();) {
        if (it->second.use_count() == 1) {
            close_library(std::move(it->second));
            it = libraries_.erase(it);
        } else {
            ++it;
        }
    }
}

std::vector<LibraryUse> Core::libraries() {
    std::vector<LibraryUse> all;
    for (const auto& [key, library] : libraries_) {
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

// Closes a library, or leaves it mapped if a thread may still be inside it.
void Core::close_library(std::shared_ptr<Library> library) {
    LibraryFacts facts = facts_of(*library);
    std::map<pid_t, std::string> left = threads_named_as_workers();
    for (const auto& [thread, worker] : lost_threads_) {
        left.erase(thread);
    }
    for (const auto& [name, entry] : entries_) {
        if (entry->worker != nullptr) {
            for (const auto& it : entry->worker->threads()) {
                left.erase(it->id());
            }
        }
    }
    for (const auto& [number, it] : asides_) {
        left.erase(it.id->load());
    }
    const bool was_on_pool = on_pools_.erase(library.get()) > 0;
    if (!left.empty()) {
        const auto& [thread, name] = *left.begin();
        facts.cause = "a worker left thread " + name + " (" + std::to_string(thread) + ") behind";
    } else if (was_on_pool && !library->info().thread_keys.empty()) {
        facts.cause = library->info().thread_keys +
                      ", whose destructors run when the threads of its pool end";
    }
    if (!facts.cause.empty()) {
        spdlog::log(left.empty() ? spdlog::level::info : spdlog::level::warn,
                    "plugin {} stays mapped: {}",
                    facts.id,
                    facts.cause);
        loader_.abandon(std::move(library), facts.cause);
    } else if (const UnloadReport report = loader_.close(std::move(library)); !report.unloaded) {
        facts.cause = report.cause;
        spdlog::info("plugin {} stays mapped: {}", facts.id, facts.cause);
    }
    if (observer_ != nullptr) {
        observer_->closed(facts);
    }
}

}  // namespace skep::host
