#include "host/control/listener.hpp"

#include <cerrno>
#include <filesystem>
#include <optional>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "host/control/places.hpp"
#include "host/control/unix_socket.hpp"

namespace skep::host {
namespace {

constexpr int backlog = 128;

// What speaks against the folder, which is open as `fd`; "" when nothing does.
std::string folder_trouble(int fd) {
    struct stat folder {};

    if (fd < 0 || ::fstat(fd, &folder) != 0) {
        return "its folder: " + error_text(errno);
    }
    if (folder.st_uid != ::geteuid()) {
        return "its folder belongs to another user";
    }
    return (folder.st_mode & (S_IWGRP | S_IWOTH)) != 0 ? "others may write to its folder" : "";
}

struct Living {
    pid_t pid = 0;  // 0: not known
};

// Who listens at the address, if anybody does.
Result<std::optional<Living>, std::string> listens_at(const sockaddr_un& address) {
    const Fd probe(make_socket());
    if (probe.get() < 0) {
        return Unexpected<std::string>(error_text(errno));
    }
    if (::connect(probe.get(), generic(address), sizeof(address)) != 0) {
        if (errno == ECONNREFUSED || errno == ENOENT) {
            return std::optional<Living>();
        }
        if (errno == EAGAIN) {  // so many wait there already
            return std::optional<Living>(Living{});
        }
        return Unexpected<std::string>(error_text(errno));
    }
    return std::optional<Living>(Living{peer_of(probe.get()).value_or(Peer{}).pid});
}

}  // namespace

Listener::Opened Listener::open(const std::string& path, const std::string& host) {
    const auto refused = [&](const std::string& why) {
        return Unexpected<Refused>({path + ": " + why, false});
    };
    const std::optional<sockaddr_un> address = socket_address(path);
    if (!address) {
        return refused(bad_socket_path);
    }
    std::string folder = std::filesystem::path(path).parent_path();
    folder = folder.empty() ? "." : folder;
    if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
        return refused("its folder: " + error_text(errno));
    }
    const Fd lock(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (const std::string trouble = folder_trouble(lock.get()); !trouble.empty()) {
        return refused(trouble);
    }
    if (::flock(lock.get(), LOCK_EX) != 0) {
        return refused("its folder: " + error_text(errno));
    }

    struct stat file {};

    if (::lstat(path.c_str(), &file) == 0) {
        if (!S_ISSOCK(file.st_mode)) {
            return refused("there is something at that place that is no socket");
        }
        const Result<std::optional<Living>, std::string> living = listens_at(*address);
        if (!living) {
            return refused(living.error());
        }
        if (living->has_value()) {
            const pid_t pid = (*living)->pid;
            return Unexpected<Refused>(
                {"a host named '" + host + "' runs already" +
                     (pid == 0 ? std::string() : ", process " + std::to_string(pid)),
                 true});
        }
        if (::unlink(path.c_str()) != 0) {
            return refused(error_text(errno));
        }
    }
    const int fd = make_socket();
    if (fd < 0) {
        return refused(error_text(errno));
    }
    // On Linux bind() gives the file the mode of the socket: there is no moment at which others
    // could connect.
    if (::fchmod(fd, 0600) != 0 || ::bind(fd, generic(*address), sizeof(*address)) != 0 ||
        ::lstat(path.c_str(), &file) != 0) {
        const int error = errno;
        ::close(fd);
        return refused(error_text(error));
    }
    std::unique_ptr<Listener> made(new Listener(fd, path, file));
    if (::listen(fd, backlog) != 0) {
        return refused(error_text(errno));
    }
    return made;
}

Listener::Opened Listener::open_in(const std::vector<std::string>& folders,
                                   const std::string& host) {
    if (!is_socket_name(host)) {
        return Unexpected<Refused>({"'" + host + "' cannot be the name of a file", false});
    }
    Refused all;
    for (const std::string& folder : folders) {
        Opened opened = open(control_path(folder, host), host);
        if (opened || opened.error().is_taken) {
            return opened;
        }
        all.why += (all.why.empty() ? "" : "; ") + opened.error().why;
    }
    return Unexpected<Refused>(std::move(all));
}

Listener::Listener(int fd, std::string path, const struct stat& file)
    : fd_(fd),
      path_(std::move(path)),
      device_(file.st_dev),
      inode_(file.st_ino) {}

Listener::~Listener() {
    struct stat file {};

    if (::lstat(path_.c_str(), &file) == 0 && file.st_dev == device_ && file.st_ino == inode_) {
        ::unlink(path_.c_str());
    }
}

}  // namespace skep::host
