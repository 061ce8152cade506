// Plugins that were written against abi.h alone, opened from their files and run from end to end.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "host/base/clock.hpp"
#include "host/loader/file_loader.hpp"
#include "host/manager/manager.hpp"

namespace skep::host {
namespace {

class PluginWithoutSdk : public testing::Test {
protected:
    void add(const std::string& name, const std::string& plugin, const std::string& type) {
        WorkerPlan worker;
        worker.name = name;
        worker.plugin_path = std::string(SKEP_TEST_PLUGIN_DIR) + "/lib" + plugin + ".so";
        worker.type = type;
        worker.on_failure = OnFailure::isolate;
        plan.workers.push_back(worker);
    }

    void route(const std::string& from, const std::string& to) {
        RoutePlan made;
        made.from = from;
        made.to = to;
        plan.routes.push_back(made);
    }

    void start() {
        const Answer<Applied> answer = manager.apply(plan);
        ASSERT_TRUE(answer) << answer.error().message;
        clock.settle();
    }

    // Lets a worker take these as one batch.
    void send_at_once(const std::string& worker, const std::vector<std::string>& messages) {
        ASSERT_TRUE(manager.pause(worker, true));
        for (const std::string& it : messages) {
            ASSERT_TRUE(manager.send(worker, it));
        }
        ASSERT_TRUE(manager.resume(worker));
        clock.settle();
    }

    WorkerMetrics metrics(const std::string& worker) { return *manager.metrics(worker); }

    ManualClock clock;
    std::unique_ptr<FileLoader> loader = std::move(FileLoader::create().value());
    Plan plan;
    Manager manager{clock, *loader, Manager::When::asked};
};

TEST_F(PluginWithoutSdk, RunsInPlainCAsALoopAndAsAHandler) {
    add("source", "plain_c", "loop");
    add("filter", "plain_c", "handler");
    add("sink", "plain_c", "loop");
    add("end", "plain_c", "handler");
    route("source", "filter");
    route("filter", "sink");
    route("sink", "end");
    route("end", "source");
    start();
    EXPECT_EQ(metrics("filter").items, 3U);
    EXPECT_EQ(metrics("filter").out, 3U);
    EXPECT_EQ(metrics("sink").items, 3U);
    EXPECT_EQ(metrics("source").items, 3U);
    manager.request_stop(std::chrono::seconds(5));
    const Ending ending = manager.wait();
    EXPECT_EQ(ending.cause, Ending::Cause::stopped);
    EXPECT_TRUE(ending.lost.empty());
    for (const WorkerMetrics& it : manager.metrics().workers) {
        EXPECT_EQ(it.state, WorkerState::stopped) << it.name << ": " << it.error;
    }
    EXPECT_TRUE(manager.metrics().accounting.is_balanced());
}

TEST_F(PluginWithoutSdk, FailsOnTheMessageThatItSays) {
    add("a", "plain_c", "fails_at_the_second");
    start();
    send_at_once("a", {"good", "bad", "not touched"});
    const WorkerMetrics it = metrics("a");
    EXPECT_EQ(it.state, WorkerState::failed);
    EXPECT_EQ(it.error, "on_message: the second is bad");
    EXPECT_EQ(it.in.delivered, 1U);
    EXPECT_EQ(it.in.dead_lettered.crash, 1U);
    EXPECT_EQ(it.in.dead_lettered.stop, 1U);
    EXPECT_EQ(it.items, 1U);
    EXPECT_TRUE(it.in.is_balanced());
}

TEST_F(PluginWithoutSdk, FailsWhenItReturnsWithoutAMessageDone) {
    add("a", "plain_c", "never_done");
    start();
    send_at_once("a", {"one", "two"});
    const WorkerMetrics it = metrics("a");
    EXPECT_EQ(it.state, WorkerState::failed);
    EXPECT_EQ(it.error, "on_message: returned success but finished no message");
    EXPECT_EQ(it.in.dead_lettered.crash, 1U);
    EXPECT_EQ(it.in.dead_lettered.stop, 1U);
}

TEST_F(PluginWithoutSdk, HasNoMoreDoneThanItWasGiven) {
    add("a", "plain_c", "boasts");
    start();
    send_at_once("a", {"one", "two"});
    EXPECT_EQ(metrics("a").state, WorkerState::running);
    EXPECT_EQ(metrics("a").items, 2U);
    EXPECT_EQ(metrics("a").in.delivered, 2U);
}

TEST_F(PluginWithoutSdk, CannotEmitWithoutAnOutput) {
    add("a", "plain_c", "mute");
    start();
    send_at_once("a", {"one"});
    EXPECT_EQ(metrics("a").error, "on_message: unknown");
    EXPECT_EQ(metrics("a").in.rejected.total(), 0U);
}

TEST_F(PluginWithoutSdk, ThatLetsAnExceptionOutFailsItsWorkerOnly) {
    add("exception", "throws_across", "exception");
    add("number", "throws_across", "number");
    add("other", "plain_c", "boasts");
    start();
    send_at_once("exception", {"x"});
    send_at_once("number", {"x"});
    EXPECT_EQ(metrics("exception").state, WorkerState::failed);
    EXPECT_EQ(metrics("exception").error,
              "on_message: an exception crossed the plugin boundary: over the fence");
    EXPECT_EQ(metrics("number").error, "on_message: an exception crossed the plugin boundary");
    EXPECT_EQ(metrics("exception").in.dead_lettered.crash, 1U);
    EXPECT_EQ(metrics("other").state, WorkerState::running);
    ASSERT_TRUE(manager.start("exception"));
    EXPECT_EQ(metrics("exception").state, WorkerState::running);
}

}  // namespace
}  // namespace skep::host
