#include "bench/process.hpp"

#include <array>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <thread>
#include <utility>

#include <sys/resource.h>

namespace bench {
namespace {

bool is_child = false;
std::chrono::seconds child_limit(300);

double cpu_seconds() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

Sample ask_child(const std::string& what) {
    const std::string seconds = std::to_string(child_limit.count());
    const std::string command = "timeout -s KILL " + seconds + " " + what;
    const auto deadline = std::chrono::steady_clock::now() + child_limit;
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> child(popen(command.c_str(), "r"),
                                                                pclose);
    Sample sample;
    if (child == nullptr ||
        std::fscanf(child.get(), "%lf %lf", &sample.value, &sample.seconds) != 2) {
        sample.is_too_slow = std::chrono::steady_clock::now() >= deadline;
        sample.error = sample.is_too_slow ? "it is not done within " + seconds + " s"
                                          : "no answer from " + what;
    }
    return sample;
}

}  // namespace

double resident_bytes() {
    std::ifstream account("/proc/self/smaps_rollup");
    for (std::string word; account >> word;) {
        if (word == "Rss:") {
            double kibibytes = 0;
            account >> kibibytes;
            return kibibytes * 1024;
        }
    }
    return 0;
}

double settled_resident_bytes() {
    double before = -1;
    for (double now = resident_bytes(); now > before; now = resident_bytes()) {
        before = now;
        std::this_thread::sleep_for(std::chrono::milliseconds(200));
    }
    return before;
}

double idle_percent(double seconds) {
    const double before = cpu_seconds();
    std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
    return (cpu_seconds() - before) / seconds * 100;
}

std::function<Sample(std::uint64_t)> in_own_process(const std::string& id,
                                                    std::function<Sample(std::uint64_t)> run) {
    return [id, run = std::move(run)](std::uint64_t count) {
        if (is_child) {
            return run(count);
        }
        const std::string self = std::filesystem::read_symlink("/proc/self/exe");
        return ask_child("'" + self + "' --measure '" + id + ":" + std::to_string(count) + "'");
    };
}

void limit_children(std::chrono::seconds most) {
    child_limit = most;
}

void be_the_child() {
    is_child = true;
}

}  // namespace bench
