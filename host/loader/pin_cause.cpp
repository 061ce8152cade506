#include "host/loader/pin_cause.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <system_error>

#include <cxxabi.h>

namespace skep::host {
namespace {

std::string demangled(const std::string& symbol) {
    int status = 0;
    const std::unique_ptr<char, decltype(&std::free)> name(
        abi::__cxa_demangle(symbol.c_str(), nullptr, nullptr, &status), &std::free);
    return status == 0 ? name.get() : symbol;
}

}  // namespace

std::vector<std::string> threads_named(std::string_view name) {
    std::vector<std::string> threads;
    std::error_code error;
    std::filesystem::directory_iterator task("/proc/self/task", error);
    for (; !error && task != std::filesystem::directory_iterator(); task.increment(error)) {
        std::ifstream comm(task->path() / "comm");
        std::string its_name;
        if (std::getline(comm, its_name) && its_name == name) {
            threads.push_back(task->path().filename().string());
        }
    }
    return threads;
}

std::string cause_of_pin(const ElfFacts& facts, const std::vector<std::string>& companions) {
    if (facts.nodelete) {
        return "marked NODELETE (linked with -z nodelete)";
    }
    if (!facts.unique_symbols.empty()) {
        std::string others;
        if (facts.unique_symbols.size() > 1) {
            others = " and " + std::to_string(facts.unique_symbols.size() - 1) + " more";
        }
        return "unique symbol '" + demangled(facts.unique_symbols.front()) + "'" + others +
               " (STB_GNU_UNIQUE); build it with skep_add_plugin";
    }
    if (facts.thread_exits) {
        return "a thread_local with a destructor, used by a thread that is still alive";
    }
    if (!companions.empty()) {
        return "library " + companions.front() + " was loaded with it and is still mapped";
    }
    return "unknown";
}

}  // namespace skep::host
