// Finds the plugin that a topology names, and reads it.
//
// A name with a '/' in it, or ending in ".so", is a path, relative to the base folder. Any other
// name X is looked for as libX.so, and the first place that has it counts:
//
//   1. the search folders of the topology
//   2. the folders of $SKEP_PLUGIN_PATH, separated by colons
//   3. the folder of the host's own plugins
//   4. ~/.local/lib/skep/plugins
//   5. /usr/lib/skep/plugins
//
// What was read is remembered by its path for as long as the finder lives: one finder serves one
// look at a topology, and the next reload makes another. [manager-thread]
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "host/loader/file_loader.hpp"
#include "host/topology/plan.hpp"

namespace skep::host {

class PluginFinder {
public:
    // The loader must outlive the finder. `base` is the folder of the topology file.
    PluginFinder(FileLoader& loader, std::string base, std::string own_folder)
        : loader_(loader),
          base_(std::move(base)),
          own_folder_(std::move(own_folder)) {}

    // As FindPlugin (plan.hpp) wants it.
    [[nodiscard]] Result<FoundPlugin> find(const std::string& plugin,
                                           const std::vector<std::string>& search);

    // The file that find() reads; "" where there is none.
    [[nodiscard]] std::string locate(const std::string& plugin,
                                     const std::vector<std::string>& search) const;

    // Every folder that is looked in, in order.
    [[nodiscard]] std::vector<std::string> folders(const std::vector<std::string>& search) const;

private:
    Result<FoundPlugin> read(const std::string& path);

    FileLoader& loader_;
    const std::string base_;
    const std::string own_folder_;
    std::map<std::string, Result<FoundPlugin>> known_;  // by path
};

}  // namespace skep::host
