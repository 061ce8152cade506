#include "bench/skep_cells.hpp"

#include <algorithm>
#include <memory>
#include <utility>

#include "bench/process.hpp"
#include "bench/swap_cells.hpp"

namespace bench {
namespace {

constexpr std::size_t large_queue = 65'536;

std::string quoted(const std::string& name) {
    return "\"" + name + "\"";
}

std::string numbered(const std::string& name, std::uint64_t number) {
    return name + std::to_string(number);
}

// A topology of one measurement, with the report that its workers write to.
struct Scene {
    explicit Scene(Mode mode)
        : text(mode, report) {}

    // The type of a worker that begins: a loop on threads, a handler on the pool.
    [[nodiscard]] std::string begins(const std::string& type) const {
        return (text.is_on_pool() ? "pool_" : "") + type;
    }

    // Runs to the end and checks everything; `expected` is what the sinks must have received.
    std::string play(std::uint64_t expected, const std::string& kicked = "") {
        SkepHost host;
        std::string error = host.plan(text.text());
        if (error.empty()) {
            error = host.start();
        }
        if (error.empty() && !kicked.empty()) {
            const Message token;
            error = host.send(kicked,
                              std::string(reinterpret_cast<const char*>(&token), sizeof(token)));
        }
        if (error.empty()) {
            error = host.wait_for(report);
        }
        const std::string end = host.stop();
        if (error.empty() && report.wrong > 0) {
            error = std::to_string(report.wrong) + " messages were wrong or out of order";
        }
        if (error.empty() && report.received != expected) {
            error = std::to_string(report.received) + " messages of " + std::to_string(expected);
        }
        return error.empty() ? end : error;
    }

    [[nodiscard]] std::int64_t ns() const { return report.last_ns - report.first_ns; }

