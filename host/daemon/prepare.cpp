#include "host/daemon/prepare.hpp"

#include <filesystem>
#include <set>
#include <system_error>
#include <utility>
#include <vector>

#include <spdlog/spdlog.h>
#include <sys/auxv.h>

#include "host/topology/planning.hpp"

namespace skep::host {
namespace {

namespace fs = std::filesystem;

// Returns the path of this program, also where /proc is not mounted: the kernel passes it on.
fs::path own_file() {
    std::error_code error;
    const fs::path path = fs::read_symlink("/proc/self/exe", error);
    // NOLINTNEXTLINE(performance-no-int-to-ptr): the kernel passes the address as a number
    const auto* const passed = reinterpret_cast<const char*>(::getauxval(AT_EXECFN));
    return !error || passed == nullptr ? path : fs::canonical(passed, error);
}

// Returns the plugin folder next to the executable: PREFIX/lib/skep/plugins of an installation, or
// BUILD/plugins of a build.
std::string own_plugin_folder() {
    std::error_code error;
    const fs::path prefix = own_file().parent_path().parent_path();
    const fs::path installed = prefix / "lib/skep/plugins";
    return (fs::is_directory(installed, error) ? installed : prefix / "plugins").string();
}

// Returns the path of this executable, to run it again. Prefers the path that the link names,
// because under valgrind the link itself leads to valgrind. Returns the link if the file was
// replaced by another version.
std::string own_executable() {
    std::error_code error;
    const fs::path path = own_file();
    return fs::exists(path, error) ? path.string() : "/proc/self/exe";
}

// Probes all plugins of a topology in one child process.
void probe_plugins(const Topology& topology, const PluginFinder& finder, FileLoader& loader) {
    std::set<std::string> names;
    for (const TopologyWorker& worker : topology.workers) {
        if (worker.plugin) {
            names.insert(worker.plugin->value);
        }
    }
    std::vector<std::string> paths;
    for (const std::string& name : names) {
        if (std::string path = finder.locate(name, plugin_folders(topology)); !path.empty()) {
            paths.push_back(std::move(path));
        }
    }
    spdlog::debug("probing {} in a child process", counted(paths.size(), "plugin"));
    loader.probe_all(paths);
}

}  // namespace

Result<std::unique_ptr<FileLoader>> make_loader(const std::atomic<bool>* is_cancelled) {
    Result<std::unique_ptr<FileLoader>> loader = FileLoader::create();
    if (loader) {
        (*loader)->probe_with(own_executable(), is_cancelled);
    }
    return loader;
}

PluginFinder plugin_finder(FileLoader& loader, const std::string& base) {
    return {loader, base.empty() ? "." : base, own_plugin_folder()};
}

Prepared prepare(const std::string& file, FileLoader& loader, PipeUse pipes) {
    Prepared prepared;
    prepared.file = file;
    Topology topology = read_topology(file, process_environment, pipes);
    PluginFinder finder = plugin_finder(loader, fs::path(file).parent_path().string());
    probe_plugins(topology, finder, loader);
    Result<Planned> planned = make_plan(
        topology,
        [&](const std::string& plugin, const std::vector<std::string>& search) {
            return finder.find(plugin, search);
        },
        read_process_limits());
    prepared.source = std::move(topology.source);
    if (!planned) {
        prepared.diagnostics = std::move(planned.error());
        return prepared;
    }
    prepared.diagnostics = std::move(planned->warnings);
    prepared.plan = std::move(planned->plan);
    return prepared;
}

std::string rendered(const Prepared& prepared) {
    const SourceLines lines(prepared.source);
    const SourceLines none;
    std::string text;
    for (const Diagnostic& diagnostic : prepared.diagnostics) {
        text += render(diagnostic, diagnostic.file == prepared.file ? lines : none);
    }
    return text;
}

std::string counted(std::size_t count, const std::string& noun) {
    return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

}  // namespace skep::host
