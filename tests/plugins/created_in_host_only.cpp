// Ends the process when it is created in the child process of a probe, which its type opts out of.
#include <fstream>
#include <iterator>
#include <string>

#include <unistd.h>

#include <skep/plugin.hpp>

struct CreatedInHostOnly {
    static constexpr auto name = "created_in_host_only";
    static constexpr skep::port inputs[] = {skep::port("in", "*", "Anything").optional()};
    static constexpr bool create_in_host_only = true;

    CreatedInHostOnly() {
        std::ifstream file("/proc/self/cmdline", std::ios::binary);
        const std::string arguments{std::istreambuf_iterator<char>(file), {}};
        if (arguments.find("probe-in-child") != std::string::npos) {
            ::_exit(0);
        }
    }

    void on_message(skep::context& /*context*/, const skep::message& /*message*/) {}
};

SKEP_PLUGIN("org.skep.test.created_in_host_only", "1.0.0", CreatedInHostOnly)
