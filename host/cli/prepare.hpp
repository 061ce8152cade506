// What all verbs begin with: find the plugins, read the topology, plan it, and say what is wrong.
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
    Diagnostics diagnostics;   // why; or the warnings about a good one
    std::string file;          // as the user wrote it
    std::string source;        // its text; empty when it could not be read
};

// A loader that tries plugins in a child process before it opens them. Once `is_cancelled` it
// refuses them instead.
[[nodiscard]] Result<std::unique_ptr<FileLoader>> make_loader(
    const std::atomic<bool>* is_cancelled = nullptr);

// Starts nothing, but tries, opens and closes every plugin that the topology names.
[[nodiscard]] Prepared prepare(const std::string& file,
                               FileLoader& loader,
                               PipeUse pipes = PipeUse::read_to_end);

// All diagnostics as compilers print them, with the lines of the topology.
[[nodiscard]] std::string rendered(const Prepared& prepared);

// A finder for names as they stand in a topology in the folder `base`.
[[nodiscard]] PluginFinder plugin_finder(FileLoader& loader, const std::string& base);

// "1 worker", "2 workers".
[[nodiscard]] std::string counted(std::size_t count, const std::string& noun);

// Writes an answer to stdout, all of it. The exit code: `exit_code`, or exit_failed where stdout
// takes no more.
[[nodiscard]] int answer(const std::string& text, int exit_code);

// Writes to stderr what makes the verb impossible, and gives `exit_code` back.
int refuse(const Diagnostics& diagnostics, int exit_code);

}  // namespace skep::host
