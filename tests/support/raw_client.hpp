// A client of a Unix socket that says what the test wants it to say, well-behaved or not.
#pragma once

#include <array>
#include <cstring>
#include <string>

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace skep::test {

class RawClient {
public:
    explicit RawClient(const std::string& path)
        : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, path.data(), path.size());
        is_connected_ =
            ::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
    }

    ~RawClient() { ::close(fd_); }

    RawClient(const RawClient&) = delete;
    RawClient& operator=(const RawClient&) = delete;

    [[nodiscard]] bool is_connected() const { return is_connected_; }

    // False: the other end takes no more.
    bool say(const std::string& text) const {
        std::size_t said = 0;
        while (said < text.size()) {
            const ssize_t sent = ::send(fd_, text.data() + said, text.size() - said, MSG_NOSIGNAL);
            if (sent <= 0) {
                return false;
            }
            said += static_cast<std::size_t>(sent);
        }
        return true;
    }

    // Whether something has come.
    [[nodiscard]] bool has_heard() const {
        pollfd fd = {fd_, POLLIN, 0};
        return ::poll(&fd, 1, 0) == 1;
    }

    void close_one_way() const { ::shutdown(fd_, SHUT_WR); }

    // All that comes until the other end closes.
    std::string hear() const {
        std::string heard;
        std::array<char, 65536> buffer{};
        while (true) {
            pollfd fd = {fd_, POLLIN, 0};
            if (::poll(&fd, 1, 60'000) != 1) {  // a fuse
                ADD_FAILURE() << "no end of the answer: " << heard;
                return heard;
            }
            const ssize_t got = ::recv(fd_, buffer.data(), buffer.size(), 0);
            if (got <= 0) {
                return heard;
            }
            heard.append(buffer.data(), static_cast<std::size_t>(got));
        }
    }

private:
    const int fd_;
    bool is_connected_ = false;
};

}  // namespace skep::test
