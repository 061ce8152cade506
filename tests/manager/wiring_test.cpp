#include <memory>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "host/manager/route_builder.hpp"

namespace skep::host {
namespace {

TEST(Wiring, GivesEveryPairOfPortsALaneOfItsOwn) {
    SteadyClock clock;
    NamePool names;
    WorkerTypeInfo type;
    type.outputs.resize(2);
    const auto mailbox = std::make_shared<Mailbox>(clock.make_parker(), 1);
    Plan plan;
    plan.workers.resize(1);
    plan.workers[0].name = "a";
    for (const std::uint32_t output : {0U, 1U}) {
        for (const std::uint32_t input : {0U, 1U}) {
            RoutePlan route;
            route.from = route.to = "a";
            route.output = output;
            route.input = input;
            plan.routes.push_back(route);
        }
    }
    Rings rings;
    const auto table = build_route_table(plan, names, rings, [&](const std::string&) {
        return RoutedWorker{mailbox, 0, false, &type};
    });
    std::set<std::uint32_t> lanes = {direct_lane};
    for (const Output& output : table->outputs.at("a")) {
        for (const Destination& path : output.paths) {
            EXPECT_TRUE(lanes.insert(path.lane).second);
        }
    }
    EXPECT_EQ(lanes.size(), 5U);
}

// One route, from "a" to "b".
class WiringOfARoute : public testing::Test {
protected:
    WiringOfARoute() {
        type.outputs.resize(1);
        mailbox->open();
        plan.workers.resize(2);
        plan.workers[0].name = "a";
        plan.workers[1].name = "b";
        plan.routes.resize(1);
        plan.routes[0].from = "a";
        plan.routes[0].to = "b";
    }

    std::shared_ptr<const RouteTable> table_with(std::size_t queue, bool is_pooled = false) {
        plan.routes[0].queue = queue;
        return build_route_table(plan, names, rings, [&](const std::string&) {
            return RoutedWorker{mailbox, 0, is_pooled, &type};
        });
    }

    static std::shared_ptr<Ring> ring_of(const std::shared_ptr<const RouteTable>& table) {
        return table->outputs.at("a")[0].paths[0].ring;
    }

    SteadyClock clock;
    NamePool names;
    WorkerTypeInfo type;
    std::shared_ptr<Mailbox> mailbox = std::make_shared<Mailbox>(clock.make_parker(), 1);
    Plan plan;
    Rings rings;
};

// Its sender may not have seen the table between, and it may: then it has left the ring for good.
TEST_F(WiringOfARoute, UsesARingAgainOnlyWhenTheTableBeforeHasIt) {
    const auto first = ring_of(table_with(10));
    EXPECT_EQ(ring_of(table_with(10)), first);
    EXPECT_NE(ring_of(table_with(20)), first);
    const auto third = ring_of(table_with(10));
    EXPECT_NE(third, first);
    EXPECT_NE(ring_of(table_with(10, true)), third) << "it keeps its kind of fence";
}

TEST_F(WiringOfARoute, ARingThatNoTableHasIsSealedThoughItsSenderNeverSawIt) {
    auto table = table_with(10);
    const std::shared_ptr<Ring> ring = ring_of(table)->shared_from_this();
    EXPECT_FALSE(ring->is_sealed());
    table = table_with(20);
    EXPECT_TRUE(ring->is_sealed());
}

}  // namespace
}  // namespace skep::host
