// The staging folder: a private folder of this process with the files that dlopen really opens.
//
// dlopen identifies a library by name and inode. A replaced file would give the old code again, and
// a file overwritten in place would change under the threads that run it. So every load gets its
// own copy, under a name that is never used twice. Copies are real files (a debugger needs them and
// cannot read a memfd). They stay until their library is proven unloaded.
//
// A staging folder has a list of parents, and uses the first that can hold the file: the runtime
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

// A copy in the staging folder. The destructor removes the copy.
class StagedFile {
public:
    explicit StagedFile(std::string path)
        : path_(std::move(path)) {}

    ~StagedFile();
    StagedFile(const StagedFile&) = delete;
    StagedFile& operator=(const StagedFile&) = delete;

    [[nodiscard]] const std::string& path() const { return path_; }

    // Returns false if the file was removed from outside.
    [[nodiscard]] bool is_there() const;

private:
    const std::string path_;
};

class StagingFolder {
public:
    // Returns the default parents: $TMPDIR and $XDG_RUNTIME_DIR, if they are set, /run, /tmp,
    // /var/tmp.
    [[nodiscard]] static std::vector<std::string> usual_parents();

    // How many folders of crashed processes are kept in each parent.
    static constexpr std::size_t crashes_kept = 3;

    // Makes the folder skep-PID.XXXXXX, mode 0700, in the first of `parents` that is writable and
    // allows execution. Removes folders that an earlier process of the same user has left behind
    // there, because it was killed or ended with a lost thread; a running process holds a lock
    // (flock) on its folder. Keeps the newest folders of processes that a fatal signal has ended
    // (crash_report.hpp): the reader of the core needs the copies.
    [[nodiscard]] static Result<std::unique_ptr<StagingFolder>> create(
        const std::vector<std::string>& parents = usual_parents());

    // Removes its folders and their content. Code that is still mapped stays mapped.
    ~StagingFolder();
    StagingFolder(const StagingFolder&) = delete;
    StagingFolder& operator=(const StagingFolder&) = delete;

    // Returns the folder that was used last.
    [[nodiscard]] const std::string& folder() const { return current_->folder; }

    // Writes a copy, mode 0500, and returns its path: FOLDER/<stem>.<counter>.<id>.so. Uses the
    // first parent that accepts it, and makes a folder that was removed there again. The error
    // names every parent and why it failed.
    [[nodiscard]] Result<std::string> add(std::span<const std::byte> bytes,
                                          std::string_view stem,
                                          std::string_view id);

    // Removes a copy made by add().
    void remove(const std::string& path);

    // Does the work of the destructor, for a process that ends without it.
    void remove_all() const;

private:
    // A parent, and the folder in it, once it exists.
    struct Place {
        std::string parent;
        std::string folder;              // "": not made yet
        std::unique_ptr<const Fd> lock;  // released when the folder is gone
    };

    explicit StagingFolder(const std::vector<std::string>& parents);

    // Each returns "" or the reason for the failure.
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
