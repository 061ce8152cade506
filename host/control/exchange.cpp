#include "host/control/exchange.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <string>
#include <utility>

#include <httplib.h>
#include <poll.h>
#include <sys/socket.h>

#include "host/base/deadline.hpp"
#include "host/control/refusals.hpp"

namespace skep::host {
namespace {

enum class Trouble { none, too_slow, too_large, gone };

// The connection as a stream for httplib. Reading has one deadline for the whole request, and
// writing one for the whole response or for each of its pieces.
class BoundedStream final : public httplib::Stream {
public:
    BoundedStream(int fd, int ended, const ControlLimits& limits)
        : fd_(fd),
          ended_(ended),
          limits_(limits),
          budget_(limits.head),
          read_deadline_(steady_now() + limits.request) {}

    [[nodiscard]] Trouble trouble() const { return trouble_; }

    // Sets the limit for the body, including the framing of chunks. Call it after the head is read.
    void begin_body() { budget_ = 2 * limits_.body + limits_.head; }

    // Gives the next piece of the response its own deadline.
    void begin_piece() { write_deadline_.reset(); }

    // Blocks for this time. Returns false at once if the peer has gone or the server ends.
    [[nodiscard]] bool rest(Nanos duration) const {
        const Nanos until = duration > Nanos(0) ? steady_now() + duration : Nanos(0);
        std::array<pollfd, 2> fds = {{{fd_, 0, 0}, {ended_, POLLIN, 0}}};
        while (true) {
            (void)::poll(fds.data(), fds.size(), poll_timeout(until));
            if ((fds[0].revents & (POLLHUP | POLLERR)) != 0 || fds[1].revents != 0) {
                return false;
            }
            if (steady_now() >= until) {
                return true;
            }
        }
    }

    ssize_t read(char* to, std::size_t size) override {
        while (first_ == last_) {
            if (!fill()) {
                return trouble_ == Trouble::none ? 0 : -1;
            }
        }
        if (budget_ == 0) {
            trouble_ = Trouble::too_large;
            return -1;
        }
        const std::size_t taken = std::min({size, last_ - first_, budget_});
        std::copy_n(buffer_.data() + first_, taken, to);
        first_ += taken;
        budget_ -= taken;
        return static_cast<ssize_t>(taken);
    }

    ssize_t write(const char* from, std::size_t size) override {
        if (!write_deadline_) {
            write_deadline_ = steady_now() + limits_.answer;
        }
        while (true) {
            const ssize_t sent = ::send(fd_, from, size, MSG_NOSIGNAL | MSG_DONTWAIT);
            if (sent >= 0) {
                return sent;
            }
            if (errno == EINTR) {
                continue;
            }
            if (errno != EAGAIN || !wait_for_room()) {
                trouble_ = Trouble::gone;
                return -1;
            }
        }
    }

    // Reads and drops the rest of a request that is too large. Otherwise the client would find the
    // connection broken before it reads the response.
    void drop_rest() {
        ::shutdown(fd_, SHUT_WR);
        budget_ = 8 * limits_.body;
        std::array<char, 4096> rest{};
        while (read(rest.data(), rest.size()) > 0) {
        }
    }

    [[nodiscard]] bool is_readable() const override { return true; }

    [[nodiscard]] bool is_writable() const override { return trouble_ != Trouble::gone; }

    void get_remote_ip_and_port(std::string& ip, int& port) const override {
        ip.clear();
        port = 0;
    }

    void get_local_ip_and_port(std::string& ip, int& port) const override {
        get_remote_ip_and_port(ip, port);
    }

    // httplib only checks that its select() could use this number; this stream uses no select().
    [[nodiscard]] int socket() const override { return 0; }

private:
    // Reads into the buffer. False at the end of the request, or on trouble.
    bool fill() {
        while (true) {
            if (steady_now() >= read_deadline_) {
                trouble_ = Trouble::too_slow;
                return false;
            }
            const ssize_t got = ::recv(fd_, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
            if (got > 0) {
                first_ = 0;
                last_ = static_cast<std::size_t>(got);
                return true;
            }
            if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
                return false;
            }
            std::array<pollfd, 2> fds = {{{fd_, POLLIN, 0}, {ended_, POLLIN, 0}}};
            (void)::poll(fds.data(), fds.size(), poll_timeout(read_deadline_));
            if (fds[1].revents != 0) {
                trouble_ = Trouble::gone;
                return false;
            }
        }
    }

    bool wait_for_room() {
        std::array<pollfd, 2> fds = {{{fd_, POLLOUT, 0}, {is_ending_ ? -1 : ended_, POLLIN, 0}}};
        (void)::poll(fds.data(), fds.size(), poll_timeout(*write_deadline_));
        if (fds[1].revents != 0) {
            is_ending_ = true;
            write_deadline_ = std::min(*write_deadline_, steady_now() + limits_.farewell);
        }
        return steady_now() < *write_deadline_;
    }

