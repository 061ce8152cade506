// The Loader for plugins that are files:
//
//   open   1. trust     read the file once, if nobody else could have written it (trust.hpp)
//          2. ELF       a whole shared object for this machine, with a note (elf_file.hpp)
//          3. ABI       the note fits this host, and there is an entry (abi_check.hpp)
//          4. stage     a private copy under a name that was never used before (stage.hpp)
//          5. dlopen    on a short-lived thread, with the call of the entry (shared_object.hpp)
//          6. describe  the descriptor keeps the rules and agrees with the note (describe.hpp)
//   close  dlclose on a short-lived thread, then the proof, or the most likely cause of a pin
//
// Up to step 4 no code of the plugin has run, and no file that fails them is left behind.
//
// What is pinned keeps its private copy until it is found unmapped at a later open or close: glibc
// collects a library whose thread_local lived on only then.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "host/loader/loader.hpp"
#include "host/loader/stage.hpp"

namespace skep::host {

// [manager-thread]
class FileLoader final : public Loader {
public:
    // Fails when there is no place for the private copies.
    [[nodiscard]] static Result<std::unique_ptr<FileLoader>> create(
        const std::vector<std::string>& stage_parents = Stage::usual_parents());

    [[nodiscard]] Result<std::shared_ptr<Library>> open(const std::string& path) override;

    // Libraries of this loader alone. A library that is given back while a thread of its own lives
    // on is left mapped: closing it would take the code from under that thread.
    UnloadReport close(std::shared_ptr<Library> library) override;

    // What the plugin at `path` says of itself: opens it and closes it again.
    [[nodiscard]] Result<PluginInfo> inspect(const std::string& path);

    [[nodiscard]] const std::string& stage_folder() const { return stage_->folder(); }

private:
    explicit FileLoader(std::unique_ptr<Stage> stage)
        : stage_(std::move(stage)) {}

    void remove_unpinned();

    const std::unique_ptr<Stage> stage_;
    std::vector<std::string>
        pinned_;  // the private copies that were still mapped when last looked at
};

}  // namespace skep::host
