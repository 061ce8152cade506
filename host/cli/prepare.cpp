#include "host/cli/prepare.hpp"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>
#include <utility>

#include "host/cli/options.hpp"

namespace skep::host {
namespace {

namespace fs = std::filesystem;

// Beside the executable: in PREFIX/lib/skep/plugins where skep is installed, in BUILD/plugins where
// it was built.
std::string own_plugin_folder() {
    std::error_code error;
    const fs::path executable = fs::read_symlink("/proc/self/exe", error);
    const fs::path prefix = executable.parent_path().parent_path();
    const fs::path installed = prefix / "lib/skep/plugins";
    return (fs::is_directory(installed, error) ? installed : prefix / "plugins").string();
}

// For showing lines only: whether the file can be read is the parser's to say.
std::string text_of(const std::string& file) {
    std::error_code error;
    if (!fs::is_regular_file(file, error)) {
        return {};
    }
    std::ifstream stream(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
}

}  // namespace

PluginFinder plugin_finder(FileLoader& loader, const std::string& base) {
    return {loader, base.empty() ? "." : base, own_plugin_folder()};
}

Prepared prepare(const std::string& file, FileLoader& loader) {
    Prepared prepared;
    prepared.file = file;
    Result<Topology> topology = read_topology(file, process_environment);
    if (!topology) {
        prepared.diagnostics = std::move(topology.error());
        prepared.source = text_of(file);
        return prepared;
    }
    prepared.source = topology->source;
    PluginFinder finder = plugin_finder(loader, fs::path(file).parent_path().string());
    Result<Planned> planned = make_plan(
        *topology, [&](const std::string& plugin, const std::vector<std::string>& search) {
            return finder.find(plugin, search);
        });
    if (!planned) {
        prepared.diagnostics = std::move(planned.error());
        return prepared;
    }
    prepared.diagnostics = std::move(planned->warnings);
    prepared.plan = std::move(planned->plan);
    return prepared;
}

std::string rendered(const Prepared& prepared) {
    std::string text;
    for (const Diagnostic& diagnostic : prepared.diagnostics) {
        const bool has_line = diagnostic.file == prepared.file;
        text += render(diagnostic, has_line ? prepared.source : "");
    }
    return text;
}

std::string counted(std::size_t count, const std::string& noun) {
    return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

int answer(const std::string& text, int exit_code) {
    std::fwrite(text.data(), 1, text.size(), stdout);
    if (std::fflush(stdout) != 0) {
        std::perror("skep: cannot write to stdout");
        return exit_failed;
    }
    return exit_code;
}

int refuse(const Diagnostics& diagnostics, int exit_code) {
    for (const Diagnostic& diagnostic : diagnostics) {
        std::fputs(render(diagnostic).c_str(), stderr);
    }
    return exit_code;
}

}  // namespace skep::host
