// The control socket in the file system, from bind to unlink.
//
// Its folder is made with mode 0700 when it is missing, and refused when it belongs to another user
// or when others may write to it; the socket has mode 0600. A socket that a dead host left behind
// is replaced, one at which somebody listens is refused. Hosts that begin at the same moment are
// kept apart by a lock on the folder, which nobody holds for long.
//
// Others may remove the socket while the host runs: a cleaner of old files, or a logout that takes
// the runtime folder away. keep_in_place() then binds it again.
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
    [[nodiscard]] int fd() const { return bound_.fd->get(); }

    [[nodiscard]] const std::string& path() const { return bound_.path; }

    enum class Place { kept, bound_again, lost };

    struct Checked {
        Place place = Place::kept;
        std::string why;  // of a lost one
    };

    // Looks whether the socket is where clients look for it. If it is gone, makes its folder again,
    // also the one around that, and binds another, there or in the next of the folders: fd() and
    // path() may be others then. A host that has taken the name meanwhile keeps it.
    [[nodiscard]] Checked keep_in_place();

private:
    // A socket that listens, and which file it is.
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
    const std::vector<std::string> paths_;  // where it may be, the preferred one first
    const std::string host_;
};

}  // namespace skep::host
