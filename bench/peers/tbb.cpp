// oneTBB: its bounded queue between threads, and its flow graph, which is the pool of this library.
#include "bench/peers/peers.hpp"

#if SKEP_BENCH_TBB

#include <tuple>

#include <oneapi/tbb/concurrent_queue.h>
#include <oneapi/tbb/flow_graph.h>

#include "bench/peers/queue_cells.hpp"

namespace bench {
namespace {

namespace flow = oneapi::tbb::flow;

template <typename T>
struct BoundedQueue {
    explicit BoundedQueue(std::size_t bound) {
        queue.set_capacity(static_cast<std::ptrdiff_t>(bound));
    }

    struct Sender {
        explicit Sender(BoundedQueue& owner)
            : queue(owner.queue) {}

        void send(T element) { queue.push(std::move(element)); }

        void flush() {}

        oneapi::tbb::concurrent_bounded_queue<T>& queue;
    };

    struct Receiver {
        explicit Receiver(BoundedQueue& owner)
            : queue(owner.queue) {}

        T receive() {
            T element;
            queue.pop(element);
            return element;
        }

        oneapi::tbb::concurrent_bounded_queue<T>& queue;
    };

    oneapi::tbb::concurrent_bounded_queue<T> queue;
};

// At most this many messages are on their way in a graph.
constexpr std::size_t bound = 1024;

// A node that gives 0, 1, 2, ... and ends.
flow::input_node<Message> source_node(flow::graph& graph, std::uint64_t count, std::uint64_t id) {
    return {graph, [=, next = std::uint64_t{0}](oneapi::tbb::flow_control& control) mutable {
                if (next == count) {
                    control.stop();
                    return Message{};
                }
                return Message{next++, id, {}};
            }};
}

// `sources` into one sink; with a filter between them or without.
Sample graph_stream(const std::string& cell,
                    std::uint64_t count,
                    std::uint64_t sources,
                    bool has_filter) {
    const std::uint64_t each = count / sources;
    std::atomic<std::uint64_t> wrong{0};
    std::uint64_t received = 0;
    std::vector<std::uint64_t> next(sources);
    flow::graph graph;
    flow::limiter_node<Message> limit(graph, bound);
    flow::function_node<Message, Message> filter(
        graph, flow::serial, [](const Message& message) { return message; });
    // A serial node may still hand two results on in the wrong order.
    flow::sequencer_node<Message> order(
        graph, [](const Message& message) { return static_cast<std::size_t>(message.sequence); });
    flow::function_node<Message, flow::continue_msg> sink(
        graph, flow::serial, [&](const Message& message) {
            wrong += next[message.sender]++ == message.sequence ? 0U : 1U;
            ++received;
            return flow::continue_msg();
        });
    std::deque<flow::input_node<Message>> inputs;
    for (std::uint64_t i = 0; i < sources; ++i) {
        inputs.push_back(source_node(graph, each, i));
        flow::make_edge(inputs.back(), limit);
    }
    if (has_filter) {
        flow::make_edge(limit, filter);
        flow::make_edge(filter, order);
        flow::make_edge(order, sink);
    } else {
        flow::make_edge(limit, sink);
    }
    flow::make_edge(sink, limit.decrementer());
    const std::int64_t begin = now_ns();
    for (flow::input_node<Message>& input : inputs) {
        input.activate();
    }
    graph.wait_for_all();
    wrong += each * sources - received;
    return outcome(cell, each * sources, begin, wrong);
}

template <typename Element, typename Make, typename Sequence>
Sample graph_broadcast(const std::string& cell,
                       std::uint64_t count,
                       const Make& make,
                       const Sequence& sequence) {
    constexpr std::uint64_t sinks = 8;
    std::atomic<std::uint64_t> wrong{0};
    std::atomic<std::uint64_t> deliveries{0};
    flow::graph graph;
    flow::input_node<Element> input(
        graph, [&, next = std::uint64_t{0}](oneapi::tbb::flow_control& control) mutable {
            if (next == count) {
                control.stop();
                return Element{};
            }
            return make(next++);
        });
    flow::limiter_node<Element> limit(graph, bound);
    flow::make_edge(input, limit);
    std::deque<flow::function_node<Element>> nodes;
    for (std::uint64_t i = 0; i < sinks; ++i) {
        nodes.emplace_back(
            graph, flow::serial, [&, next = std::uint64_t{0}](const Element& element) mutable {
                wrong += sequence(element) == next++ ? 0U : 1U;
                if (deliveries.fetch_add(1) % sinks == sinks - 1) {  // as much as one message
                    limit.decrementer().try_put(flow::continue_msg());
                }
            });
        flow::make_edge(limit, nodes.back());
    }
    const std::int64_t begin = now_ns();
    input.activate();
    graph.wait_for_all();
    wrong += count * sinks - deliveries;
    return outcome(cell, count * sinks, begin, wrong);
}

Sample graph_broadcast_large(const std::string& cell, std::uint64_t count, std::size_t size) {
    return graph_broadcast<Shared>(
        cell, count, [size](std::uint64_t i) { return make_shared_payload(size, i); }, sequence_of);
}

Sample graph_ring(const std::string& cell, std::uint64_t members, std::uint64_t hops) {
    using Member = flow::multifunction_node<Message, std::tuple<Message>>;
    std::atomic<std::uint64_t> wrong{0};
    std::uint64_t last = 0;
    flow::graph graph;
    std::deque<Member> ring;
    for (std::uint64_t i = 0; i < members; ++i) {
        ring.emplace_back(
            graph, flow::serial, [&, i](const Message& token, Member::output_ports_type& out) {
                wrong += token.sequence % members == i ? 0U : 1U;
                last = token.sequence;
                if (last < hops) {
                    std::get<0>(out).try_put({last + 1, 0, {}});
                }
            });
    }
    for (std::uint64_t i = 0; i < members; ++i) {
        flow::make_edge(flow::output_port<0>(ring[i]), ring[(i + 1) % members]);
    }
    const std::int64_t begin = now_ns();
    ring[0].try_put({});
    graph.wait_for_all();
    wrong += last == hops ? 0U : 1U;
    return outcome(cell, hops, begin, wrong);
}

}  // namespace

void add_tbb(Contenders& all) {
    using Count = std::uint64_t;
    add_queue<BoundedQueue>(all, "tbb queue", {});
    const auto add = [&](const std::string& cell, std::function<Sample(Count)> run) {
        const bool is_ring = cell.starts_with("ring");
        all.push_back({"tbb flow graph", cell, "", !is_ring, true, std::move(run)});
    };
    add("st", [](Count n) { return graph_stream("st", n, 1, false); });
    add("pl", [](Count n) { return graph_stream("pl", n, 1, true); });
    add("fi", [](Count n) { return graph_stream("fi", n, 4, false); });
    add("bc", [](Count n) {
        return graph_broadcast<Message>(
            "bc",
            n,
            [](std::uint64_t i) {
                return Message{i, 0, {}};
            },
            [](const Message& message) { return message.sequence; });
    });
    add("bc.4k", [](Count n) { return graph_broadcast_large("bc.4k", n, 4096); });
    add("bc.64k", [](Count n) { return graph_broadcast_large("bc.64k", n, 65'536); });
    add("ring.1k", [](Count n) { return graph_ring("ring.1k", 1000, n); });
    add("ring.100k", [](Count n) { return graph_ring("ring.100k", 100'000, n); });
}

}  // namespace bench

#else

void bench::add_tbb(Contenders& /*all*/) {}

#endif
