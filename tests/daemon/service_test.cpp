// The real program as a service manager sees it.
#include <array>
#include <csignal>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "host/base/fd.hpp"
#include "host/base/unix_socket.hpp"
#include "tests/support/process.hpp"
#include "tests/support/temp_folder.hpp"

namespace skep::host {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

// The end of $NOTIFY_SOCKET where the service manager is.
class ServiceManager {
public:
    explicit ServiceManager(const std::string& path)
        : fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
        const auto address = socket_address(path);
        const timeval fuse{60, 0};
        EXPECT_EQ(::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &fuse, sizeof(fuse)), 0);
        EXPECT_EQ(::bind(fd_.get(), generic(*address), sizeof(*address)), 0);
    }

    [[nodiscard]] std::string next() const {
        std::array<char, 4096> text{};
        const ssize_t size = ::recv(fd_.get(), text.data(), text.size(), 0);
        return size < 0 ? error_text(errno) : std::string(text.data(), text.data() + size);
    }

private:
    const Fd fd_;
};

TEST(Service, IsToldWhenTheHostIsReadyReloadsAndStops) {
    const test::TempFolder folder;
    const ServiceManager manager(folder / "notify");
    const std::string file =
        folder.write("bees.toml", "version = 1\n[worker.w]\nplugin = \"blackhole\"\n");
    test::Process host({SKEP_EXECUTABLE, "run", file}, {{"NOTIFY_SOCKET", folder / "notify"}});
    EXPECT_EQ(manager.next(), "READY=1\nSTATUS=running 'bees': 1 worker, 0 routes");
    folder.write("bees.toml", "nonsense");
    host.send(SIGHUP);
    EXPECT_THAT(manager.next(), StartsWith("RELOADING=1\nMONOTONIC_USEC="));
    const std::string refused = manager.next();
    EXPECT_THAT(refused, StartsWith("READY=1\nSTATUS="));
    EXPECT_THAT(refused, HasSubstr("refused"));
    host.send(SIGTERM);
    EXPECT_EQ(manager.next(), "STOPPING=1");
    EXPECT_EQ(host.wait().exit_code, 0);
}

// Of a service manager that does not read, nobody waits for room.
TEST(Service, ManagerThatReadsNothingHoldsUpNeitherTheHostNorItsEnd) {
    const test::TempFolder folder;
    const ServiceManager manager(folder / "notify");
    const auto address = socket_address(folder / "notify");
    const Fd filler(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    while (::sendto(filler.get(), "x", 1, 0, generic(*address), sizeof(*address)) == 1) {
    }
    const std::string file =
        folder.write("bees.toml", "version = 1\n[worker.w]\nplugin = \"blackhole\"\n");
    test::Process host({SKEP_EXECUTABLE, "run", file}, {{"NOTIFY_SOCKET", folder / "notify"}});
    ASSERT_TRUE(host.wait_for_err("running 'bees'"));
    host.send(SIGTERM);
    EXPECT_EQ(host.wait().exit_code, 0);
}

}  // namespace
}  // namespace skep::host
