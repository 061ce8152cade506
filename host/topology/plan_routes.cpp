#include <algorithm>
#include <map>
#include <tuple>

#include "host/topology/planning.hpp"

namespace skep::host {
namespace {

enum class Spread { round_robin, all };

constexpr Words<WhenFull, 3> when_full_words = {{
    {"block", WhenFull::block},
    {"drop_newest", WhenFull::drop_newest},
    {"drop_oldest", WhenFull::drop_oldest},
}};

constexpr Words<Spread, 2> spread_words = {{
    {"round_robin", Spread::round_robin},
    {"all", Spread::all},
}};

enum class Direction { out, in };

// One end of a route: replicas of a worker, and one of its ports.
struct End {
    WorkerRef ref;
    std::uint32_t port_index = 0;
    const PortInfo* port = nullptr;
    std::string name;  // "worker.port", for messages
    SourceSpan span;
};

std::string names_in_full(const std::string& worker, const std::vector<PortInfo>& ports) {
    std::vector<std::string> names;
    names.reserve(ports.size());
    for (const PortInfo& port : ports) {
        names.push_back(worker + "." + port.name);
    }
    return list_of(names);
}

class RoutePlanner {
public:
    RoutePlanner(const Topology& topology, NamedWorkers& workers, Problems& problems)
        : topology_(topology),
          workers_(workers),
          problems_(problems),
          default_queue_(topology.default_queue ? topology.default_queue->value : 1024),
          default_when_full_(parse_word(topology.default_when_full,
                                        "when_full",
                                        when_full_words,
                                        WhenFull::block,
                                        problems)) {}

    void add(const TopologyRoute& route) {
        const WhenFull when_full = parse_word(
            route.when_full, "when_full", when_full_words, default_when_full_, problems_);
        const Spread spread =
            parse_word(route.spread, "spread", spread_words, Spread::round_robin, problems_);
        const std::vector<End> sources = find_ends(route.from, Direction::out);
        const std::vector<End> targets = find_ends(route.to, Direction::in);
        RoutePlan edge;
        edge.queue = static_cast<std::size_t>(route.queue ? route.queue->value : default_queue_);
        edge.when_full = when_full;
        for (const End& from : sources) {
            for (const End& to : targets) {
                if (!has_room_for(from, to)) {
                    return;
                }
                join(from, to, edge, spread);
                if (route.share_core && route.share_core->value) {
                    planned_.shared_cores.push_back(
                        {from.ref.replicas, to.ref.replicas, route.share_core->span});
                }
            }
        }
    }

    [[nodiscard]] PlannedRoutes take() { return std::move(planned_); }

private:
    using EdgeKey = std::tuple<std::string, std::uint32_t, std::string, std::uint32_t>;

    [[nodiscard]] std::vector<End> find_ends(const std::vector<Located<std::string>>& names,
                                             Direction direction) {
        std::vector<End> ends;
        for (const Located<std::string>& name : names) {
            if (auto end = find_end(name, direction)) {
                ends.push_back(std::move(*end));
            }
        }
        return ends;
    }

