#include "host/loader/left_behind.hpp"

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <iostream>
#include <memory_resource>
#include <new>
#include <string_view>
#include <utility>

#include <unistd.h>

namespace skep::host {
namespace {

class Search {
public:
    explicit Search(const std::vector<SharedObject::Range>& ranges)
        : ranges_(ranges) {}

    [[nodiscard]] bool holds(const void* pointer) const {
        return holds(reinterpret_cast<std::uintptr_t>(pointer));
    }

    [[nodiscard]] bool holds(std::uintptr_t address) const {
        return std::any_of(ranges_.begin(), ranges_.end(), [&](const auto& it) {
            return address >= it.begin && address < it.end;
        });
    }

    // True if the object itself or its virtual functions lie in a range.
    [[nodiscard]] bool holds_object(const void* object) const {
        const void* functions = nullptr;
        if (object != nullptr) {
            std::memcpy(&functions, object, sizeof(functions));
        }
        return holds(object) || holds(functions);
    }

private:
    const std::vector<SharedObject::Range>& ranges_;
};

std::string signal_left(const Search& search) {
    for (int signal = 1; signal < NSIG; ++signal) {
        struct sigaction now {};

        if (::sigaction(signal, nullptr, &now) == 0 &&
            search.holds(reinterpret_cast<const void*>(now.sa_handler))) {
            const char* const name = ::sigabbrev_np(signal);
            return "the handler of " + (name == nullptr ? "signal " + std::to_string(signal)
                                                        : "SIG" + std::string(name));
        }
    }
    return "";
}

std::string stream_left(const Search& search) {
    const std::pair<const char*, const std::ios*> streams[] = {
        {"std::cin", &std::cin},
        {"std::cout", &std::cout},
        {"std::cerr", &std::cerr},
        {"std::clog", &std::clog},
    };
    for (const auto& [name, stream] : streams) {
        if (search.holds_object(stream->rdbuf())) {
            return "the buffer of " + std::string(name);
        }
    }
    const std::pair<const char*, const std::FILE*> files[] = {
        {"stdin", stdin}, {"stdout", stdout}, {"stderr", stderr}};
    for (const auto& [name, file] : files) {
        if (search.holds(file->_IO_buf_base)) {
            return "the buffer of " + std::string(name);
        }
    }
    return "";
}

std::string variable_left(const Search& search) {
    for (char* const* it = environ; it != nullptr && *it != nullptr; ++it) {
        if (search.holds(*it)) {
            const std::string_view variable = *it;
            return "the environment variable " +
                   std::string(variable.substr(0, variable.find('=')));
        }
    }
    return "";
}

}  // namespace

std::string left_behind(const std::vector<SharedObject::Range>& ranges) {
    const Search search(ranges);
    std::string left = signal_left(search);
    if (left.empty() && search.holds(reinterpret_cast<const void*>(std::get_terminate()))) {
        left = "the terminate handler";
    }
    if (left.empty() && search.holds(reinterpret_cast<const void*>(std::get_new_handler()))) {
        left = "the new handler";
    }
    if (left.empty() && search.holds_object(std::pmr::get_default_resource())) {
        left = "the default memory resource";
    }
    left = left.empty() ? stream_left(search) : left;
    left = left.empty() ? variable_left(search) : left;
    return left.empty() ? "" : left + " points into the library";
}

}  // namespace skep::host
