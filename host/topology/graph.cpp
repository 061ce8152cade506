#include "host/topology/graph.hpp"

#include <map>

#include "host/base/printable.hpp"

namespace skep::host {
namespace {

const char* word_for(WhenFull when_full) {
    switch (when_full) {
        case WhenFull::block:
            return "block";
        case WhenFull::drop_newest:
            return "drop_newest";
        case WhenFull::drop_oldest:
            return "drop_oldest";
    }
    return "";
}

std::string label_of(const RoutePlan& route) {
    return route.output_name + ", " + word_for(route.when_full);
}

std::string quoted_for_dot(const std::string& text) {
    std::string quoted = "\"";
    for (const char c : escaped(text)) {
        if (c == '"' || c == '\\') {
            quoted += '\\';
        }
        quoted += c;
    }
    return quoted + "\"";
}

// Mermaid accepts characters by number: #35; is '#', #34; is '"'.
std::string quoted_for_mermaid(const std::string& text) {
    constexpr std::string_view special = "\"#<>&;\\`";
    std::string quoted = "\"";
    for (const char c : escaped(text)) {
        if (special.find(c) == std::string_view::npos) {
            quoted += c;
        } else {
            quoted += "#" + std::to_string(static_cast<int>(c)) + ";";
        }
    }
    return quoted + "\"";
}

// The workers of each pool, in the order of the plan.
using PoolMembers = std::multimap<std::string_view, const WorkerPlan*>;

PoolMembers members_of_pools(const Plan& plan) {
    PoolMembers members;
    for (const WorkerPlan& worker : plan.workers) {
        if (!worker.run.pool.empty()) {
            members.emplace(worker.run.pool, &worker);
        }
    }
    return members;
}

}  // namespace

std::string graph_dot(const Plan& plan) {
    std::string text =
        "digraph " + quoted_for_dot(plan.name) + " {\n    rankdir=LR;\n    node [shape=box];\n";
    for (const WorkerPlan& worker : plan.workers) {
        if (worker.run.pool.empty()) {
            text += "    " + quoted_for_dot(worker.name) + ";\n";
        }
    }
    const PoolMembers members = members_of_pools(plan);
    for (const PoolPlan& pool : plan.pools) {
        text += "    subgraph " + quoted_for_dot("cluster_" + pool.name) +
                " {\n        label=" + quoted_for_dot("pool " + pool.name) + ";\n";
        const auto [first, last] = members.equal_range(pool.name);
        for (auto member = first; member != last; ++member) {
            text += "        " + quoted_for_dot(member->second->name) + ";\n";
        }
        text += "    }\n";
    }
    for (const RoutePlan& route : plan.routes) {
        text += "    " + quoted_for_dot(route.from) + " -> " + quoted_for_dot(route.to) +
                " [label=" + quoted_for_dot(label_of(route)) + "];\n";
    }
    return text + "}\n";
}

std::string graph_mermaid(const Plan& plan) {
    // Names may be Mermaid keywords such as "end": nodes are numbered instead.
    std::map<std::string, std::string> ids;
    std::string text = "flowchart LR\n";
    for (const WorkerPlan& worker : plan.workers) {
        const std::string id = "w" + std::to_string(ids.size());
        ids.emplace(worker.name, id);
        text += "    " + id + "[" + quoted_for_mermaid(worker.name) + "]\n";
    }
    const PoolMembers members = members_of_pools(plan);
    for (std::size_t i = 0; i < plan.pools.size(); ++i) {
        const std::string& pool = plan.pools[i].name;
        text +=
            "    subgraph p" + std::to_string(i) + "[" + quoted_for_mermaid("pool " + pool) + "]\n";
        const auto [first, last] = members.equal_range(pool);
        for (auto member = first; member != last; ++member) {
            text += "        " + ids[member->second->name] + "\n";
        }
        text += "    end\n";
    }
    for (const RoutePlan& route : plan.routes) {
        text += "    " + ids[route.from] + " -- " + quoted_for_mermaid(label_of(route)) + " --> " +
                ids[route.to] + "\n";
    }
    return text;
}

}  // namespace skep::host