    Report report;
    TopologyText text;
};

Sample result(const std::string& cell,
              Scene& scene,
              std::uint64_t expected,
              const std::string& kicked = "") {
    const std::string error = scene.play(expected, kicked);
    return error.empty() ? sample(cell, expected, scene.ns()) : failure(error);
}

// `late_ns`: how long the answer takes by itself.
Sample ping_pong(const std::string& cell, Mode mode, std::uint64_t count, bool is_late) {
    Scene scene(mode);
    scene.text.worker("ping", scene.begins("ping"), count);
    scene.text.worker("pong", is_late ? "late_pong" : "filter", count);
    scene.text.route("ping", quoted("pong"));
    scene.text.route("pong", quoted("ping"));
    const std::string error = scene.play(count);
    const auto worked = static_cast<std::int64_t>(is_late ? count * 1'000'000 : 0);
    return error.empty() ? sample(cell, 2 * count, scene.ns() - worked) : failure(error);
}

Sample stream(
    const std::string& cell, Mode mode, std::uint64_t count, std::size_t queue, bool has_filter) {
    Scene scene(mode);
    scene.text.worker("source", scene.begins("source"), count);
    scene.text.worker("sink", "sink", count);
    if (has_filter) {
        scene.text.worker("filter", "filter", count);
        scene.text.route("source", quoted("filter"), queue);
        scene.text.route("filter", quoted("sink"), queue);
    } else {
        scene.text.route("source", quoted("sink"), queue);
    }
    return result(cell, scene, count);
}

Sample fan_in(Mode mode, std::uint64_t count) {
    constexpr std::uint64_t sources = 4;
    const std::uint64_t each = count / sources;
    Scene scene(mode);
    scene.text.worker("sink", "sink", each * sources, 0, sources);
    for (std::uint64_t i = 0; i < sources; ++i) {
        scene.text.worker(numbered("source", i), scene.begins("source"), each, i);
        scene.text.route(numbered("source", i), quoted("sink"));
    }
    return result("fi", scene, each * sources);
}

// One source to `sinks`, each of which gets everything.
Sample broadcast(const std::string& cell,
                 Mode mode,
                 std::uint64_t count,
                 std::size_t size,
                 std::uint64_t sinks) {
    Scene scene(mode);
    scene.report.to_finish = static_cast<int>(sinks);
    scene.text.set_payload(size);
    scene.text.worker("source", scene.begins("source"), count);
    std::string all;
    for (std::uint64_t i = 0; i < sinks; ++i) {
        scene.text.worker(numbered("sink", i), "sink", count);
        all += (all.empty() ? "" : ", ") + quoted(numbered("sink", i));
    }
    scene.text.route("source", "[" + all + "]");
    return result(cell, scene, count * sinks);
}

Sample ring(const std::string& cell, Mode mode, std::uint64_t members, std::uint64_t hops) {
    Scene scene(mode);
    for (std::uint64_t i = 0; i < members; ++i) {
        scene.text.worker(numbered("w", i), "ring_member", hops, i, members);
        scene.text.route(numbered("w", i), quoted(numbered("w", (i + 1) % members)));
    }
    return result(cell, scene, hops, "w0");
}

std::string idlers(TopologyText& text, std::uint64_t count) {
    for (std::uint64_t i = 0; i < count; ++i) {
        text.worker(numbered("w", i), "idler", 1);
    }
    return text.text();
}

Sample spawn(Mode mode, std::uint64_t count) {
    Scene scene(mode);
    SkepHost host;
    std::string error = host.plan(idlers(scene.text, count));
    const std::int64_t begin = now_ns();
    error = error.empty() ? host.start() : error;
    const std::string end = host.stop();
    const std::int64_t ns = now_ns() - begin;
    error = error.empty() ? end : error;
    return error.empty() ? sample("spawn", count, ns) : failure(error);
}

// Runs in a process of its own; see process.hpp. The plan counts: a host keeps it.
Sample memory(Mode mode, std::uint64_t count) {
    Scene scene(mode);
    SkepHost host;
    std::string error = host.plan(idlers(scene.text, count));
    const double before = resident_bytes();
    error = error.empty() ? host.start() : error;
    const double after = resident_bytes();
    const std::string end = host.stop();
    error = error.empty() ? end : error;
    return {(after - before) / static_cast<double>(count), 1, error};
}

Sample message_memory(Mode mode, std::uint64_t count) {
    Scene scene(mode);
    scene.report.is_gate_open = false;
    scene.report.is_sink_open = false;
    scene.text.worker("source", scene.begins("source"), count);
    scene.text.worker("sink", "shut_sink", count);
    scene.text.route("source", quoted("sink"), count + 64);
    SkepHost host;
    std::string error = host.plan(scene.text.text());
    error = error.empty() ? host.start() : error;
    const double before = resident_bytes();
    scene.report.open(&Report::is_gate_open);
    const double after = error.empty() ? settled_resident_bytes() : before;
    scene.report.open(&Report::is_sink_open);
    error = error.empty() ? host.wait_for(scene.report) : error;
    const std::string end = host.stop();
    error = error.empty() ? end : error;
    return {(after - before) / static_cast<double>(count), 1, error};
}

Sample check(std::uint64_t count) {
    Scene scene(Mode::threads);
    scene.text.worker("checker", "checker", count);
    return result("check", scene, count);
}

// Two routes that have worked and then are at rest, for a second.
Sample idle(Mode mode) {
    constexpr std::uint64_t burst = 10'000;
    Scene scene(mode);
    scene.report.to_finish = 2;
    const std::string source = scene.text.is_on_pool() ? "pool_source" : "sleepy_source";
    for (const std::string pair : {"a", "b"}) {
        scene.text.worker("source_" + pair, source, burst);
        scene.text.worker("sink_" + pair, "sink", burst);
        scene.text.route("source_" + pair, quoted("sink_" + pair));
    }
    SkepHost host;
    std::string error = host.plan(scene.text.text());
    error = error.empty() ? host.start() : error;
    error = error.empty() ? host.wait_for(scene.report) : error;
    const double used = idle_percent(1.0);
    const std::string end = host.stop();
    error = error.empty() ? end : error;
    if (error.empty() && used >= 1.0) {
        error =
            "an idle host uses " + std::to_string(used) + " % of a core; less than 1 is allowed";
    }
    return {used, 1, error};
}

}  // namespace

Contenders skep_contenders(Mode mode) {
    Contenders all = swap_contenders(mode);
    const auto add = [&](const std::string& cell, std::function<Sample(std::uint64_t)> run) {
        all.push_back({"skep", cell, "", true, true, std::move(run)});
    };
    const std::string word = mode == Mode::pool ? "pool" : "threads";
    using Count = std::uint64_t;
    add("pp", [=](Count n) { return ping_pong("pp", mode, n, false); });
    add("st", [=](Count n) { return stream("st", mode, n, 1024, false); });
    add("st.64k", [=](Count n) { return stream("st.64k", mode, n, large_queue, false); });
    add("pl", [=](Count n) { return stream("pl", mode, n, 1024, true); });
    add("fi", [=](Count n) { return fan_in(mode, n); });
    add("bc", [=](Count n) { return broadcast("bc", mode, n, 32, 8); });
    add("bc.4k", [=](Count n) { return broadcast("bc.4k", mode, n, 4096, 8); });
    add("bc.64k", [=](Count n) { return broadcast("bc.64k", mode, n, 65'536, 8); });
    add("ring.1k", [=](Count n) { return ring("ring.1k", mode, 1000, n); });
    add("spawn", [=](Count n) { return spawn(mode, n); });
    add("mem", in_own_process("mem:skep:" + word, [=](Count n) { return memory(mode, n); }));
    add("mem.msg",
        in_own_process("mem.msg:skep:" + word, [=](Count n) { return message_memory(mode, n); }));
    add("idle", [=](Count) { return idle(mode); });
    if (mode == Mode::pool) {
        add("ring.100k", in_own_process("ring.100k:skep:pool", [=](Count n) {
                return ring("ring.100k", mode, 100'000, n);
            }));
    } else {
        add("pp.late", [=](Count n) { return ping_pong("pp.late", mode, n, true); });
        add("check", [=](Count n) { return check(n); });
    }
    return all;
}

Sample skep_payload(Mode mode, std::size_t size, std::uint64_t count) {
    Scene scene(mode);
    scene.text.set_payload(size);
    scene.text.worker("source", scene.begins("source"), count);
    scene.text.worker("sink", "sink", count);
    scene.text.route("source", quoted("sink"), 64);
    return result("ring.1k", scene, count);
}

Sample skep_ring(Mode mode, std::uint64_t workers, std::uint64_t hops) {
    return ring("ring.1k", mode, workers, hops);
}

Sample skep_routes(Mode mode, std::uint64_t routes, std::uint64_t deliveries) {
    return broadcast("ring.1k", mode, std::max<std::uint64_t>(deliveries / routes, 1), 32, routes);
}

}  // namespace bench
