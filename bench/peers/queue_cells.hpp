// The cells, written once for every queue that threads can share: thread-per-worker peers.
//
// A queue is a class template over its element with
//   explicit Q(std::size_t bound);
//   struct Sender   { explicit Sender(Q&);   void send(T); void flush(); };
//   struct Receiver { explicit Receiver(Q&); T receive(); };
// Each thread makes its own end, so that a queue with tokens or batches can keep them there.
#pragma once

#include <atomic>
#include <cstring>
#include <deque>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "bench/contender.hpp"
#include "bench/plugins/report.hpp"

namespace bench {

// A large payload: made once, shared by all who get it.
using Shared = std::shared_ptr<char[]>;

inline Shared make_shared_payload(std::size_t size, std::uint64_t sequence) {
    Shared made = std::make_shared_for_overwrite<char[]>(size);
    std::memset(made.get(), static_cast<int>(sequence & 0x7fU), size);
    std::memcpy(made.get(), &sequence, sizeof(sequence));
    return made;
}

inline std::uint64_t sequence_of(const Shared& payload) {
    std::uint64_t sequence = 0;
    std::memcpy(&sequence, payload.get(), sizeof(sequence));
    return sequence;
}

// Joins its threads when it goes.
class Threads {
public:
    template <typename Body>
    void add(Body body) {
        threads_.emplace_back(std::move(body));
    }

    void join() {
        for (std::thread& thread : threads_) {
            thread.join();
        }
        threads_.clear();
    }

    ~Threads() { join(); }

private:
    std::deque<std::thread> threads_;
};

// How a measurement of `count` ended.
inline Sample outcome(const std::string& cell,
                      std::uint64_t count,
                      std::int64_t begin,
                      const std::atomic<std::uint64_t>& wrong) {
    const std::int64_t ns = now_ns() - begin;
    return wrong == 0 ? sample(cell, count, ns)
                      : failure(std::to_string(wrong) + " messages were wrong or out of order");
}

template <template <typename> class Queue>
struct QueueCells {
    using Q = Queue<Message>;

    static void pass_back(Q& there, Q& back, std::uint64_t count, std::int64_t work_ns) {
        typename Q::Receiver in(there);
        typename Q::Sender out(back);
        for (std::uint64_t i = 0; i < count; ++i) {
            const Message message = in.receive();
            for (const std::int64_t due = now_ns() + work_ns; work_ns > 0 && now_ns() < due;) {
            }
            out.send(message);
            out.flush();
        }
    }

    static Sample ping_pong(const std::string& cell, std::uint64_t count, std::int64_t work_ns) {
        Q there(1024);
        Q back(1024);
        std::atomic<std::uint64_t> wrong{0};
        Threads threads;
        threads.add([&] { pass_back(there, back, count, work_ns); });
        typename Q::Sender out(there);
        typename Q::Receiver in(back);
        const std::int64_t begin = now_ns();
        for (std::uint64_t i = 0; i < count; ++i) {
            out.send({i, 0, {}});
            out.flush();
            wrong += in.receive().sequence == i ? 0U : 1U;
        }
        const std::int64_t worked = static_cast<std::int64_t>(count) * work_ns;
        return outcome(cell, 2 * count, begin + worked, wrong);
    }

    static void produce(Q& queue, std::uint64_t count, std::uint64_t sender) {
        typename Q::Sender out(queue);
        for (std::uint64_t i = 0; i < count; ++i) {
            out.send({i, sender, {}});
        }
        out.flush();
    }

    static std::uint64_t consume(Q& queue, std::uint64_t count, std::size_t senders) {
        typename Q::Receiver in(queue);
        std::vector<std::uint64_t> next(senders);
        std::uint64_t wrong = 0;
        for (std::uint64_t i = 0; i < count; ++i) {
            const Message message = in.receive();
            wrong += next[message.sender]++ == message.sequence ? 0U : 1U;
        }
        return wrong;
    }

    static Sample stream(const std::string& cell, std::uint64_t count, std::size_t bound) {
        Q queue(bound);
        std::atomic<std::uint64_t> wrong{0};
        const std::int64_t begin = now_ns();
        Threads threads;
        threads.add([&] { produce(queue, count, 0); });
        wrong += consume(queue, count, 1);
        return outcome(cell, count, begin, wrong);
    }

    static Sample pipeline(std::uint64_t count) {
        Q first(1024);
        Q second(1024);
        std::atomic<std::uint64_t> wrong{0};
        const std::int64_t begin = now_ns();
        Threads threads;
        threads.add([&] { produce(first, count, 0); });
        threads.add([&] {
            typename Q::Receiver in(first);
            typename Q::Sender out(second);
            for (std::uint64_t i = 0; i < count; ++i) {
                out.send(in.receive());
            }
            out.flush();
        });
        wrong += consume(second, count, 1);
        return outcome("pl", count, begin, wrong);
    }

    static Sample fan_in(std::uint64_t count) {
        constexpr std::uint64_t sources = 4;
        const std::uint64_t each = count / sources;
        Q queue(1024);
        std::atomic<std::uint64_t> wrong{0};
        const std::int64_t begin = now_ns();
        Threads threads;
        for (std::uint64_t i = 0; i < sources; ++i) {
            threads.add([&queue, each, i] { produce(queue, each, i); });
        }
        wrong += consume(queue, each * sources, sources);
        return outcome("fi", each * sources, begin, wrong);
    }

