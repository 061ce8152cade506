#include "host/control/client.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <optional>
#include <system_error>
#include <thread>

#include <httplib.h>
#include <poll.h>
#include <spdlog/fmt/fmt.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "host/base/deadline.hpp"
#include "host/base/fd.hpp"
#include "host/base/unix_socket.hpp"
#include "host/control/places.hpp"

namespace skep::host {
namespace {

namespace fs = std::filesystem;

constexpr Nanos asks_again_for = std::chrono::seconds(1);
constexpr int asks_again_every_ms = 10;

// Connects and closes. Returns the process that listens, or why the connection failed.
Result<pid_t, AskError> probe(const std::string& path) {
    const std::optional<sockaddr_un> address = socket_address(path);
    if (!address) {
        return Unexpected<AskError>({AskError::Kind::nobody, path + ": " + bad_socket_path});
    }
    const Fd fd(make_socket());
    // EAGAIN: the socket exists, but its queue of connections is full.
    if (fd.get() < 0 ||
        (::connect(fd.get(), generic(*address), sizeof(*address)) != 0 && errno != EAGAIN)) {
        const bool is_forbidden = errno == EACCES || errno == EPERM;
        return Unexpected<AskError>(
            {is_forbidden ? AskError::Kind::forbidden : AskError::Kind::nobody,
             path + ": " + error_text(errno)});
    }
    return peer_of(fd.get()).value_or(Peer{}).pid;
}

// Asks the host now and then whether it still answers, on a second connection, while a request
// lasts. Ends the request when the host does not answer.
class LifeWatch {
public:
    // `over` is an eventfd, which this object closes.
    LifeWatch(const std::string& path, httplib::Client& request, int over)
        : request_(request),
          ping_(path),
          over_(over),
          thread_([this] { run(); }) {}

    ~LifeWatch() {
        (void)::eventfd_write(over_.get(), 1);
        ping_.stop();
        thread_.join();
    }

    LifeWatch(const LifeWatch&) = delete;
    LifeWatch& operator=(const LifeWatch&) = delete;

    [[nodiscard]] bool has_seen_death() const { return has_seen_death_; }

private:
    static constexpr Nanos first_look = std::chrono::seconds(1);
    static constexpr Nanos look_every = std::chrono::seconds(5);

    void run() {
        ping_.set_address_family(AF_UNIX);
        ping_.set_connection_timeout(sign_of_life_within - first_look);
        ping_.set_read_timeout(sign_of_life_within - first_look);
        for (Nanos rest = first_look; !is_over_within(rest); rest = look_every) {
            // A host without a free connection refuses, or closes the connection: it lives.
            const auto error = ping_.Get("/v1/host").error();
            if (error == httplib::Error::Read || error == httplib::Error::Connection) {
                if (!is_over_within(Nanos(0))) {
                    has_seen_death_ = true;
                    request_.stop();
                }
                return;
            }
        }
    }

    [[nodiscard]] bool is_over_within(Nanos time) const {
        pollfd over = {over_.get(), POLLIN, 0};
        return ::poll(&over, 1, poll_timeout(deadline_after(steady_now(), time))) == 1;
    }

