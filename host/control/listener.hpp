// The control socket in the file system, from bind to unlink.
//
// The listener creates a missing folder with mode 0700. It refuses a folder that belongs to another
// user or that others may write to. The socket has mode 0600. The listener replaces a socket that a
// dead host left behind, and refuses one at which a process listens. A lock on the folder, held for
// a short time, separates hosts that start at the same moment.
//
// Others may remove the socket while the host runs: a cleaner of old files, or a logout that
// removes the runtime folder. keep_in_place() then binds the socket again.
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
        bool is_taken = false;  // a running host uses the socket
    };

    using Opened = Result<std::unique_ptr<Listener>, Refused>;

    // Binds the socket at `path`. `host` is the name for the error about a running host.
    [[nodiscard]] static Opened open(const std::string& path, const std::string& host);

    // Binds the socket in the first usable folder. Refuses if a host of this name already listens
    // in a folder that it tries.
    [[nodiscard]] static Opened open_in(const std::vector<std::string>& folders,
                                        const std::string& host);

    // Removes the socket, unless another file has replaced it.
    ~Listener();
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;

    // The listening descriptor, non-blocking. Clients that connect wait until they are accepted.
    [[nodiscard]] int fd() const { return bound_.fd->get(); }

    [[nodiscard]] const std::string& path() const { return bound_.path; }

    enum class Place { kept, bound_again, lost };

    struct Checked {
        Place place = Place::kept;
        std::string why;  // for Place::lost
    };

    // Checks that the socket is still in the file system. If not, creates its folder and the parent
    // folder again and binds a new socket, there or in the next folder: fd() and path() may change.
    // If another host has taken the name meanwhile, that host keeps it.
    [[nodiscard]] Checked keep_in_place();

private:
    // A listening socket, and the identity of its file.
    struct Bound {
        std::unique_ptr<const Fd> fd;
        std::string path;
        dev_t device = 0;
        ino_t inode = 0;

        [[nodiscard]] bool is_in_place() const;
        void remove() const;
    };

    Listener(Bound bound, std::vector<std::string> paths, std::string host);

    static Opened open_at(std::vector<std::string> paths, const std::string& host);
    static Result<Bound, Refused> bind_at(const std::string& path, const std::string& host);
    static Result<Bound, Refused> bind_in(const std::vector<std::string>& paths,
                                          const std::string& host);

    Bound bound_;
    const std::vector<std::string> paths_;  // the allowed paths, the preferred one first
    const std::string host_;
};

}  // namespace skep::host
