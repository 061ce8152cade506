// Its static constructor returns in a child process of the host, and never in the host itself.
#include <array>
#include <cstdlib>
#include <string>

#include <fcntl.h>
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
        if (program_of("self") == program_of(std::to_string(::getppid()))) {
            return;
        }
        if (const char* const pipe = std::getenv("SKEP_TEST_PIPE")) {
            const int fd = ::open(pipe, O_RDONLY | O_CLOEXEC);
            char byte = 0;
            (void)!::read(fd, &byte, 1);
            ::close(fd);
            return;
        }
        for (;;) {
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
