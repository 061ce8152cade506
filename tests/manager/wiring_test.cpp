#include "host/manager/wiring.hpp"

#include <memory>
#include <set>
#include <string>

#include <gtest/gtest.h>

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
    const auto table = wire(plan, names, rings, [&](const std::string&) {
        return WiredWorker{mailbox, 0, false, &type};
    });
    std::set<std::uint32_t> lanes = {direct_lane};
    for (const Output& output : table->outputs.at("a")) {
        for (const Path& path : output.paths) {
            EXPECT_TRUE(lanes.insert(path.lane).second);
        }
    }
    EXPECT_EQ(lanes.size(), 5U);
}

// Its sender may not have seen the table between, and it may: then it has left the ring for good.
TEST(Wiring, UsesARingAgainOnlyWhenTheTableBeforeHasIt) {
    SteadyClock clock;
    NamePool names;
    WorkerTypeInfo type;
    type.outputs.resize(1);
    const auto mailbox = std::make_shared<Mailbox>(clock.make_parker(), 1);
    mailbox->open();
    Plan plan;
    plan.workers.resize(2);
    plan.workers[0].name = "a";
    plan.workers[1].name = "b";
    plan.routes.resize(1);
    plan.routes[0].from = "a";
    plan.routes[0].to = "b";
    Rings rings;
    std::set<std::shared_ptr<const RouteTable>> tables;  // with the rings of each
    const auto ring_with = [&](std::size_t queue, bool is_pooled) {
        plan.routes[0].queue = queue;
        const auto table = wire(plan, names, rings, [&](const std::string&) {
            return WiredWorker{mailbox, 0, is_pooled, &type};
        });
        tables.insert(table);
        return table->outputs.at("a")[0].paths[0].ring;
    };
    const auto first = ring_with(10, false);
    EXPECT_EQ(ring_with(10, false), first);
    EXPECT_NE(ring_with(20, false), first);
    const auto third = ring_with(10, false);
    EXPECT_NE(third, first);
    EXPECT_NE(ring_with(10, true), third) << "it keeps its kind of fence";
}

}  // namespace
}  // namespace skep::host
