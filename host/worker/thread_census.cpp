#include "host/worker/thread_census.hpp"

#include <filesystem>
#include <fstream>
#include <system_error>

#include <pthread.h>

namespace skep::host {

namespace {

constexpr std::string_view prefix = "w:";
constexpr std::size_t longest_name = 15;

}  // namespace

std::string worker_thread_name(const std::string& worker, std::uint64_t generation) {
    return (std::string(prefix) + worker + "#" + std::to_string(generation))
        .substr(0, longest_name);
}

void name_this_thread(const std::string& worker, std::uint64_t generation) {
    pthread_setname_np(pthread_self(), worker_thread_name(worker, generation).c_str());
}

std::map<pid_t, std::string> threads_named_as_workers() {
    std::map<pid_t, std::string> found;
    std::error_code error;
    std::filesystem::directory_iterator task("/proc/self/task", error);
    for (; !error && task != std::filesystem::directory_iterator(); task.increment(error)) {
        std::ifstream comm(task->path() / "comm");
        std::string name;
        if (std::getline(comm, name) && name.starts_with(prefix)) {
            found[std::stoi(task->path().filename().string())] = name;
        }
    }
    return found;
}

}  // namespace skep::host
