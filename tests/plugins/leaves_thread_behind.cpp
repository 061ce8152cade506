// Its worker starts a thread that it does not join. That one reads a fifo, and ends when the test
// lets it.
#include <string>
#include <thread>

#include <fcntl.h>
#include <unistd.h>

#include <skep/plugin.hpp>

struct LeavesThreadBehind {
    static constexpr auto name = "leaves_thread_behind";
    static constexpr skep::param params[] = {
        skep::param::string("fifo", "Where it reads").required()};

    void run(skep::context& context) {
        std::thread([path = std::string(context.config_text("fifo"))] {
            const int fifo = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
            char byte = 0;
            while (::read(fifo, &byte, 1) > 0) {
            }
            ::close(fifo);
        }).detach();
    }
};
SKEP_PLUGIN("org.skep.test.leaves_thread_behind", "1.0.0", LeavesThreadBehind)
