// Paths that stay right when the working folder of the process is replaced.
//
// A deployment removes a folder and puts another at its place, or turns a symbolic link over. The
// process that was started there is then in a folder that no path leads to, and finds nothing by a
// relative path. So relative paths are made absolute once, at the start, by the name of the folder
// that the user sees: links stay links.
#pragma once

#include <string>

namespace skep::host {

// A path that leads to the same file from everywhere. Folds nothing: `a/../b` behind a link is not
// `b`. A relative path stays as it is when the working folder has no name.
[[nodiscard]] std::string absolute_path(const std::string& path);

// The working folder as it was when this was made.
class WorkingFolder {
public:
    WorkingFolder();

    // Changes into the folder that is now at that place, if the one of the process was removed:
    // relative paths of plugins and of the environment are right again. [any-thread]
    void enter_if_removed() const;

private:
    const std::string path_;  // "": it has no name
};

}  // namespace skep::host
