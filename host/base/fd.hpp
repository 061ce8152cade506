// An open file descriptor with one owner, and the text for an errno.
#pragma once

#include <string>
#include <system_error>

#include <unistd.h>

namespace skep::host {

class Fd {
public:
    explicit Fd(int fd)
        : fd_(fd) {}

    ~Fd() {
        if (fd_ >= 0) {
            ::close(fd_);
        }
    }

    Fd(const Fd&) = delete;
    Fd& operator=(const Fd&) = delete;

    [[nodiscard]] int get() const { return fd_; }  // negative: the open failed

private:
    const int fd_;
};

// Returns the text for an errno: "Permission denied" for EACCES. Unlike strerror, safe on any
// thread.
[[nodiscard]] inline std::string error_text(int error) {
    return std::generic_category().message(error);
}

}  // namespace skep::host
