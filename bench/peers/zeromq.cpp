// ZeroMQ within the process: PUSH to PULL over inproc, bounded by the two high water marks.
#include "bench/peers/peers.hpp"

#if SKEP_BENCH_ZEROMQ

#include <stdexcept>

#include <zmq.h>

#include "bench/peers/queue_cells.hpp"

namespace bench {
namespace {

void must(int status) {
    if (status < 0) {
        throw std::runtime_error(std::string("ZeroMQ: ") + zmq_strerror(zmq_errno()));
    }
}

// Made at first use, and ended with the process.
void* zmq() {
    static void* const context = [] {
        void* const made = zmq_ctx_new();
        must(zmq_ctx_set(made, ZMQ_IO_THREADS, 0));  // none is needed within a process
        return made;
    }();
    return context;
}

// A message whose copies share its bytes.
class ZmqMessage {
public:
    ZmqMessage() { zmq_msg_init(&raw_); }

    explicit ZmqMessage(std::size_t size) { must(zmq_msg_init_size(&raw_, size)); }

    ZmqMessage(const ZmqMessage& other)
        : ZmqMessage() {
        must(zmq_msg_copy(&raw_, const_cast<zmq_msg_t*>(&other.raw_)));
    }

    ZmqMessage& operator=(const ZmqMessage&) = delete;

    ~ZmqMessage() { zmq_msg_close(&raw_); }

    [[nodiscard]] zmq_msg_t* raw() { return &raw_; }

    [[nodiscard]] char* data() { return static_cast<char*>(zmq_msg_data(&raw_)); }

private:
    zmq_msg_t raw_{};
};

void send_one(void* socket, const Message& message) {
    must(zmq_send(socket, &message, sizeof(message), 0));
}

void send_one(void* socket, ZmqMessage& message) {
    must(zmq_msg_send(message.raw(), socket, 0));
}

void receive_one(void* socket, Message& message) {
    must(zmq_recv(socket, &message, sizeof(message), 0));
}

void receive_one(void* socket, ZmqMessage& message) {
    must(zmq_msg_recv(message.raw(), socket, 0));
}

template <typename T>
class ZmqQueue {
public:
    explicit ZmqQueue(std::size_t bound)
        : half_(static_cast<int>(bound / 2)),
          address_("inproc://" + std::to_string(sizeof(T)) + "/" + std::to_string(made++)),
          in_(zmq_socket(zmq(), ZMQ_PULL)) {
        must(zmq_setsockopt(in_, ZMQ_RCVHWM, &half_, sizeof(half_)));
        must(zmq_bind(in_, address_.c_str()));
    }

    ~ZmqQueue() { zmq_close(in_); }

    ZmqQueue(const ZmqQueue&) = delete;
    ZmqQueue& operator=(const ZmqQueue&) = delete;

    struct Sender {
        explicit Sender(ZmqQueue& queue)
            : socket(zmq_socket(zmq(), ZMQ_PUSH)) {
            must(zmq_setsockopt(socket, ZMQ_SNDHWM, &queue.half_, sizeof(queue.half_)));
            must(zmq_connect(socket, queue.address_.c_str()));
        }

        ~Sender() { zmq_close(socket); }

        Sender(const Sender&) = delete;
        Sender& operator=(const Sender&) = delete;

        void send(T element) { send_one(socket, element); }

        void flush() {}

        void* const socket;
    };

    struct Receiver {
        explicit Receiver(ZmqQueue& queue)
            : socket(queue.in_) {}

        T receive() {
            T element;
            receive_one(socket, element);
            return element;
        }

        void* const socket;
    };

private:
    static inline std::atomic<std::uint64_t> made{0};  // an address is free only some time after

    const int half_;
    const std::string address_;
    void* const in_;
};

Sample broadcast_large(const std::string& cell, std::uint64_t count, std::size_t size) {
    return QueueCells<ZmqQueue>::broadcast<ZmqMessage>(
        cell,
        count,
        [size](std::uint64_t i) {
            ZmqMessage made(size);
            std::memset(made.data(), static_cast<int>(i & 0x7fU), size);
            std::memcpy(made.data(), &i, sizeof(i));
            return made;
        },
        [](ZmqMessage message) {
            std::uint64_t sequence = 0;
            std::memcpy(&sequence, message.data(), sizeof(sequence));
            return sequence;
        });
}

}  // namespace

void add_zeromq(Contenders& all) {
    using Count = std::uint64_t;
    using Cells = QueueCells<ZmqQueue>;
    const auto add = [&](const std::string& cell, std::function<Sample(Count)> run) {
        all.push_back({"zeromq", cell, "", true, true, std::move(run)});
    };
    // No ring: two sockets, each with a file descriptor, for each of a thousand members.
    add("pp", [](Count n) { return Cells::ping_pong("pp", n, 0); });
    add("pp.late", [](Count n) { return Cells::ping_pong("pp.late", n, 1'000'000); });
    add("st", [](Count n) { return Cells::stream("st", n, 1024); });
    add("st.64k", [](Count n) { return Cells::stream("st.64k", n, 65'536); });
    add("pl", [](Count n) { return Cells::pipeline(n); });
    add("fi", [](Count n) { return Cells::fan_in(n); });
    add("bc", [](Count n) { return Cells::broadcast_small(n); });
    add("bc.4k", [](Count n) { return broadcast_large("bc.4k", n, 4096); });
    add("bc.64k", [](Count n) { return broadcast_large("bc.64k", n, 65'536); });
}

}  // namespace bench

#else

void bench::add_zeromq(Contenders& /*all*/) {}

#endif
