// Its static constructor returns in a child process of the host, and never in the host itself.
#include <array>
#include <string>

#include <unistd.h>

#include <skep/plugin.hpp>

namespace {

std::string program_of(const std::string& process) {
    std::array<char, 4096> path{};
    const ssize_t size =
        ::readlink(("/proc/" + process + "/exe").c_str(), path.data(), path.size());
    return {path.data(), size > 0 ? static_cast<std::size_t>(size) : 0};
}

struct Hang {
    Hang() {
        while (program_of("self") != program_of(std::to_string(::getppid()))) {
            ::pause();
        }
    }
} hang;

}  // namespace

struct Never {
    static constexpr auto name = "never";

    void on_message(skep::context& /*context*/, const skep::message& /*message*/) {}
};

SKEP_PLUGIN("org.skep.test.hangs_in_host_only", "1.0.0", Never)
