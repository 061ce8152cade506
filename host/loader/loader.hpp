// The loader: opens the plugin at a path as a library that workers are made from, and closes it
// again.
//
//   open   trust -> ELF and note check -> private copy -> dlopen -> descriptor (file_loader.hpp)
//   close  dlclose -> proof that the address range is unmapped, or the reason why it is not
//
// All plugin code in here runs on a short-lived thread that is joined before the call returns.
// Otherwise, a thread_local with a destructor that is used on a longer-lived thread would pin the
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

// A plugin opened in this process. Constant; any thread. A holder may run the plugin's code. Thus a
// library is given back to Loader::close only after every worker made from it has been destroyed
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

    // Returns the user's file, not the copy.
    [[nodiscard]] const std::string& path() const { return path_; }

    [[nodiscard]] const PluginInfo& info() const { return info_; }

    [[nodiscard]] std::chrono::system_clock::time_point opened() const { return opened_; }

    // Returns null if the plugin has no such type. Valid as long as this library.
    [[nodiscard]] const skep_worker_type* find_type(std::string_view name) const;

private:
    const std::string path_;
    const PluginInfo info_;
    const skep_plugin* const descriptor_;
    const std::chrono::system_clock::time_point opened_ = std::chrono::system_clock::now();
};

// True if the plugin was built with the state fields, which came with minor 2.
[[nodiscard]] inline bool has_state_fields(const skep_worker_type& type) {
    return type.size >= offsetof(skep_worker_type, load_state) + sizeof(type.load_state);
}

// The same for reconfigure, which came with minor 4, and may be null.
[[nodiscard]] inline bool has_reconfigure(const skep_worker_type& type) {
    return type.size >= offsetof(skep_worker_type, reconfigure) + sizeof(type.reconfigure) &&
           type.reconfigure != nullptr;
}

// The same for acquire and release, which came with minor 5.
[[nodiscard]] inline bool has_exclusive_fields(const skep_worker_type& type) {
    return type.size >= offsetof(skep_worker_type, release) + sizeof(type.release);
}

// The result of closing a library.
struct UnloadReport {
    bool unloaded = false;  // proven: no part of it is mapped
    std::string cause;      // why it is pinned: "unique symbol 'ns::counter' (STB_GNU_UNIQUE)"
};

// The known facts of a library that is open, or of one that was closed and has left something.
struct LibraryFacts {
    std::string path;                            // the user's file, which may have changed by now
    std::string id, version, build_id, content;  // see PluginInfo
    std::chrono::system_clock::time_point opened;
    std::string cause;       // why it is still mapped although it was closed
    std::size_t mapped = 0;  // of a closed library, in bytes; 0: only its private copy is kept
};

[[nodiscard]] LibraryFacts facts_of(const Library& library);

class Loader {
public:
    virtual ~Loader() = default;

    // Opens the plugin at `path`, each time as a separate library. With `content`, only if the
    // file's PluginInfo::content is equal. [manager-thread]
    [[nodiscard]] virtual Result<std::shared_ptr<Library>> open(const std::string& path,
                                                                const std::string& content) = 0;

    [[nodiscard]] Result<std::shared_ptr<Library>> open(const std::string& path) {
        return open(path, "");
    }

    // Closes a library. Precondition: the caller holds the only reference. [manager-thread]
    virtual UnloadReport close(std::shared_ptr<Library> library) = 0;

    // Abandons a library that cannot be closed, because of `cause`: it stays mapped for good.
    // [manager-thread]
    virtual void abandon(std::shared_ptr<Library> library, std::string cause) = 0;

    // Makes open() find these contents from now on, even after their file has changed. They belong
    // to libraries that are open or will be. Replaces the contents kept before. [manager-thread]
    virtual void keep(std::set<std::string> contents) = 0;

    // Returns the libraries that are pinned or kept. [manager-thread]
    [[nodiscard]] virtual std::vector<LibraryFacts> left() = 0;
};

}  // namespace skep::host
