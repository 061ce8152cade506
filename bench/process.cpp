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

double cpu_seconds() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// The first line that it prints, as a number.
Sample ask_child(const std::string& command) {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> child(popen(command.c_str(), "r"),
                                                                pclose);
    double value = 0;
    if (child == nullptr || std::fscanf(child.get(), "%lf", &value) != 1) {
        return failure("no answer from " + command);
    }
    return {value, 1, {}};
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

void be_the_child() {
    is_child = true;
}

}  // namespace bench
