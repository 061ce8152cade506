#include "host/manager/library_cache.hpp"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>

#include <spdlog/spdlog.h>

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

LibraryCache::LibraryCache(Clock& clock,
                           Loader& loader,
                           const Manager::Limits& limits,
                           ManagerObserver* observer,
                           KnownThreads known_threads)
    : clock_(clock),
      loader_(loader),
      limits_(limits),
      observer_(observer),
      known_threads_(std::move(known_threads)) {}

// Returns why the limits allow no other version of the plugin, which may stay mapped as well; "":
// they do.
std::string LibraryCache::pinned_problem(const std::string& path) const {
    std::size_t pinned = 0;
    std::size_t bytes = 0;
    for (const LibraryFacts& it : loader_.left()) {
        if (it.path == path && it.mapped > 0) {
            ++pinned;
            bytes += it.mapped;
        }
    }
    if (pinned < limits_.pinned && bytes < limits_.pinned_bytes) {
        return "";
    }
    return path + ": cannot load another version: " + std::to_string(pinned) +
           " old versions are still mapped, with " + std::to_string(bytes >> 10) +
           " KiB ('skep generations' lists the reasons); restart the host";
}

Result<std::shared_ptr<Library>, std::string> LibraryCache::open(const WorkerPlan& plan) {
    const auto key = std::pair(plan.plugin_path, plan.plugin_content);
    auto found = libraries_.find(key);
    if (found == libraries_.end()) {
        if (std::string problem = pinned_problem(plan.plugin_path); !problem.empty()) {
            return Unexpected<std::string>(std::move(problem));
        }
        const Nanos begin = clock_.now();
        Result<std::shared_ptr<Library>> opened =
            loader_.open(plan.plugin_path, plan.plugin_content);
        if (!opened) {
            return Unexpected<std::string>(first_line(opened.error()));
        }
        found = libraries_.emplace(key, std::move(*opened)).first;
        if (const Nanos took = clock_.now() - begin; took >= slow_load) {
            spdlog::warn(
                "plugin {}: its static constructors are slow: loading it took {} ms, and "
                "the host carried out no other request in that time",
                found->second->info().id,
                std::chrono::duration_cast<std::chrono::milliseconds>(took).count());
        }
    }
    if (!plan.run.pool.empty()) {
        on_pools_.insert(found->second.get());
    }
    return found->second;
}

void LibraryCache::close_unused() {
    for (auto it = libraries_.begin(); it != libraries_.end();) {
        if (it->second.use_count() == 1) {
            close(std::move(it->second));
            it = libraries_.erase(it);
        } else {
            ++it;
        }
    }
}

std::vector<std::shared_ptr<const Library>> LibraryCache::all() const {
    std::vector<std::shared_ptr<const Library>> all;
    std::transform(
        libraries_.begin(), libraries_.end(), std::back_inserter(all), [](const auto& it) {
            return it.second;
        });
    return all;
}

void LibraryCache::close(std::shared_ptr<Library> library) {
    LibraryFacts facts = facts_of(*library);
    std::map<pid_t, std::string> left = threads_named_as_workers();
    for (const pid_t known : known_threads_()) {
        left.erase(known);
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
