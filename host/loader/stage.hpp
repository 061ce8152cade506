// The stage: a private folder of this process where the files lie that dlopen really opens.
//
// dlopen knows a library by name and inode: a file that was replaced would give the old code again,
// and one overwritten in place would change under the threads that run it. So every load gets a
// copy of its own, under a name that is never used twice. Copies are real files (a debugger needs
// them; it cannot read a memfd) and stay until their library is proven unloaded.
//
// [manager-thread]
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "host/base/fd.hpp"
#include "host/base/result.hpp"

namespace skep::host {

class Stage {
public:
    // Where stages are made: $XDG_RUNTIME_DIR, /run, $TMPDIR, /tmp, as far as they are set.
    [[nodiscard]] static std::vector<std::string> usual_parents();

    // Makes the folder skep-PID.XXXXXX, mode 0700, in the first of `parents` that can be written to
    // and that code may be run from. Folders there that a process of the same user has left behind,
    // because it was killed or ended without a thread that it had lost, are removed: a living one
    // has a lock (flock) on its folder.
    [[nodiscard]] static Result<std::unique_ptr<Stage>> create(
        const std::vector<std::string>& parents = usual_parents());

    // Removes the folder with all that is in it. Code that is still mapped stays mapped.
    ~Stage();
    Stage(const Stage&) = delete;
    Stage& operator=(const Stage&) = delete;

    [[nodiscard]] const std::string& folder() const { return folder_; }

    // Writes a copy, mode 0500, and gives its path: FOLDER/<stem>.<counter>.<id>.so
    [[nodiscard]] Result<std::string> add(std::span<const std::byte> bytes,
                                          std::string_view stem,
                                          std::string_view id);

    // Removes a copy that add() made.
    void remove(const std::string& path);

private:
    // Null, and why: not there.
    static std::unique_ptr<Stage> create_in(const std::string& parent, std::string& why);

    Stage(std::string folder, int lock)
        : folder_(std::move(folder)),
          lock_(lock) {}

    const std::string folder_;
    const Fd lock_;  // let go when the folder is gone
    std::uint64_t counter_ = 0;
};

}  // namespace skep::host
