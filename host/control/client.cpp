#include "host/control/client.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <optional>
#include <system_error>

#include <httplib.h>
#include <poll.h>
#include <spdlog/fmt/fmt.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "host/base/fd.hpp"
#include "host/control/places.hpp"
#include "host/control/unix_socket.hpp"

namespace skep::host {
namespace {

namespace fs = std::filesystem;

// Connects, and goes: who listens there, or why nobody can be reached.
Result<pid_t, AskError> probe(const std::string& path) {
    const std::optional<sockaddr_un> address = socket_address(path);
    if (!address) {
        return Unexpected<AskError>({AskError::Kind::nobody, path + ": " + bad_socket_path});
    }
    const Fd fd(make_socket());
    // EAGAIN: so many wait there already.
    if (fd.get() < 0 ||
        (::connect(fd.get(), generic(*address), sizeof(*address)) != 0 && errno != EAGAIN)) {
        const bool is_forbidden = errno == EACCES || errno == EPERM;
        return Unexpected<AskError>(
            {is_forbidden ? AskError::Kind::forbidden : AskError::Kind::nobody,
             path + ": " + error_text(errno)});
    }
    return peer_of(fd.get()).value_or(Peer{}).pid;
}

// Sends what `send` sends, and gives what came back, or why nothing did.
template <typename Send>
Result<Reply, AskError> request(const std::string& path, Nanos patience, Send&& send) {
    if (const Result<pid_t, AskError> pid = probe(path); !pid) {
        return Unexpected<AskError>(pid.error());
    }
    httplib::Client client(path);
    client.set_address_family(AF_UNIX);
    client.set_read_timeout(patience);
    client.set_write_timeout(patience);
    const httplib::Result result = send(client);
    if (!result) {
        return Unexpected<AskError>(
            {AskError::Kind::no_answer, path + ": " + httplib::to_string(result.error())});
    }
    return Reply{result->status, result->body};
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

Result<Reply, AskError> ask_host(const std::string& path,
                                 const std::string& method,
                                 const std::string& target,
                                 const std::string& body,
                                 Nanos patience) {
    return request(path, patience, [&](httplib::Client& client) {
        return method == "GET" ? client.Get(target) : client.Post(target, body, "application/json");
    });
}

Result<Reply, AskError> hear_host(const std::string& path,
                                  const std::string& target,
                                  const Hears& hears,
                                  Nanos patience) {
    int status = 0;
    bool has_heard_enough = false;
    std::string refusal;
    Result<Reply, AskError> reply = request(path, patience, [&](httplib::Client& client) {
        return client.Get(
            target,
            [&](const httplib::Response& response) {
                status = response.status;
                return true;
            },
            [&](const char* data, std::size_t size) {
                if (status >= 400) {
                    refusal.append(data, size);
                    return true;
                }
                has_heard_enough = !hears({data, size});
                return !has_heard_enough;
            });
    });
    if (reply || has_heard_enough) {
        return Reply{status, std::move(refusal)};
    }
    return reply;
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

bool wait_for_end_of(pid_t pid, Nanos patience) {
    const Fd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    if (process.get() < 0) {
        return errno == ESRCH;
    }
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(patience).count();
    pollfd ended = {process.get(), POLLIN, 0};
    return ::poll(&ended, 1, static_cast<int>(std::clamp<std::int64_t>(left, 0, 2'000'000'000))) ==
           1;
}

}  // namespace skep::host
