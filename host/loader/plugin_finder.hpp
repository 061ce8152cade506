// Finds the plugin that a topology names, and reads it.
//
// A name that contains a '/' or ends in ".so" is a path, relative to the base folder. Any other
// name X is searched as libX.so, and the first match counts:
//
//   1. the search folders of the topology
//   2. the folders of $SKEP_PLUGIN_PATH, separated by colons
//   3. the folder of the host's own plugins
//   4. ~/.local/lib/skep/plugins
//   5. /usr/lib/skep/plugins
//
// The finder remembers each file that it has read, by its path. One finder serves one look at a
// topology, and the next reload creates another. [manager-thread]
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

    // Implements FindPlugin (plan.hpp).
    [[nodiscard]] Result<FoundPlugin> find(const std::string& plugin,
                                           const std::vector<std::string>& search);

    // Returns the file that find() reads; "" if none exists.
    [[nodiscard]] std::string locate(const std::string& plugin,
                                     const std::vector<std::string>& search) const;

    // Returns every folder that is searched, in order.
    [[nodiscard]] std::vector<std::string> folders(const std::vector<std::string>& search) const;

private:
    Result<FoundPlugin> read(const std::string& path);

    FileLoader& loader_;
    const std::string base_;
    const std::string own_folder_;
    std::map<std::string, Result<FoundPlugin>> known_;  // by path
};

}  // namespace skep::host