    const int fd_;
    const int ended_;
    const ControlLimits& limits_;
    std::array<char, 16384> buffer_{};
    std::size_t first_ = 0, last_ = 0;  // the unread part of the buffer
    std::size_t budget_;                // the number of bytes that may still be read
    const Nanos read_deadline_;
    std::optional<Nanos> write_deadline_;
    bool is_ending_ = false;
    Trouble trouble_ = Trouble::none;
};

// An httplib server for one request. It never listens.
class Exchange final : public httplib::Server {
public:
    Exchange(BoundedStream& stream,
             const Peer& peer,
             const ControlLimits& limits,
             const Progress& progress,
             const RequestHandler& answers)
        : stream_(stream),
          limits_(limits),
          progress_(progress),
          answers_(answers) {
        svr_sock_ = 0;  // httplib writes a response in pieces only if it seems to listen
        request_.peer = peer;
        request_.hold = progress.hold;
        request_.rest = [this](Nanos duration) { return stream_.rest(duration); };
        set_payload_max_length(limits.body);
        set_pre_routing_handler([this](const httplib::Request& request, httplib::Response& to) {
            return begin(request, to);
        });
        Post("/",
             [this](const httplib::Request& request,
                    httplib::Response& to,
                    const httplib::ContentReader& read) { finish(request, to, read); });
        set_error_handler([this](const httplib::Request&, httplib::Response& to) { fail(to); });
        set_exception_handler(
            [](const httplib::Request&, httplib::Response& to, const std::exception_ptr&) {
                put(to, refused(internal_error, "the request failed inside skep"));
            });
    }

    void run() {
        bool ignored = true;
        (void)process_request(
            stream_, true, ignored, [this](httplib::Request& request) { prepare(request); });
        if (is_too_large_) {
            stream_.drop_rest();
        }
    }

private:
    static void put(httplib::Response& to, const Response& response) {
        to.status = response.status;
        to.set_content(response.body, "application/json");
    }

    void put_answer(httplib::Response& to) {
        progress_.asked();
        const Response response = answers_(request_);
        if (response.more == nullptr) {
            put(to, response);
            return;
        }
        to.status = response.status;
        to.set_chunked_content_provider(
            "application/x-ndjson",
            [this, more = response.more](std::size_t /*offset*/, httplib::DataSink& sink) {
                const std::optional<std::string> piece = more();
                if (!piece) {
                    sink.done();
                    return true;
                }
                stream_.begin_piece();
                return piece->empty() || sink.write(piece->data(), piece->size());
            });
    }

    // Called when the head is read. Removes ranges, compression and the path from the request,
    // because httplib would act on them.
    void prepare(httplib::Request& request) {
        request_.method = request.method;
        request_.path = std::move(request.path);
        for (const auto& [name, value] : request.params) {
            request_.query.emplace(name, value);
        }
        request.path = "/";
        request.ranges.clear();
        request.headers.erase("Accept-Encoding");
        stream_.begin_body();
    }

    HandlerResponse begin(const httplib::Request& request, httplib::Response& to) {
        if (request.has_header("Content-Encoding") || request.is_multipart_form_data()) {
            put(to, refused(unsupported, "the body must be plain JSON"));
            return HandlerResponse::Handled;
        }
        if (request.get_header_value<std::uint64_t>("Content-Length") > limits_.body) {
            put(to, body_too_large());
            return HandlerResponse::Handled;
        }
        if (request.method != "POST") {
            put_answer(to);
            return HandlerResponse::Handled;
        }
        return HandlerResponse::Unhandled;
    }

    void finish(const httplib::Request& request,
                httplib::Response& to,
                const httplib::ContentReader& read) {
        bool is_whole = true;
        if (request.has_header("Content-Length") || request.has_header("Transfer-Encoding")) {
            is_whole = read([this](const char* data, std::size_t size) {
                is_too_large_ = is_too_large_ || size > limits_.body - request_.body.size();
                if (!is_too_large_) {
                    request_.body.append(data, size);
                }
                return !is_too_large_;
            });
        }
        if (is_whole) {
            put_answer(to);
        } else {
            to.status = 400;  // fail() adds the reason
        }
    }

    Response body_too_large() {
        is_too_large_ = true;
        return refused(too_large,
                       "the body has more than " + std::to_string(limits_.body) + " bytes");
    }

    // Adds the body to an error response without one.
    void fail(httplib::Response& to) {
        if (!to.body.empty()) {
            return;
        }
        if (stream_.trouble() == Trouble::too_slow) {
            put(to, refused(too_slow, "the request did not arrive in time"));
        } else if (is_too_large_) {
            put(to, body_too_large());
        } else if (stream_.trouble() == Trouble::too_large || to.status == 414) {
            put(to, refused(head_too_large, "the request is too large"));
        } else {
            put(to, refused(bad_request, "not an HTTP/1.1 request"));
        }
    }

    BoundedStream& stream_;
    const ControlLimits& limits_;
    const Progress& progress_;
    const RequestHandler& answers_;
    Request request_;
    bool is_too_large_ = false;
};

}  // namespace

void serve(int fd,
           int ended,
           const Peer& peer,
           const ControlLimits& limits,
           const Progress& progress,
           const RequestHandler& answers) {
    BoundedStream stream(fd, ended, limits);
    Exchange(stream, peer, limits, progress, answers).run();
}

std::string wire_text(const Response& response) {
    return "HTTP/1.1 " + std::to_string(response.status) + " " +
           std::string(response.status < 400 ? "OK" : "Refused") +
           "\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: " +
           std::to_string(response.body.size()) + "\r\n\r\n" + response.body;
}

}  // namespace skep::host
