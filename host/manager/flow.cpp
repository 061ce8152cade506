#include "host/manager/flow.hpp"

#include <algorithm>
#include <functional>
#include <map>

namespace skep::host {

namespace {

// Tarjan's algorithm over worker indexes. It completes a component after everything that the
// component reaches, which is the required order.
class Components {
public:
    explicit Components(const std::vector<std::vector<std::size_t>>& downstream)
        : downstream_(downstream),
          nodes_(downstream.size()) {
        for (std::size_t node = 0; node < downstream.size(); ++node) {
            if (nodes_[node].index == unseen) {
                visit(node);
            }
        }
    }

    std::vector<std::vector<std::size_t>> found;

private:
    static constexpr std::size_t unseen = static_cast<std::size_t>(-1);

    struct Node {
        std::size_t index = unseen;
        std::size_t low = 0;
        std::size_t next_child = 0;
        bool is_on_path = false;
    };

    // Depth first with an explicit stack: a chain of 100,000 workers must not overflow the call
    // stack.
    void visit(std::size_t root) {
        std::vector<std::size_t> walk = {root};
        enter(root);
        while (!walk.empty()) {
            const std::size_t at = walk.back();
            Node& node = nodes_[at];
            if (node.next_child < downstream_[at].size()) {
                const std::size_t child = downstream_[at][node.next_child++];
                if (nodes_[child].index == unseen) {
                    enter(child);
                    walk.push_back(child);
                } else if (nodes_[child].is_on_path) {
                    node.low = std::min(node.low, nodes_[child].index);
                }
                continue;
            }
            walk.pop_back();
            if (!walk.empty()) {
                nodes_[walk.back()].low = std::min(nodes_[walk.back()].low, node.low);
            }
            if (node.low == node.index) {
                complete(at);
            }
        }
    }

    void enter(std::size_t node) {
        nodes_[node].index = nodes_[node].low = seen_++;
        nodes_[node].is_on_path = true;
        path_.push_back(node);
    }

    void complete(std::size_t root) {
        std::vector<std::size_t> component;
        std::size_t member = unseen;
        do {
            member = path_.back();
            path_.pop_back();
            nodes_[member].is_on_path = false;
            component.push_back(member);
        } while (member != root);
        std::reverse(component.begin(), component.end());
        found.push_back(std::move(component));
    }

    const std::vector<std::vector<std::size_t>>& downstream_;
    std::vector<Node> nodes_;
    std::vector<std::size_t> path_;
    std::size_t seen_ = 0;
};

}  // namespace

std::vector<FlowGroup> flow_groups(const Plan& plan) {
    std::map<std::string_view, std::size_t> index;
    for (std::size_t i = 0; i < plan.workers.size(); ++i) {
        index[plan.workers[i].name] = i;
    }
    std::vector<std::vector<std::size_t>> downstream(plan.workers.size());
    for (const RoutePlan& route : plan.routes) {
        downstream[index.at(route.from)].push_back(index.at(route.to));
    }

    Components components(downstream);
    std::vector<FlowGroup> groups(components.found.size());
    std::vector<std::size_t> group_of(plan.workers.size());
    for (std::size_t group = 0; group < groups.size(); ++group) {
        for (const std::size_t worker : components.found[group]) {
            group_of[worker] = group;
            groups[group].workers.push_back(plan.workers[worker].name);
        }
        groups[group].is_cycle = components.found[group].size() > 1;
    }
    for (std::size_t from = 0; from < downstream.size(); ++from) {
        for (const std::size_t to : downstream[from]) {
            if (group_of[from] == group_of[to]) {
                groups[group_of[to]].is_cycle = true;
            } else {
                groups[group_of[to]].upstream.push_back(group_of[from]);
            }
        }
    }
    for (FlowGroup& group : groups) {
        std::sort(group.upstream.begin(), group.upstream.end());
        group.upstream.erase(std::unique(group.upstream.begin(), group.upstream.end()),
                             group.upstream.end());
    }
    return groups;
}

std::set<std::string> joined_to(const std::string& worker,
                                const std::set<std::string>& workers,
                                const std::vector<RoutePlan>& routes) {
    std::multimap<std::string_view, std::string_view> neighbours;
    for (const RoutePlan& route : routes) {
        neighbours.emplace(route.from, route.to);
        neighbours.emplace(route.to, route.from);
    }
    std::set<std::string> joined;
    std::vector<std::string_view> to_look_at{worker};
    while (!to_look_at.empty()) {
        const auto [first, last] = neighbours.equal_range(to_look_at.back());
        to_look_at.pop_back();
        for (auto it = first; it != last; ++it) {
            const auto found = workers.find(std::string(it->second));
            if (found != workers.end() && *found != worker && joined.insert(*found).second) {
                to_look_at.push_back(*found);
            }
        }
    }
    return joined;
}

}  // namespace skep::host
