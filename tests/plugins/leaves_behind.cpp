// Leaves in the process what would call into it, or be read in it, after it was closed: `data` is
// the name of what. The test takes it away again.
#include <csignal>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <memory_resource>
#include <new>
#include <streambuf>
#include <string_view>

#include "raw.h"

namespace {

class Buffer : public std::streambuf {};

class Resource : public std::pmr::memory_resource {
    void* do_allocate(std::size_t, std::size_t) override { return nullptr; }

    void do_deallocate(void*, std::size_t, std::size_t) override {}

    bool do_is_equal(const memory_resource& other) const noexcept override {
        return this == &other;
    }
};

Buffer buffer;
Resource resource;
char variable[] = "SKEP_TEST_LEFT_BEHIND=1";

int32_t probe(void* data, uint32_t) {
    const std::string_view what = static_cast<const char*>(data);
    if (what == "signal") {
        std::signal(SIGUSR2, [](int) {});
    } else if (what == "terminate") {
        std::set_terminate([] { std::abort(); });
    } else if (what == "new") {
        std::set_new_handler([] {});
    } else if (what == "stream") {
        std::clog.rdbuf(&buffer);
    } else if (what == "resource") {
        std::pmr::set_default_resource(&resource);
    } else if (what == "variable") {
        ::putenv(variable);
    } else if (what == "atexit") {
        std::atexit([] {});
    }
    return 0;
}

}  // namespace

RAW_PLUGIN("org.skep.test.leaves_behind")
