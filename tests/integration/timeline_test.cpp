// configs/threading_example.toml as it is shipped, with its real plugin, on a clock that is turned
// by hand: fifteen seconds in milliseconds, and the same numbers each time except for the item that
// falls on the very instant of a pause or of the end.
#include <gtest/gtest.h>

#include "host/base/clock.hpp"
#include "host/loader/file_loader.hpp"
#include "host/loader/plugin_finder.hpp"
#include "host/manager/manager.hpp"
#include "host/topology/plan.hpp"

namespace skep::host {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(Timeline, TheThreadingExampleDoesItsItemsPausesResumesAndEnds) {
    const Topology topology =
        read_topology(SKEP_SOURCE_DIR "/configs/threading_example.toml", process_environment);
    auto loader = FileLoader::create();
    ASSERT_TRUE(loader);
    PluginFinder finder(**loader, SKEP_SOURCE_DIR "/configs", SKEP_PLUGIN_DIR);
    const Result<Planned> planned =
        make_plan(topology, [&](const std::string& plugin, const std::vector<std::string>& search) {
            return finder.find(plugin, search);
        });
    ASSERT_TRUE(planned) << planned.error().front().message;

    ManualClock clock;
    Manager manager(clock, **loader);
    ASSERT_TRUE(manager.apply(planned->plan));
    const auto items = [&manager](const char* worker) { return manager.metrics(worker)->items; };

    // One item takes 0.2 s: 0.1 s of waiting for a message and 0.1 s of work.
    clock.run_until(milliseconds(4950));
    EXPECT_EQ(items("worker_0"), 24U);
    EXPECT_EQ(items("worker_1"), 24U);

    clock.run_until(milliseconds(7950));
    EXPECT_EQ(manager.metrics("worker_1")->state, WorkerState::paused);
    EXPECT_NEAR(static_cast<double>(items("worker_1")), 25, 1);
    EXPECT_EQ(items("worker_0"), 39U);

    clock.run_until(milliseconds(14950));
    EXPECT_EQ(manager.metrics("worker_1")->state, WorkerState::running);

    clock.run_until(seconds(16));
    const Ending ending = manager.wait();
    EXPECT_EQ(ending.cause, Ending::Cause::finished);
    EXPECT_NEAR(static_cast<double>(items("worker_0")), 74, 1);
    EXPECT_NEAR(static_cast<double>(items("worker_1")), 60, 1);  // three seconds less
    EXPECT_NEAR(static_cast<double>(items("worker_2")), 74, 1);
    EXPECT_TRUE(manager.metrics().accounting.is_balanced());
    EXPECT_EQ(manager.metrics().accounting.delivered, 3U);
}

}  // namespace
}  // namespace skep::host
