#include "host/control/listener.hpp"

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <optional>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <unistd.h>

#include "host/base/deadline.hpp"
#include "host/base/unix_socket.hpp"
#include "host/control/places.hpp"

namespace skep::host {
namespace {

constexpr int backlog = 128;

std::string folder_of(const std::string& path) {
    const std::string folder = std::filesystem::path(path).parent_path();
    return folder.empty() ? "." : folder;
}

// Returns why the folder `fd` cannot be used, or "".
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

// Returns the process that listens at the address, or none.
Result<std::optional<Living>, std::string> listens_at(const sockaddr_un& address) {
    const Fd probe(make_socket());
    if (probe.get() < 0) {
        return Unexpected<std::string>(error_text(errno));
    }
    if (::connect(probe.get(), generic(address), sizeof(address)) != 0) {
        if (errno == ECONNREFUSED || errno == ENOENT) {
            return std::optional<Living>();
        }
        if (errno == EAGAIN) {  // its queue of connections is full
            return std::optional<Living>(Living{});
        }
        return Unexpected<std::string>(error_text(errno));
    }
    return std::optional<Living>(Living{peer_of(probe.get()).value_or(Peer{}).pid});
}

// Locks the folder. Gives up after 2 s, because a stopped process may hold the lock.
bool lock_soon(int folder) {
    constexpr Nanos patience = std::chrono::seconds(2);
    constexpr int pause_ms = 10;
    const Nanos deadline = steady_now() + patience;
    while (::flock(folder, LOCK_EX | LOCK_NB) != 0) {
        if ((errno != EWOULDBLOCK && errno != EINTR) || steady_now() >= deadline) {
            return false;
        }
        (void)::poll(nullptr, 0, pause_ms);
    }
    return true;
}

}  // namespace

Result<Listener::Bound, Listener::Refused> Listener::bind_at(const std::string& path,
                                                             const std::string& host) {
    const auto refused = [&](const std::string& why) {
        return Unexpected<Refused>({path + ": " + why, false});
    };
    const std::optional<sockaddr_un> address = socket_address(path);
    if (!address) {
        return refused(bad_socket_path);
    }
    const std::string folder = folder_of(path);
    if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
        return refused("its folder: " + error_text(errno));
    }
    const Fd lock(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (const std::string trouble = folder_trouble(lock.get()); !trouble.empty()) {
        return refused(trouble);
    }
    if (!lock_soon(lock.get())) {
        return refused("its folder: " + (errno == EWOULDBLOCK ? "another process keeps it locked"
                                                              : error_text(errno)));
    }

    struct stat file {};

    if (::lstat(path.c_str(), &file) == 0) {
        if (!S_ISSOCK(file.st_mode)) {
            return refused("it exists and is not a socket");
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
    auto socket = std::make_unique<const Fd>(make_socket());
    const int fd = socket->get();
    if (fd < 0) {
        return refused(error_text(errno));
    }
    // On Linux bind() gives the file the mode of the socket: others cannot connect at any moment.
    if (::fchmod(fd, 0600) != 0 || ::bind(fd, generic(*address), sizeof(*address)) != 0 ||
        ::lstat(path.c_str(), &file) != 0) {
        return refused(error_text(errno));
    }
    Bound bound{std::move(socket), path, file.st_dev, file.st_ino};
    if (::listen(fd, backlog) != 0) {
        const int error = errno;
        bound.remove();
        return refused(error_text(error));
    }
    return bound;
}

Result<Listener::Bound, Listener::Refused> Listener::bind_in(const std::vector<std::string>& paths,
                                                             const std::string& host) {
    Refused all;
    for (const std::string& path : paths) {
        Result<Bound, Refused> bound = bind_at(path, host);
        if (bound || bound.error().is_taken) {
            return bound;
        }
        all.why += (all.why.empty() ? "" : "; ") + bound.error().why;
    }
    return Unexpected<Refused>(std::move(all));
}

Listener::Opened Listener::open(const std::string& path, const std::string& host) {
    return open_at({path}, host);
}

Listener::Opened Listener::open_in(const std::vector<std::string>& folders,
                                   const std::string& host) {
    if (!is_socket_name(host)) {
        return Unexpected<Refused>({"host name '" + host + "' is not a valid file name", false});
    }
    std::vector<std::string> paths;
    paths.reserve(folders.size());
    for (const std::string& folder : folders) {
        paths.push_back(control_path(folder, host));
    }
    return open_at(std::move(paths), host);
}

Listener::Opened Listener::open_at(std::vector<std::string> paths, const std::string& host) {
    Result<Bound, Refused> bound = bind_in(paths, host);
    if (!bound) {
        return Unexpected<Refused>(bound.error());
    }
    return std::unique_ptr<Listener>(new Listener(std::move(*bound), std::move(paths), host));
}

Listener::Listener(Bound bound, std::vector<std::string> paths, std::string host)
    : bound_(std::move(bound)),
      paths_(std::move(paths)),
      host_(std::move(host)) {}

Listener::~Listener() {
    bound_.remove();
}

bool Listener::Bound::is_in_place() const {
    struct stat file {};

    return ::lstat(path.c_str(), &file) == 0 && file.st_dev == device && file.st_ino == inode;
}

void Listener::Bound::remove() const {
    if (is_in_place()) {
        ::unlink(path.c_str());
    }
}

Listener::Checked Listener::keep_in_place() {
    if (bound_.is_in_place()) {
        return {};
    }
    // A logout removes the runtime folder of the user, which contains the folder of the sockets.
    (void)::mkdir(folder_of(folder_of(bound_.path)).c_str(), 0700);
    Result<Bound, Refused> bound = bind_in(paths_, host_);
    if (!bound) {
        return {Place::lost, bound.error().why};
    }
    bound_ = std::move(*bound);
    return {Place::bound_again, ""};
}

}  // namespace skep::host
