#include "host/worker/thread_census.hpp"

#include <filesystem>
#include <fstream>
#include <system_error>

namespace skep::host {

namespace {

constexpr std::string_view prefix = "w:";
constexpr std::size_t longest_name = 15;

}  // namespace

std::string worker_thread_name(const std::string& worker, std::uint64_t generation) {
    return (std::string(prefix) + worker + "#" + std::to_string(generation))
        .substr(0, longest_name);
}

std::vector<std::string> threads_left_behind(const std::set<pid_t>& own) {
    std::vector<std::string> left;
    std::error_code error;
    std::filesystem::directory_iterator task("/proc/self/task", error);
    for (; !error && task != std::filesystem::directory_iterator(); task.increment(error)) {
        const std::string id = task->path().filename().string();
        std::ifstream comm(task->path() / "comm");
        std::string name;
        if (std::getline(comm, name) && name.starts_with(prefix) && !own.contains(std::stoi(id))) {
            left.push_back(name + " (" + id + ")");
        }
    }
    return left;
}

}  // namespace skep::host
