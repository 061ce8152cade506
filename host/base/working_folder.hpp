// Paths that stay valid when the working folder of the process is replaced.
//
// A deployment removes a folder and puts another in its place, or changes a symbolic link. A
// process that was started there is then in a folder without a path, and relative paths find
// nothing. Thus relative paths are made absolute once, at the start, with the folder name that the
// user sees: links stay links.
#pragma once

#include <string>

namespace skep::host {

// Returns a path that leads to the same file from everywhere. Folds nothing: `a/../b` behind a link
// is not `b`. A relative path is unchanged when the working folder has no name.
[[nodiscard]] std::string absolute_path(const std::string& path);

// The working folder at the time when this object was made.
class WorkingFolder {
public:
    WorkingFolder();

    // Changes into the folder that now has that path, if the process's own folder was removed.
    // Relative paths of plugins and of the environment are then valid again. [any-thread]
    void enter_if_removed() const;

private:
    const std::string path_;  // "": the folder has no name
};

}  // namespace skep::host
