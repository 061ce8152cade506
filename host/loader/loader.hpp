// The loader: from the path of a plugin to a library that workers can be made from, and back.
//
//   open   trust -> ELF and note check -> private copy -> dlopen -> descriptor (file_loader.hpp)
//   close  dlclose -> proof that the address range is gone, or the reason why it is not
//
// All code of the plugin that runs here runs on a short-lived thread that is joined before the call
// returns: a thread_local with a destructor that is touched on a thread that lives on would pin the
// library for good (measured; ARCHITECTURE.md, "Loading").
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <skep/abi.h>

#include "host/base/result.hpp"
#include "host/topology/plugin_info.hpp"

namespace skep::host {

// A plugin opened in this process. Constant; any thread. Whoever holds one may run the plugin's
// code, so it is given back to Loader::close only when every worker made from it has been destroyed
// and joined.
class Library {
public:
    Library(std::string path, PluginInfo info, const skep_plugin* descriptor)
        : path_(std::move(path)),
          info_(std::move(info)),
          descriptor_(descriptor) {}

    virtual ~Library() = default;
    Library(const Library&) = delete;
    Library& operator=(const Library&) = delete;

    [[nodiscard]] const std::string& path() const {
        return path_;
    }  // the user's file, not the copy

    [[nodiscard]] const PluginInfo& info() const { return info_; }

    [[nodiscard]] std::chrono::system_clock::time_point opened() const { return opened_; }

    // Null when there is no such type. Valid as long as this library.
    [[nodiscard]] const skep_worker_type* find_type(std::string_view name) const;

private:
    const std::string path_;
    const PluginInfo info_;
    const skep_plugin* const descriptor_;
    const std::chrono::system_clock::time_point opened_ = std::chrono::system_clock::now();
};

// Whether the plugin was built with the fields of the state: they came with minor 2.
[[nodiscard]] inline bool has_state_fields(const skep_worker_type& type) {
    return type.size >= offsetof(skep_worker_type, load_state) + sizeof(type.load_state);
}

// The same for reconfigure, which came with minor 4, and may be left out.
[[nodiscard]] inline bool has_reconfigure(const skep_worker_type& type) {
    return type.size >= offsetof(skep_worker_type, reconfigure) + sizeof(type.reconfigure) &&
           type.reconfigure != nullptr;
}

// The same for acquire and release, which came with minor 5.
[[nodiscard]] inline bool has_exclusive_fields(const skep_worker_type& type) {
    return type.size >= offsetof(skep_worker_type, release) + sizeof(type.release);
}

// What became of a library that was closed.
struct UnloadReport {
    bool unloaded = false;  // proven: nothing is mapped where it was
    std::string
        cause;  // why it is pinned, when it is: "unique symbol 'ns::counter' (STB_GNU_UNIQUE)"
};

// What there is to say of a library that is open, or is left of one that was closed.
struct LibraryFacts {
    std::string path;                            // the user's file, which may be another one by now
    std::string id, version, build_id, content;  // of its PluginInfo
    std::chrono::system_clock::time_point opened;
    std::string cause;       // why it is mapped though it was closed
    std::size_t mapped = 0;  // of a closed one: bytes; 0: its private copy alone is kept
};

[[nodiscard]] LibraryFacts facts_of(const Library& library);

class Loader {
public:
    virtual ~Loader() = default;

    // Opens the plugin at `path`, each time as a library of its own. With `content`, only if that
    // is the file's PluginInfo::content. [manager-thread]
    [[nodiscard]] virtual Result<std::shared_ptr<Library>> open(const std::string& path,
                                                                const std::string& content) = 0;

    [[nodiscard]] Result<std::shared_ptr<Library>> open(const std::string& path) {
        return open(path, "");
    }

    // Closes a library that nobody else holds. [manager-thread]
    virtual UnloadReport close(std::shared_ptr<Library> library) = 0;

    // Gives up a library that cannot be closed, because of `cause`: it stays mapped for good.
    // [manager-thread]
    virtual void abandon(std::shared_ptr<Library> library, std::string cause) = 0;

    // From now on open() finds these contents, of libraries that are open or will be, also when
    // their file is another one by then. Replaces what was to be kept before. [manager-thread]
    virtual void keep(std::set<std::string> contents) = 0;

    // What is pinned or kept. [manager-thread]
    [[nodiscard]] virtual std::vector<LibraryFacts> left() = 0;
};

}  // namespace skep::host
