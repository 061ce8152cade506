#include "host/topology/graph.hpp"

#include <gtest/gtest.h>

namespace skep::host {
namespace {

Plan small_plan() {
    Plan plan;
    plan.name = "my \"shop\" \\ #1";
    for (const char* name : {"tick", "end#0", "end#1"}) {
        WorkerPlan worker;
        worker.name = name;
        worker.config = {{"token", ParamValue(std::string("sesame"))}};
        plan.workers.push_back(worker);
    }
    RoutePlan route;
    route.from = "tick";
    route.output_name = "ticks";
    route.to = "end#0";
    plan.routes.push_back(route);
    route.to = "end#1";
    route.when_full = WhenFull::drop_oldest;
    plan.routes.push_back(route);
    route.when_full = WhenFull::drop_newest;
    route.output_name = "late";
    plan.routes.push_back(route);
    return plan;
}

TEST(Graph, IsWrittenForGraphviz) {
    EXPECT_EQ(graph_dot(small_plan()), R"(digraph "my \"shop\" \\ #1" {
    rankdir=LR;
    node [shape=box];
    "tick";
    "end#0";
    "end#1";
    "tick" -> "end#0" [label="ticks, block"];
    "tick" -> "end#1" [label="ticks, drop_oldest"];
    "tick" -> "end#1" [label="late, drop_newest"];
}
)");
}

TEST(Graph, IsWrittenForMermaid) {
    EXPECT_EQ(graph_mermaid(small_plan()), R"(flowchart LR
    w0["tick"]
    w1["end#35;0"]
    w2["end#35;1"]
    w0 -- "ticks, block" --> w1
    w0 -- "ticks, drop_oldest" --> w2
    w0 -- "late, drop_newest" --> w2
)");
}

TEST(Graph, ShowsTheWorkersOfAPoolTogether) {
    Plan plan;
    plan.name = "shop";
    plan.pools = {{"light", 2, {}}};
    for (const char* name : {"a", "tick", "b"}) {
        WorkerPlan worker;
        worker.name = name;
        worker.run.pool = worker.name == "tick" ? "" : "light";
        plan.workers.push_back(worker);
    }
    EXPECT_EQ(graph_dot(plan), R"(digraph "shop" {
    rankdir=LR;
    node [shape=box];
    "tick";
    subgraph "cluster_light" {
        label="pool light";
        "a";
        "b";
    }
}
)");
    EXPECT_EQ(graph_mermaid(plan), R"(flowchart LR
    w0["a"]
    w1["tick"]
    w2["b"]
    subgraph p0["pool light"]
        w0
        w2
    end
)");
}

TEST(Graph, OfTheEmptyPlanIsEmpty) {
    EXPECT_EQ(graph_dot(Plan{}), "digraph \"\" {\n    rankdir=LR;\n    node [shape=box];\n}\n");
    EXPECT_EQ(graph_mermaid(Plan{}), "flowchart LR\n");
}

}  // namespace
}  // namespace skep::host