    // Returns nothing when the end does not exist, which has been reported, or when the type of the
    // worker is unknown.
    [[nodiscard]] std::optional<End> find_end(const Located<std::string>& written,
                                              Direction direction) {
        const std::size_t dot = written.value.find('.');
        const std::string worker_name = written.value.substr(0, dot);
        auto ref = resolve_worker(worker_name, written.span, topology_, workers_, problems_);
        if (!ref || workers_[ref->worker].type == nullptr) {
            return {};
        }
        const WorkerTypeInfo& type = *workers_[ref->worker].type;
        const std::vector<PortInfo>& ports =
            direction == Direction::out ? type.outputs : type.inputs;
        const std::string noun = direction == Direction::out ? "output" : "input";
        std::size_t index = 0;
        if (ports.empty()) {
            problems_.error(written.span,
                            "worker '" + worker_name + "' has no " + noun + "s",
                            direction == Direction::out
                                ? "workers of type '" + type.name + "' only receive"
                                : "workers of type '" + type.name + "' only send");
            return {};
        }
        if (dot != std::string::npos) {
            const std::string port = written.value.substr(dot + 1);
            std::vector<std::string> known;
            known.reserve(ports.size());
            for (const PortInfo& candidate : ports) {
                known.push_back(candidate.name);
            }
            index = static_cast<std::size_t>(std::find(known.begin(), known.end(), port) -
                                             known.begin());
            if (index == known.size()) {
                problems_.error(written.span,
                                "worker '" + worker_name + "' has no " + noun + " '" + port + "'",
                                suggestion(port, known, noun));
                return {};
            }
        } else if (direction == Direction::out && ports.size() > 1) {
            problems_.error(
                written.span,
                "worker '" + worker_name + "' has several outputs, but the route names none",
                "its outputs are " + names_in_full(worker_name, ports));
            return {};
        }
        return End{*ref,
                   static_cast<std::uint32_t>(index),
                   &ports[index],
                   worker_name + "." + ports[index].name,
                   written.span};
    }

    // Counts all connections, valid or not: whatever a file contains, the work stays within the
    // limit of time and memory. Reports too many only once.
    bool has_room_for(const End& from, const End& to) {
        if (has_too_many_) {
            return false;
        }
        // Every replica at one end is connected to every replica at the other.
        const std::size_t count = from.ref.replicas.size() * to.ref.replicas.size();
        has_too_many_ = count > most_edges - counted_;
        if (has_too_many_) {
            problems_.error(to.span,
                            "this route raises the number of connections between workers above " +
                                std::to_string(most_edges),
                            "every replica of '" + from.name + "' connects to every replica of '" +
                                to.name + "'; use fewer replicas");
            return false;
        }
        counted_ += count;
        return true;
    }

    void join(const End& from, const End& to, RoutePlan edge, Spread spread) {
        const std::string& sent = from.port->content_type;
        const std::string& taken = to.port->content_type;
        if (sent != taken && sent != "*" && taken != "*") {
            problems_.error(to.span,
                            "'" + from.name + "' sends '" + sent + "', but '" + to.name +
                                "' accepts '" + taken + "'",
                            "put a worker between them that converts the messages");
            return;
        }
        edge.output = from.port_index;
        edge.output_name = from.port->name;
        edge.input = to.port_index;
        edge.content_type = sent == "*" ? taken : sent;
        for (const std::string& sender : from.ref.replicas) {
            edge.from = sender;
            edge.spread = 0;
            if (spread == Spread::round_robin && to.ref.replicas.size() > 1) {
                edge.spread = ++last_spread_;
            }
            for (const std::string& receiver : to.ref.replicas) {
                edge.to = receiver;
                const auto [first, is_new] = lines_.try_emplace(
                    EdgeKey(edge.from, edge.output, edge.to, edge.input), to.span.line);
                if (!is_new) {
                    problems_.error(to.span,
                                    "'" + from.name + "' is already routed to '" + to.name + "'",
                                    "the first route is in line " + std::to_string(first->second));
                    return;
                }
                planned_.edges.push_back(edge);
            }
        }
        planned_.links.push_back(
            {from.ref.worker, to.ref.worker, edge.output, edge.input, edge.when_full, to.span});
    }

    const Topology& topology_;
    NamedWorkers& workers_;
    Problems& problems_;
    const std::int64_t default_queue_;
    const WhenFull default_when_full_;
    std::uint32_t last_spread_ = 0;
    std::size_t counted_ = 0;  // connections
    bool has_too_many_ = false;
    std::map<EdgeKey, int> lines_;  // line of the first definition of each edge
    PlannedRoutes planned_;
};

}  // namespace

PlannedRoutes plan_routes(const Topology& topology, NamedWorkers& workers, Problems& problems) {
    RoutePlanner planner(topology, workers, problems);
    for (const TopologyRoute& route : topology.routes) {
        planner.add(route);
    }
    return planner.take();
}

}  // namespace skep::host
