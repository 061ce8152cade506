#include "host/base/working_folder.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <string_view>

#include <unistd.h>

namespace skep::host {
namespace {

using Text = std::unique_ptr<char, decltype(&std::free)>;

// Returns $PWD if it leads to the folder (links stay links), otherwise the path from the kernel; ""
// if the folder has none.
std::string working_folder() {
    const Text path(::get_current_dir_name(), &std::free);
    return path == nullptr ? "" : path.get();
}

}  // namespace

std::string absolute_path(const std::string& path) {
    if (path.empty() || path.front() == '/') {
        return path;
    }
    std::string folder = working_folder();
    if (folder.empty()) {
        return path;
    }
    std::string_view rest = path;
    while (rest.starts_with("./")) {
        rest.remove_prefix(std::min(rest.find_first_not_of('/', 1), rest.size()));
    }
    if (folder.back() != '/') {
        folder += '/';
    }
    return folder.append(rest);
}

WorkingFolder::WorkingFolder()
    : path_(working_folder()) {}

void WorkingFolder::enter_if_removed() const {
    const Text now(::getcwd(nullptr, 0), &std::free);
    if (now == nullptr && errno == ENOENT && !path_.empty()) {
        (void)!::chdir(path_.c_str());  // the new folder may not exist yet
    }
}

}  // namespace skep::host
