// The libraries that a plugin brings: those that it needs (DT_NEEDED), directly or through each
// other, and that are in none of the system's folders. They belong to the plugin as its own code
// does: they are trusted by the same rules, a change of one is a change of the plugin, and each
// version of a plugin gets those that lie beside it, not those that the version before has mapped.
//
// They are found as dlopen finds them: by a path, by DT_RPATH, LD_LIBRARY_PATH and DT_RUNPATH, with
// $ORIGIN. What the host itself has mapped since its start is the host's; what is found in no such
// place is left to dlopen. What a plugin opens by itself with dlopen is not seen.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "host/base/result.hpp"
#include "host/loader/elf_file.hpp"
#include "host/loader/trust.hpp"

namespace skep::host {

struct BroughtLibrary {
    std::string path;
    FileBytes bytes;
    ElfFacts facts;
    std::string runpath;                       // with $ORIGIN replaced
    std::map<std::string, std::size_t> needs;  // by the name that it asks for; those before it
    // Of the file and of those that it needs: two with the same can be one.
    std::string content;
};

struct BroughtLibraries {
    std::vector<BroughtLibrary> all;           // each behind those that it needs, but for cycles
    std::map<std::string, std::size_t> needs;  // of the plugin
    std::string runpath;                       // of the plugin, with $ORIGIN replaced
};

// Those of the plugin with these facts at `path`. `of_host`: names that the host answers to.
[[nodiscard]] Result<BroughtLibraries> find_brought_libraries(const ElfFacts& facts,
                                                              const std::string& path,
                                                              const std::set<std::string>& of_host);

// The names of what is mapped when this is called first, which is before the first plugin is
// opened.
[[nodiscard]] const std::set<std::string>& libraries_of_host();

// Whether a folder is one of those that the dynamic linker looks in by itself.
[[nodiscard]] bool is_system_folder(const std::string& folder);

}  // namespace skep::host