    // A copy to each of eight queues: of a small message by value, of a large one by reference.
    template <typename Element, typename Make, typename Sequence>
    static Sample broadcast(const std::string& cell,
                            std::uint64_t count,
                            const Make& make,
                            const Sequence& sequence) {
        constexpr std::size_t sinks = 8;
        std::vector<std::unique_ptr<Queue<Element>>> queues;
        for (std::size_t i = 0; i < sinks; ++i) {
            queues.push_back(std::make_unique<Queue<Element>>(1024));
        }
        std::atomic<std::uint64_t> wrong{0};
        const std::int64_t begin = now_ns();
        Threads threads;
        for (const auto& queue : queues) {
            threads.add([&wrong, &sequence, count, at = queue.get()] {
                typename Queue<Element>::Receiver in(*at);
                std::uint64_t bad = 0;
                for (std::uint64_t i = 0; i < count; ++i) {
                    bad += sequence(in.receive()) == i ? 0U : 1U;
                }
                wrong += bad;
            });
        }
        {
            std::vector<std::unique_ptr<typename Queue<Element>::Sender>> out;
            for (const auto& queue : queues) {
                out.push_back(std::make_unique<typename Queue<Element>::Sender>(*queue));
            }
            for (std::uint64_t i = 0; i < count; ++i) {
                const Element element = make(i);
                for (const auto& to : out) {
                    to->send(element);
                }
            }
            for (const auto& to : out) {
                to->flush();
            }
            threads.join();
        }
        return outcome(cell, count * sinks, begin, wrong);
    }

    static Sample broadcast_small(std::uint64_t count) {
        return broadcast<Message>(
            "bc",
            count,
            [](std::uint64_t i) {
                return Message{i, 0, {}};
            },
            [](const Message& message) { return message.sequence; });
    }

    static Sample broadcast_large(const std::string& cell, std::uint64_t count, std::size_t size) {
        return broadcast<Shared>(
            cell,
            count,
            [size](std::uint64_t i) { return make_shared_payload(size, i); },
            sequence_of);
    }

    // A token goes round; its sequence counts the hops, and tells each member whose it is. The
    // member that has it after the last hop sends on a number that ends all the others in turn.
    struct Ring {
        std::uint64_t hops;
        std::vector<std::unique_ptr<Q>> queues;
        std::atomic<std::int64_t> end{0};
        std::atomic<std::uint64_t> wrong{0};

        void be_member(std::uint64_t index) {
            typename Q::Receiver in(*queues[index]);
            typename Q::Sender out(*queues[(index + 1) % queues.size()]);
            for (;;) {
                Message token = in.receive();
                wrong += token.sequence % queues.size() == index ? 0U : 1U;
                if (token.sequence == hops) {
                    end = now_ns();
                }
                ++token.sequence;
                out.send(token);
                out.flush();
                if (token.sequence > hops) {
                    return;
                }
            }
        }
    };

    static Sample ring(std::uint64_t members, std::uint64_t hops) {
        Ring ring{hops, {}};
        for (std::uint64_t i = 0; i < members; ++i) {
            ring.queues.push_back(std::make_unique<Q>(16));
        }
        Threads threads;
        for (std::uint64_t i = 0; i < members; ++i) {
            threads.add([&ring, i] { ring.be_member(i); });
        }
        const std::int64_t begin = now_ns();
        {
            typename Q::Sender out(*ring.queues[0]);
            out.send({0, 0, {}});
            out.flush();
        }
        threads.join();
        const std::int64_t after_end = now_ns() - ring.end;
        return outcome("ring.1k", hops, begin + after_end, ring.wrong);
    }
};

// What of the above a queue can do, beside being a stream.
struct QueueTraits {
    bool has_many_senders = true;
    bool is_for_one_at_a_time = true;  // false: it batches, and says nothing of single messages
    std::string not_comparable;
};

// Named `name`, in every cell that the queue can do.
template <template <typename> class Queue>
void add_queue(Contenders& all, const std::string& name, const QueueTraits& traits) {
    using Cells = QueueCells<Queue>;
    using Count = std::uint64_t;
    const auto add = [&](const std::string& cell, std::function<Sample(Count)> run) {
        all.push_back({name, cell, traits.not_comparable, true, true, std::move(run)});
    };
    if (traits.is_for_one_at_a_time) {
        add("pp", [](Count n) { return Cells::ping_pong("pp", n, 0); });
        add("pp.late", [](Count n) { return Cells::ping_pong("pp.late", n, 1'000'000); });
        // Thread per worker: a pool is another kind of thing.
        add("ring.1k", [](Count n) { return Cells::ring(1000, n); });
        all.back().is_beside_pool = false;
    }
    add("st", [](Count n) { return Cells::stream("st", n, 1024); });
    add("st.64k", [](Count n) { return Cells::stream("st.64k", n, 65'536); });
    add("pl", [](Count n) { return Cells::pipeline(n); });
    if (traits.has_many_senders) {
        add("fi", [](Count n) { return Cells::fan_in(n); });
    }
    add("bc", [](Count n) { return Cells::broadcast_small(n); });
    add("bc.4k", [](Count n) { return Cells::broadcast_large("bc.4k", n, 4096); });
    add("bc.64k", [](Count n) { return Cells::broadcast_large("bc.64k", n, 65'536); });
}

}  // namespace bench
