// The threads of this process, by name.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace skep::test {

// The names of all threads whose name begins with `prefix`.
inline std::vector<std::string> tasks_named(const std::string& prefix) {
    std::vector<std::string> found;
    for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
        std::ifstream file(task.path() / "comm");
        std::string name;
        if (std::getline(file, name) && name.starts_with(prefix)) {
            found.push_back(name);
        }
    }
    return found;
}

}  // namespace skep::test
