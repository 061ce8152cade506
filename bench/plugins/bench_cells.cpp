// The worker types of the benchmark: each is what an author would write, one message a call.
#include <algorithm>
#include <array>
#include <chrono>
#include <mutex>
#include <utility>

#include "bench/plugins/cell.hpp"

namespace bench {
namespace {

using namespace std::chrono_literals;

// How many messages a source on the pool emits before it asks to be called again.
constexpr std::uint64_t pool_chunk = 64;

// -- Streams. --

struct Source {
    static constexpr auto name = "source";
    static constexpr auto& params = cell_params;
    static constexpr auto& outputs = out_port;
    Cell cell;

    explicit Source(skep::context& context)
        : cell(context) {}

    void run(skep::context& context) {
        cell.report.begin();
        for (std::uint64_t i = 0; i < cell.count && context.checkpoint(); ++i) {
            emit_one(context, cell, i);
        }
    }
};

// The same without a thread of its own: a bounded chunk a call, and the next call by a timer.
struct PoolSource {
    static constexpr auto name = "pool_source";
    static constexpr auto& params = cell_params;
    static constexpr auto& outputs = out_port;
    Cell cell;
    std::uint64_t sent = 0;

    explicit PoolSource(skep::context& context)
        : cell(context) {
        context.set_timer(0, 0ns);
    }

    void on_message(skep::context& /*context*/, const skep::message& /*message*/) {}

    void on_timer(skep::context& context, std::uint32_t /*id*/) {
        if (sent == 0) {
            cell.report.begin();
        }
        const std::uint64_t end = std::min(cell.count, sent + pool_chunk);
        for (; sent < end; ++sent) {
            emit_one(context, cell, sent);
        }
        if (sent < cell.count) {
            context.set_timer(0, 0ns);
        }
    }
};

struct Filter {
    static constexpr auto name = "filter";
    static constexpr auto& params = cell_params;
    static constexpr auto& inputs = in_port;
    static constexpr auto& outputs = out_port;

    void on_message(skep::context& context, const skep::message& message) {
        must(context.emit(message.text()));
    }
};

struct Sink {
    static constexpr auto name = "sink";
    static constexpr auto& params = cell_params;
    static constexpr auto& inputs = in_port;
    Cell cell;
    Order order;
    std::uint64_t received = 0, wrong = 0;

    explicit Sink(skep::context& context)
        : cell(context),
          order(cell.members) {}

    void on_message(skep::context& /*context*/, const skep::message& message) {
        const bool is_whole = message.size() == cell.size;
        const bool is_checked = cell.size >= sizeof(std::uint64_t);
        wrong += is_whole && (!is_checked || order.is_next(read(message))) ? 0U : 1U;
        if (++received == cell.count) {
            cell.report.wrong += wrong;
            cell.report.finish(received);
        }
    }
};

// Takes nothing until the driver lets it, so that messages queue before it.
struct ShutSink {
    static constexpr auto name = "shut_sink";
    static constexpr auto& params = cell_params;
    static constexpr auto& inputs = in_port;
    Sink sink;

    explicit ShutSink(skep::context& context)
        : sink(context) {}

    void on_message(skep::context& context, const skep::message& message) {
        if (sink.received == 0) {
            sink.cell.report.wait_at_sink();
        }
        sink.on_message(context, message);
    }
};

// -- Back and forth. --

struct Ping {
    static constexpr auto name = "ping";
    static constexpr auto& params = cell_params;
    static constexpr auto& inputs = in_port;
    static constexpr auto& outputs = out_port;
    Cell cell;

    explicit Ping(skep::context& context)
        : cell(context) {}

    void run(skep::context& context) {
        cell.report.begin();
        for (std::uint64_t i = 0; i < cell.count; ++i) {
            emit_one(context, cell, i);
            const skep::received answer = context.receive(-1s);
            if (!answer) {
                return;
            }
            cell.report.wrong += read(*answer).sequence == i ? 0U : 1U;
        }
        cell.report.finish(cell.count);
    }
};

struct PoolPing {
    static constexpr auto name = "pool_ping";
    static constexpr auto& params = cell_params;
    static constexpr auto& inputs = in_port;
    static constexpr auto& outputs = out_port;
    Cell cell;
    std::uint64_t sent = 0;

    explicit PoolPing(skep::context& context)
        : cell(context) {
        context.set_timer(0, 0ns);
    }

    void on_timer(skep::context& context, std::uint32_t /*id*/) {
        cell.report.begin();
        emit_one(context, cell, sent++);
    }

    void on_message(skep::context& context, const skep::message& message) {
        cell.report.wrong += read(message).sequence == sent - 1 ? 0U : 1U;
        if (sent < cell.count) {
            emit_one(context, cell, sent++);
        } else {
            cell.report.finish(sent);
        }
    }
};

// Answers a millisecond later. It works for that long rather than sleep, so that what is measured
// is how the other one sleeps and wakes.
struct LatePong {
    static constexpr auto name = "late_pong";
    static constexpr auto& params = cell_params;
    static constexpr auto& inputs = in_port;
    static constexpr auto& outputs = out_port;

