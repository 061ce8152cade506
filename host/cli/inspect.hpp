// Formats the description of a plugin, for people and for programs. Pure.
#pragma once

#include <string>
#include <vector>

#include "host/loader/elf_file.hpp"
#include "host/topology/plugin_info.hpp"

namespace skep::host {

struct Inspected {
    std::string name;  // the value for `plugin = ` in a topology
    std::string path;
    PluginInfo info;
    ElfFacts facts;
};

[[nodiscard]] std::string inspect_text(const Inspected& plugin);

// Returns one JSON object and a newline.
[[nodiscard]] std::string inspect_json(const Inspected& plugin);

// Returns a [worker] table with every parameter, as valid TOML. Required parameters have a
// placeholder as their value; the others are comments that show their default.
[[nodiscard]] std::string stanza(const Inspected& plugin, const WorkerTypeInfo& type);

// Returns the reasons why a host may be unable to unload this plugin. Empty: none found.
[[nodiscard]] std::vector<std::string> unload_warnings(const ElfFacts& facts);

}  // namespace skep::host
