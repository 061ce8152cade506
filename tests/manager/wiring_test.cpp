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

}  // namespace
}  // namespace skep::host
