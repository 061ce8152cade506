// The stage: a private folder of this process where the files lie that dlopen really opens.
//
// dlopen knows a library by name and inode: a file that was replaced would give the old code again,
// and one overwritten in place would change under the threads that run it. So every load gets a
// copy of its own, under a name that is never used twice. Copies are real files (a debugger needs
// them; it cannot read a memfd) and stay until their library is proven unloaded.
//
// A stage has a list of folders to be in and uses the first that can hold the file: the runtime
// folder of a user may be small or full, and may be removed while the process runs.
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

// A copy in a stage, for as long as somebody needs it.
class StagedFile {
public:
    explicit StagedFile(std::string path)
        : path_(std::move(path)) {}

    ~StagedFile();
    StagedFile(const StagedFile&) = delete;
    StagedFile& operator=(const StagedFile&) = delete;

    [[nodiscard]] const std::string& path() const { return path_; }

    // False: somebody has removed it.
    [[nodiscard]] bool is_there() const;

private:
    const std::string path_;
};

class StagingFolder {
public:
    // Where stages are made: $TMPDIR and $XDG_RUNTIME_DIR, as far as they are set, /run, /tmp,
    // /var/tmp.
    [[nodiscard]] static std::vector<std::string> usual_parents();

    // How many folders of processes that have crashed are kept in each parent.
    static constexpr std::size_t crashes_kept = 3;

    // Makes the folder skep-PID.XXXXXX, mode 0700, in the first of `parents` that can be written to
    // and that code may be run from. Folders there that a process of the same user has left behind,
    // because it was killed or ended without a thread that it had lost, are removed: a living one
    // has a lock (flock) on its folder. Of those that a fatal signal has ended (crash_report.hpp),
    // the newest are kept: whoever reads the core needs the copies.
    [[nodiscard]] static Result<std::unique_ptr<StagingFolder>> create(
        const std::vector<std::string>& parents = usual_parents());

    // Removes its folders with all that is in them. Code that is still mapped stays mapped.
    ~StagingFolder();
    StagingFolder(const StagingFolder&) = delete;
    StagingFolder& operator=(const StagingFolder&) = delete;

    // The folder that was used last.
    [[nodiscard]] const std::string& folder() const { return current_->folder; }

    // Writes a copy, mode 0500, and gives its path: FOLDER/<stem>.<counter>.<id>.so. It is in the
    // first parent that takes it; a folder that somebody has removed there is made again. The error
    // names every parent and why it did not take it.
    [[nodiscard]] Result<std::string> add(std::span<const std::byte> bytes,
                                          std::string_view stem,
                                          std::string_view id);

    // Removes a copy that add() made.
    void remove(const std::string& path);

    // What the destructor does, for a process that ends without it.
    void remove_all() const;

private:
    // A parent, and the folder in it once there is one.
    struct Place {
        std::string parent;
        std::string folder;              // "": none yet
        std::unique_ptr<const Fd> lock;  // let go when the folder is gone
    };

    explicit StagingFolder(const std::vector<std::string>& parents);

    // Each returns "" or what went wrong.
    static std::string open(Place& place);
    static std::string write(Place& place,
                             const std::string& name,
                             std::span<const std::byte> bytes,
                             std::string& path);

    std::vector<Place> places_;
    const Place* current_ = nullptr;  // one of them
    std::uint64_t counter_ = 0;
};

}  // namespace skep::host
