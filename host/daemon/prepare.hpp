// The first steps of a start, a reload and a check: finds the plugins, reads the topology and plans
// it.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include "host/loader/plugin_finder.hpp"
#include "host/topology/plan.hpp"

namespace skep::host {

struct Prepared {
    std::optional<Plan> plan;  // none: the topology is refused
    Diagnostics diagnostics;   // the errors, or the warnings about a valid topology
    std::string file;          // the path, as the user wrote it
    std::string source;        // the text of the file; empty if it could not be read
};

// Returns a loader that probes plugins in a child process before it opens them. It refuses them
// once `is_cancelled` is true.
[[nodiscard]] Result<std::unique_ptr<FileLoader>> make_loader(
    const std::atomic<bool>* is_cancelled = nullptr);

// Reads and plans a topology. Probes, opens and closes every plugin that the topology names; starts
// no worker.
[[nodiscard]] Prepared prepare(const std::string& file,
                               FileLoader& loader,
                               PipeUse pipes = PipeUse::read_to_end);

// Returns all diagnostics as compilers print them, with the lines of the topology.
[[nodiscard]] std::string rendered(const Prepared& prepared);

// Returns a finder for plugin names of a topology in the folder `base`.
[[nodiscard]] PluginFinder plugin_finder(FileLoader& loader, const std::string& base);

// Returns "1 worker" or "2 workers".
[[nodiscard]] std::string counted(std::size_t count, const std::string& noun);

}  // namespace skep::host
