// A plugin that leaves a thread behind: its library must stay under that thread's feet.
#include <fstream>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/loader/file_loader.hpp"
#include "host/manager/manager.hpp"
#include "host/worker/thread_census.hpp"
#include "tests/support/scripted.hpp"
#include "tests/support/tasks.hpp"
#include "tests/support/temp_folder.hpp"

namespace skep::test {
namespace {

TEST(ThreadCensus, ANameIsCutToWhatTheKernelKeeps) {
    EXPECT_EQ(host::worker_thread_name("parse", 3), "w:parse#3");
    EXPECT_EQ(host::worker_thread_name("a_worker_with_a_long_name", 12), "w:a_worker_with");
}

TEST(ThreadCensus, FindsAThreadThatIsNamedAsAWorkers) {
    Gate gate;
    std::promise<pid_t> id;
    std::thread left([&] {
        pthread_setname_np(pthread_self(), "w:census#1");
        id.set_value(gettid());
        gate.wait_until_open();
    });
    const pid_t known = id.get_future().get();
    EXPECT_EQ(host::threads_named_as_workers()[known], "w:census#1");
    gate.open();
    left.join();
}

bool is_mapped(const std::string& name) {
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
        if (line.find(name) != std::string::npos) {
            return true;
        }
    }
    return false;
}

host::Plan one_worker(const std::string& plugin, const std::string& fifo) {
    host::WorkerPlan worker;
    worker.name = "a";
    worker.plugin_path = std::string(SKEP_TEST_PLUGIN_DIR) + "/lib" + plugin + ".so";
    worker.type = plugin;
    worker.config["fifo"] = fifo;
    host::Plan plan;
    plan.workers.push_back(worker);
    return plan;
}

TEST(LeftoverThread, KeepsItsLibraryMappedUntilTheProcessEnds) {
    const TempFolder folder;
    const std::string fifo = folder / "fifo";
    ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
    host::SteadyClock clock;
    auto loader = host::FileLoader::create();
    ASSERT_TRUE(loader);
    {
        host::Manager manager(clock, **loader);
        ASSERT_TRUE(manager.apply(one_worker("leaves_thread_behind", fifo)));
        EXPECT_EQ(manager.wait().cause, host::Ending::Cause::finished);
    }
    EXPECT_TRUE(is_mapped("leaves_thread_behind"));
    ASSERT_EQ((*loader)->left().size(), 1U);
    EXPECT_THAT((*loader)->left().front().cause,
                testing::MatchesRegex("a worker left thread w:a#1 \\([0-9]+\\) behind"));
    // It can still run its code there: it reads this, and the end of the file after it.
    const int end = ::open(fifo.c_str(), O_WRONLY | O_CLOEXEC);
    ASSERT_GE(end, 0);
    EXPECT_EQ(::write(end, "x", 1), 1);
    ::close(end);
    while (!tasks_named("w:a#1").empty()) {
    }
}

}  // namespace
}  // namespace skep::test
