#include <algorithm>
#include <set>

#include "host/topology/planning.hpp"

namespace skep::host {
namespace {

using Port = std::pair<std::size_t, std::uint32_t>;  // worker and index

// Follows blocking routes, and reports each route that leads back to a worker on the current path.
class CircleSearch {
public:
    CircleSearch(const NamedWorkers& workers, const std::vector<Link>& links, Problems& problems)
        : workers_(workers),
          problems_(problems),
          leaving_(workers.size()),
          seen_(workers.size()),
          place_on_way_(workers.size(), nowhere) {
        for (const Link& link : links) {
            if (link.when_full == WhenFull::block) {
                leaving_[link.from].push_back(&link);
            }
        }
    }

    void run() {
        for (std::size_t worker = 0; worker < workers_.size(); ++worker) {
            if (!seen_[worker]) {
                visit(worker);
            }
        }
    }

private:
    // Depth first, without recursion: a chain may be 100,000 workers long.
    void visit(std::size_t worker) {
        enter(worker);
        while (!way_.empty()) {
            const std::size_t here = way_.back();
            if (next_.back() == leaving_[here].size()) {
                way_.pop_back();
                next_.pop_back();
                place_on_way_[here] = nowhere;
                continue;
            }
            const Link& link = *leaving_[here][next_.back()++];
            if (place_on_way_[link.to] != nowhere) {
                report(way_.begin() + place_on_way_[link.to], link);
            } else if (!seen_[link.to]) {
                enter(link.to);
            }
        }
    }

    void enter(std::size_t worker) {
        seen_[worker] = true;
        place_on_way_[worker] = static_cast<std::ptrdiff_t>(way_.size());
        way_.push_back(worker);
        next_.push_back(0);
    }

    void report(std::vector<std::size_t>::const_iterator start, const Link& last) {
        std::string circle;
        for (auto at = start; at != way_.end(); ++at) {
            const auto left = static_cast<std::size_t>(way_.end() - at);
            if (at - start == most_named && left > 2) {
                circle += "... (" + std::to_string(left - 1) + " more) -> ";
                at = way_.end() - 1;
            }
            circle += workers_[*at].name() + " -> ";
        }
        problems_.warning(
            last.span,
            "these routes block in a circle: " + circle + workers_[last.to].name(),
            "if all their queues are full, none of the workers can continue; let one of "
            "the routes drop: when_full = \"drop_oldest\"");
    }

    // The number of workers of a circle that are named before the last one.
    static constexpr std::ptrdiff_t most_named = 12;
    static constexpr std::ptrdiff_t nowhere = -1;

    const NamedWorkers& workers_;
    Problems& problems_;
    std::vector<std::vector<const Link*>> leaving_;
    std::vector<bool> seen_;
    std::vector<std::ptrdiff_t> place_on_way_;  // index of each worker in way_
    std::vector<std::size_t> way_;
    std::vector<std::size_t> next_;  // next link to follow, for each worker on the path
};

}  // namespace

void warn_about_routes(const NamedWorkers& workers,
                       const std::vector<Link>& links,
                       Problems& problems) {
    std::set<Port> sending;
    std::set<Port> receiving;
    for (const Link& link : links) {
        sending.emplace(link.from, link.output);
        receiving.emplace(link.to, link.input);
    }
    for (std::size_t i = 0; i < workers.size(); ++i) {
        const NamedWorker& worker = workers[i];
        for (std::uint32_t port = 0; port < worker.type->outputs.size(); ++port) {
            const PortInfo& output = worker.type->outputs[port];
            if (!output.optional && sending.count({i, port}) == 0) {
                problems.warning(
                    worker.written->span,
                    "no route leaves the output '" + output.name + "' of worker '" + worker.name() +
                        "'",
                    "add a [[route]] with from = \"" + worker.name() + "." + output.name + "\"");
            }
        }
        for (std::uint32_t port = 0; port < worker.type->inputs.size(); ++port) {
            const PortInfo& input = worker.type->inputs[port];
            if (!input.optional && receiving.count({i, port}) == 0) {
                problems.warning(
                    worker.written->span,
                    "no route leads to the input '" + input.name + "' of worker '" + worker.name() +
                        "'",
                    "add a [[route]] with to = \"" + worker.name() + "." + input.name + "\"");
            }
        }
    }
    CircleSearch(workers, links, problems).run();
}

}  // namespace skep::host