    void on_message(skep::context& context, const skep::message& message) {
        const std::int64_t due = now_ns() + 1'000'000;
        while (now_ns() < due) {
        }
        must(context.emit(message.text()));
    }
};

// A token goes round; its sequence counts the hops, and each member knows which are its own.
struct RingMember {
    static constexpr auto name = "ring_member";
    static constexpr auto& params = cell_params;
    static constexpr auto& inputs = in_port;
    static constexpr auto& outputs = out_port;
    Cell cell;

    explicit RingMember(skep::context& context)
        : cell(context) {}

    void on_message(skep::context& context, const skep::message& message) {
        Message token = read(message);
        if (token.sequence == 0) {
            cell.report.begin();
        }
        if (token.sequence % cell.members != cell.index) {
            ++cell.report.wrong;
        }
        if (token.sequence == cell.count) {
            cell.report.finish(token.sequence);
            return;
        }
        ++token.sequence;
        must(context.emit(bytes_of(token, sizeof(token))));
    }
};

// -- Alone. --

struct Checker {
    static constexpr auto name = "checker";
    static constexpr auto& params = cell_params;
    Cell cell;

    explicit Checker(skep::context& context)
        : cell(context) {}

    void run(skep::context& context) {
        cell.report.begin();
        std::uint64_t done = 0;
        while (done < cell.count && context.checkpoint()) {
            ++done;
        }
        cell.report.finish(done);
    }
};

// Waits for messages that never come.
struct Idler {
    static constexpr auto name = "idler";
    static constexpr auto& params = cell_params;
    static constexpr auto& inputs = in_port;
    static constexpr auto& outputs = out_port;

    void on_message(skep::context& /*context*/, const skep::message& /*message*/) {}
};

// Emits what it has, then sleeps: a source between two bursts.
struct SleepySource {
    static constexpr auto name = "sleepy_source";
    static constexpr auto& params = cell_params;
    static constexpr auto& outputs = out_port;
    Source source;

    explicit SleepySource(skep::context& context)
        : source(context) {}

    void run(skep::context& context) {
        source.run(context);
        while (context.sleep(1h)) {
        }
    }
};

// -- Without an end, into a worker that may be away for a while. --

constexpr auto until_it_is_back = 50us;

struct EndlessSource {
    static constexpr auto name = "endless_source";
    static constexpr auto& params = cell_params;
    static constexpr auto& outputs = out_port;
    Cell cell;

    explicit EndlessSource(skep::context& context)
        : cell(context) {}

    void run(skep::context& context) {
        std::uint64_t sent = 0;
        while (context.checkpoint()) {
            const Message message{sent, cell.index, {}};
            if (context.emit(bytes_of(message, sizeof(message))) == skep::send_result::ok) {
                ++sent;
            } else if (!context.sleep(until_it_is_back)) {
                break;
            }
        }
        cell.report.sent += sent;
    }
};

struct PoolEndlessSource {
    static constexpr auto name = "pool_endless_source";
    static constexpr auto& params = cell_params;
    static constexpr auto& outputs = out_port;
    Cell cell;
    std::uint64_t sent = 0;

    explicit PoolEndlessSource(skep::context& context)
        : cell(context) {
        context.set_timer(0, 0ns);
    }

    PoolEndlessSource(const PoolEndlessSource&) = delete;
    PoolEndlessSource& operator=(const PoolEndlessSource&) = delete;

    ~PoolEndlessSource() { cell.report.sent += sent; }

    void on_message(skep::context& /*context*/, const skep::message& /*message*/) {}

    void on_timer(skep::context& context, std::uint32_t /*id*/) {
        for (std::uint64_t i = 0; i < pool_chunk && !context.is_wanted(); ++i) {
            const Message message{sent, cell.index, {}};
            if (context.emit(bytes_of(message, sizeof(message))) != skep::send_result::ok) {
                context.set_timer(0, until_it_is_back);
                return;
            }
            ++sent;
        }
        context.set_timer(0, 0ns);
    }
};

// Notes the gaps between its messages.
struct GapSink {
    static constexpr auto name = "gap_sink";
    static constexpr auto& params = cell_params;
    static constexpr auto& inputs = in_port;
    Cell cell;
    std::int64_t last = 0;
    std::array<Gaps, Report::windows> gaps;

    explicit GapSink(skep::context& context)
        : cell(context) {}

    GapSink(const GapSink&) = delete;
    GapSink& operator=(const GapSink&) = delete;

    ~GapSink() {
        const std::lock_guard lock(cell.report.mutex);
        for (std::size_t i = 0; i < gaps.size(); ++i) {
            cell.report.gaps.at(i).add(gaps.at(i));
        }
    }

    void on_message(skep::context& /*context*/, const skep::message& /*message*/) {
        const std::int64_t now = now_ns();
        gaps.at(cell.report.window.load(std::memory_order_relaxed))
            .add(static_cast<std::uint64_t>(now - std::exchange(last, now)));
    }
};

}  // namespace
}  // namespace bench

SKEP_PLUGIN("org.skep.bench",
            SKEP_VERSION_STRING,
            bench::Source,
            bench::PoolSource,
            bench::Filter,
            bench::Sink,
            bench::ShutSink,
            bench::Ping,
            bench::PoolPing,
            bench::LatePong,
            bench::RingMember,
            bench::Checker,
            bench::Idler,
            bench::GapSink,
            bench::SleepySource,
            bench::EndlessSource,
            bench::PoolEndlessSource)
