// What a plugin says of itself, for people and for programs. Pure.
#pragma once

#include <string>
#include <vector>

#include "host/loader/elf_file.hpp"
#include "host/topology/plugin_info.hpp"

namespace skep::host {

struct Inspected {
    std::string name;  // what `plugin = ` in a topology would say
    std::string path;
    PluginInfo info;
    ElfFacts facts;
};

[[nodiscard]] std::string inspect_text(const Inspected& plugin);

// One JSON object and a newline.
[[nodiscard]] std::string inspect_json(const Inspected& plugin);

// A [worker] table with every parameter: the required ones filled with a placeholder, the others as
// comments that show their default. Valid TOML.
[[nodiscard]] std::string stanza(const Inspected& plugin, const WorkerTypeInfo& type);

// Why a host that loads this plugin may not get rid of it again; empty when nothing speaks against
// it.
[[nodiscard]] std::vector<std::string> unload_warnings(const ElfFacts& facts);

}  // namespace skep::host