    httplib::Client& request_;
    httplib::Client ping_;
    const Fd over_;
    std::atomic<bool> has_seen_death_{false};
    std::thread thread_;
};

// Calls `send` to send a request. Returns the response, or why none came.
template <typename Send>
Result<Response, AskError> request(const std::string& path, Nanos patience, Send&& send) {
    if (const Result<pid_t, AskError> pid = probe(path); !pid) {
        return Unexpected<AskError>(pid.error());
    }
    httplib::Client client(path);
    client.set_address_family(AF_UNIX);
    client.set_connection_timeout(patience);
    client.set_read_timeout(patience);
    client.set_write_timeout(patience);
    // A host without a free connection refuses before it reads. Its response is lost if it is
    // faster than the request. The host has done nothing, so repeating the request is safe.
    const Nanos begin = steady_now();
    const Nanos last_try = begin + std::min(patience, asks_again_for);
    std::optional<LifeWatch> watch;
    const int over = patience > sign_of_life_within ? ::eventfd(0, EFD_CLOEXEC) : -1;
    if (over >= 0) {
        try {
            watch.emplace(path, client, over);
        } catch (const std::system_error&) {  // no thread: the request runs without a watch
        }
    }
    httplib::Result result = send(client);
    while (result.error() == httplib::Error::Write && steady_now() < last_try) {
        (void)::poll(nullptr, 0, asks_again_every_ms);
        result = send(client);
    }
    if (!result) {
        const std::string why = result.error() == httplib::Error::Read
                                    ? "no response, or the host closed the connection"
                                : result.error() == httplib::Error::Write
                                    ? "the host closed the connection before it read the request"
                                    : httplib::to_string(result.error());
        const bool is_silent = watch && watch->has_seen_death();
        const Nanos waited = steady_now() - begin;
        return Unexpected<AskError>({AskError::Kind::no_answer,
                                     path + ": " + why,
                                     is_silent            ? sign_of_life_within
                                     : waited >= patience ? patience
                                                          : Nanos(0)});
    }
    return Response{result->status, result->body};
}

}  // namespace

std::vector<FoundHost> find_hosts(const std::vector<std::string>& folders) {
    std::vector<FoundHost> found;
    for (const std::string& folder : folders) {
        std::error_code error;
        fs::directory_iterator entry(folder, error);
        for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
            const fs::path& path = entry->path();
            const std::string name = path.stem();
            const bool is_known = std::any_of(
                found.begin(), found.end(), [&](const FoundHost& it) { return it.name == name; });
            if (path.extension() != ".sock" || is_known) {
                continue;
            }
            if (const Result<pid_t, AskError> pid = probe(path)) {
                found.push_back({name, path, *pid});
            }
        }
    }
    std::sort(found.begin(), found.end(), [](const FoundHost& a, const FoundHost& b) {
        return a.name < b.name;
    });
    return found;
}

Result<Response, AskError> ask_host(const std::string& path,
                                    const std::string& method,
                                    const std::string& target,
                                    const std::string& body,
                                    Nanos patience) {
    return request(path, patience, [&](httplib::Client& client) {
        return method == "GET" ? client.Get(target) : client.Post(target, body, "application/json");
    });
}

Result<Response, AskError> read_host_stream(const std::string& path,
                                            const std::string& target,
                                            const OnPiece& on_piece,
                                            Nanos patience) {
    int status = 0;
    bool is_stopped = false;
    std::string refusal;
    Result<Response, AskError> response = request(path, patience, [&](httplib::Client& client) {
        return client.Get(
            target,
            [&](const httplib::Response& head) {
                status = head.status;
                return true;
            },
            [&](const char* data, std::size_t size) {
                if (status >= 400) {
                    refusal.append(data, size);
                    return true;
                }
                is_stopped = !on_piece({data, size});
                return !is_stopped;
            });
    });
    if (response || is_stopped) {
        return Response{status, std::move(refusal)};
    }
    return response;
}

std::string encoded(const std::string& text) {
    std::string made;
    for (const char letter : text) {
        const bool is_plain =
            (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
            (letter >= '0' && letter <= '9') || letter == '-' || letter == '_' || letter == '.';
        if (is_plain) {
            made += letter;
        } else {
            made += fmt::format("%{:02X}", static_cast<unsigned char>(letter));
        }
    }
    return made;
}

pid_t listener_of(const std::string& path) {
    const Result<pid_t, AskError> pid = probe(path);
    return pid ? *pid : 0;
}

bool wait_for_end_of(const std::string& path, pid_t pid, Nanos patience) {
    constexpr int rest_between_looks_ms = 20;
    const Nanos until = deadline_after(steady_now(), patience);
    const Fd process(pid == 0 ? -1 : static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    if (process.get() >= 0) {
        pollfd ended = {process.get(), POLLIN, 0};
        while (::poll(&ended, 1, poll_timeout(until)) != 1) {
            if (steady_now() >= until) {
                return false;
            }
        }
        return true;
    }
    // Without pidfd_open, as under valgrind: polls.
    const auto has_ended = [&] {
        return pid == 0 ? !probe(path) : ::kill(pid, 0) != 0 && errno == ESRCH;
    };
    while (!has_ended()) {
        if (steady_now() >= until) {
            return false;
        }
        (void)::poll(nullptr, 0, rest_between_looks_ms);
    }
    return true;
}

}  // namespace skep::host
