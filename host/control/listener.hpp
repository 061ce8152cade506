// The control socket in the file system, from bind to unlink.
//
// Its folder is made with mode 0700 when it is missing, and refused when it belongs to another user
// or when others may write to it; the socket has mode 0600. A socket that a dead host left behind
// is replaced, one at which somebody listens is refused. Hosts that begin at the same moment are
// kept apart by a lock on the folder.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <sys/stat.h>

#include "host/base/fd.hpp"
#include "host/base/result.hpp"

namespace skep::host {

class Listener {
public:
    struct Refused {
        std::string why;        // "PATH: others may write to its folder"
        bool is_taken = false;  // by a living host
    };

    using Opened = Result<std::unique_ptr<Listener>, Refused>;

    // `host` is for the sentence about a living one.
    [[nodiscard]] static Opened open(const std::string& path, const std::string& host);

    // In the first of the folders that can be used. The host lives in one of them: refused.
    [[nodiscard]] static Opened open_in(const std::vector<std::string>& folders,
                                        const std::string& host);

    // Removes the socket, unless somebody has put another in its place.
    ~Listener();
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;

    // Does not block. Whoever connects waits until it is accepted.
    [[nodiscard]] int fd() const { return fd_.get(); }

    [[nodiscard]] const std::string& path() const { return path_; }

private:
    Listener(int fd, std::string path, const struct stat& file);

    const Fd fd_;
    const std::string path_;
    const dev_t device_;
    const ino_t inode_;
};

}  // namespace skep::host
