// The libraries that a plugin brings: those that it needs (DT_NEEDED), directly or through each
// other, and that are in none of the system's folders. They belong to the plugin like its own code.
// They are trusted by the same rules, and a change of one is a change of the plugin. Each version
// of a plugin gets the libraries that lie beside it, not those that the previous version has
// mapped.
//
// They are found as dlopen finds them: by a path, by DT_RPATH, LD_LIBRARY_PATH and DT_RUNPATH, with
// $ORIGIN. Libraries that the host has mapped since its start are the host's. A library that is
// found in none of these places is left to dlopen. Libraries that a plugin opens itself with dlopen
// are not seen.
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
    std::string runpath;  // with $ORIGIN expanded
    // Index of each library that it needs, by the name it asks for; all are before it in `all`.
    std::map<std::string, std::size_t> needs;
    // Identifies the file and the libraries that it needs: two libraries with equal content can be
    // one.
    std::string content;
};

struct BroughtLibraries {
    std::vector<BroughtLibrary> all;           // each behind those that it needs, except in cycles
    std::map<std::string, std::size_t> needs;  // of the plugin
    std::string runpath;                       // of the plugin, with $ORIGIN expanded
};

// Finds the libraries of the plugin with these facts at `path`. `of_host`: names of the host's
// libraries.
[[nodiscard]] Result<BroughtLibraries> find_brought_libraries(const ElfFacts& facts,
                                                              const std::string& path,
                                                              const std::set<std::string>& of_host);

// Returns the names of the objects mapped at the first call, which must come before the first
// plugin is opened.
[[nodiscard]] const std::set<std::string>& libraries_of_host();

// True if the dynamic linker searches this folder by default.
[[nodiscard]] bool is_system_folder(const std::string& folder);

}  // namespace skep::host
