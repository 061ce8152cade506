#include "host/loader/plugin_finder.hpp"

#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <system_error>

namespace skep::host {
namespace {

namespace fs = std::filesystem;

bool exists(const std::string& path) {
    std::error_code ignored;
    return fs::exists(path, ignored);
}

// Adds the names of the plugins in a folder: hello for libhello.so.
void add_names(const std::string& folder, std::vector<std::string>& names) {
    std::error_code error;
    fs::directory_iterator entry(folder, error);
    for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
        const std::string stem = entry->path().stem().string();
        if (entry->path().extension() == ".so" && stem.starts_with("lib")) {
            names.push_back(stem.substr(3));
        }
    }
}

}  // namespace

std::vector<std::string> PluginFinder::folders(const std::vector<std::string>& search) const {
    std::vector<std::string> result = search;
    if (const char* path = std::getenv("SKEP_PLUGIN_PATH")) {
        std::istringstream list(path);
        for (std::string folder; std::getline(list, folder, ':');) {
            if (!folder.empty()) {
                result.push_back(folder);
            }
        }
    }
    if (!own_folder_.empty()) {
        result.push_back(own_folder_);
    }
    if (const char* home = std::getenv("HOME")) {
        result.push_back(std::string(home) + "/.local/lib/skep/plugins");
    }
    result.emplace_back("/usr/lib/skep/plugins");
    return result;
}

std::string PluginFinder::locate(const std::string& plugin,
                                 const std::vector<std::string>& search) const {
    if (plugin.find('/') != std::string::npos || plugin.ends_with(".so")) {
        return (fs::path(base_) / plugin).lexically_normal().string();
    }
    for (const std::string& folder : folders(search)) {
        if (std::string path = folder + "/lib" + plugin + ".so"; exists(path)) {
            return path;
        }
    }
    return "";
}

Result<FoundPlugin> PluginFinder::find(const std::string& plugin,
                                       const std::vector<std::string>& search) {
    if (const std::string path = locate(plugin, search); !path.empty()) {
        return read(path);
    }
    std::string looked;
    std::vector<std::string> names;
    for (const std::string& folder : folders(search)) {
        add_names(folder, names);
        looked += (looked.empty() ? "" : ", ") + folder;
    }
    const std::string near = nearest(plugin, names);
    return failure(error_about(
        "",
        "cannot find plugin '" + plugin + "': no lib" + plugin + ".so in " + looked,
        near.empty()
            ? "give its path, or put its folder into [host] plugin_path or SKEP_PLUGIN_PATH"
            : "did you mean '" + near + "'?"));
}

Result<FoundPlugin> PluginFinder::read(const std::string& path) {
    if (const auto known = known_.find(path); known != known_.end()) {
        return known->second;
    }
    Result<PluginInfo> info = loader_.inspect(path);
    if (info) {
        const FoundPlugin found{path, std::make_shared<const PluginInfo>(std::move(*info))};
        return known_.emplace(path, found).first->second;
    }
    // The planner sets `file` to the place in the topology, so the message contains the plugin's
    // path.
    Diagnostics problems = std::move(info.error());
    for (Diagnostic& problem : problems) {
        problem.message = "plugin " + path + ": " + problem.message;
        problem.file.clear();
    }
    return known_.emplace(path, failure(std::move(problems))).first->second;
}

}  // namespace skep::host
