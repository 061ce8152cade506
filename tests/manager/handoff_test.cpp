// A successor that is served by another thread than its predecessor.
#include <future>
#include <set>
#include <string>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include "host/loader/file_loader.hpp"
#include "tests/support/swapping.hpp"

namespace skep::test {
namespace {

using host::WorkerState;

// Notes the end of a thread that has touched it.
struct ThreadsEnd {
    ~ThreadsEnd() {
        if (note) {
            note();
        }
    }

    std::function<void()> note;
};

class Handoff : public Swapping {
protected:
    Handoff() { world.loader.hands_off = true; }

    // Notes "NAME message" as others do, and when the thread that it did so on ends.
    Script noting_thread(const std::string& name) {
        Script script = noting(name);
        script.on_message = [this, name](skep::context&, const skep::message& message) {
            thread_local ThreadsEnd end;
            end.note = [this, name] { note("the thread of " + name + " ends"); };
            note(name + " " + std::string(message.text()));
            const std::lock_guard lock(mutex);
            threads[name] = std::this_thread::get_id();
        };
        return script;
    }

    void swap_between_two_messages() {
        world.add("a", noting_thread("old"));
        world.start();
        send("a", "1");
        EXPECT_EQ(noted(), (Lines{"old 1"}));
        change("a", noting_thread("new"));
        ASSERT_TRUE(apply());
        send("a", "2");
        EXPECT_EQ(noted(), (Lines{"old 1", "new 2"}));
    }

    // On a pool there is nothing to be handed off.
    void SetUp() override {
        if (world.is_pooled) {
            GTEST_SKIP();
        }
    }

    std::map<std::string, std::thread::id> threads;
};

TEST_F(Handoff, TheThreadOfAPredecessorEndsAfterTheProbationAndBeforeItIsDestroyed) {
    swap_between_two_messages();
    EXPECT_NE(threads["old"], threads["new"]);
    world.clock.run_for(world.plan.probation);
    EXPECT_EQ(noted(), (Lines{"old 1", "new 2", "the thread of old ends", "old destroyed"}));
    world.stop();
    EXPECT_THAT(lines, testing::Contains("the thread of new ends"));
    EXPECT_EQ(world.loader.opened, world.loader.closed);
}

TEST_F(Handoff, WithoutThreadLocalsTheThreadStays) {
    world.loader.hands_off = false;
    swap_between_two_messages();
    EXPECT_EQ(threads["old"], threads["new"]);
    world.stop();
}

TEST_F(Handoff, ASuccessorThatFailsGoesAndTheThreadBeforeServesAgain) {
    world.add("a", noting_thread("old"));
    world.start();
    send("a", "1");
    EXPECT_EQ(noted(), (Lines{"old 1"}));
    const std::thread::id first = threads["old"];
    Script failing = noting_thread("new");
    failing.on_message = [](skep::context&, const skep::message&) {
        throw std::runtime_error("cannot");
    };
    change("a", failing);
    ASSERT_TRUE(apply());
    send("a", "2");
    send("a", "3");
    EXPECT_THAT(noted(), testing::UnorderedElementsAre("old 1", "old 3", "new destroyed"));
    EXPECT_EQ(threads["old"], first);
    EXPECT_EQ(world.metrics("a").generation, 1U);
    world.stop();
}

TEST_F(Handoff, AStateIsSavedOnTheOneThreadAndLoadedOnTheOther) {
    std::thread::id saved;
    std::thread::id loaded;
    Script old = noting("old");
    old.save = [&] {
        saved = std::this_thread::get_id();
        return std::string("17");
    };
    Script next = noting_thread("new");
    next.load = [&](std::string_view state) {
        loaded = std::this_thread::get_id();
        note("new loads " + std::string(state));
    };
    world.add("a", old);
    world.start();
    change("a", next);
    ASSERT_TRUE(apply());
    send("a", "1");
    EXPECT_EQ(noted(), (Lines{"new loads 17", "new 1"}));
    EXPECT_NE(saved, loaded);
    EXPECT_EQ(loaded, threads["new"]);
    world.stop();
}

TEST_F(Handoff, ALoopWorkerRunsOnTheThreadOfItsSuccessor) {
    std::set<std::thread::id> runs;
    const auto noting_run = [&](const std::string& name) {
        Script script = noting_loop(name);
        script.run = [this, &runs, run = script.run](skep::context& context) {
            {
                const std::lock_guard lock(mutex);
                runs.insert(std::this_thread::get_id());
            }
            run(context);
        };
        return script;
    };
    world.add("a", noting_run("old"));
    world.start();
    send("a", "1");
    EXPECT_EQ(noted(), (Lines{"old runs", "old 1"}));
    change("a", noting_run("new"));
    ASSERT_TRUE(apply());
    send("a", "2");
    EXPECT_EQ(noted(), (Lines{"old runs", "old 1", "old returns", "new runs", "new 2"}));
    EXPECT_EQ(runs.size(), 2U);
    world.stop();
}

TEST_F(Handoff, AWorkerGetsASuccessorWhereThePlanPlacesIt) {
    world.loader.hands_off = false;
    std::vector<int> nice;
    Script script;
    script.on_message = [&](skep::context&, const skep::message&) {
        const std::lock_guard lock(mutex);
        nice.push_back(getpriority(PRIO_PROCESS, static_cast<id_t>(gettid())));
    };
    world.add("a", script);
    world.start();
    send("a", "1");
    (void)noted();
    world.plan.workers.front().run.placement.nice = 7;
    ASSERT_TRUE(apply());
    send("a", "2");
    (void)noted();
    EXPECT_EQ(nice, (std::vector<int>{0, 7}));
    EXPECT_EQ(world.metrics("a").generation, 2U);
    world.stop();
}

TEST_F(Handoff, APlaceThatTheMachineRefusesLeavesTheWorkerWhereItIs) {
    world.add("a", noting("old"));
    world.start();
    world.plan.workers.front().run.placement.cpus = {8191};
    EXPECT_THAT(refusal(), testing::HasSubstr("worker 'a' failed: "));
    send("a", "1");
    EXPECT_THAT(noted(), testing::Contains("old 1"));
    EXPECT_EQ(world.metrics("a").generation, 1U);
    world.stop();
}

TEST_F(Handoff, CpuTimeIsThatOfAllThreadsThatServedTheWorker) {
    std::atomic<bool> has_burnt{false};
    Script busy = noting("old");
    busy.on_message = [&](skep::context&, const skep::message&) {
        timespec used{};
        do {
            clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
        } while (used.tv_sec == 0 && used.tv_nsec < 20'000'000);
        has_burnt = true;
    };
    world.add("a", busy);
    world.start();
    send("a", "1");
    (void)noted();
    ASSERT_TRUE(has_burnt);
    change("a", noting("new"));
    ASSERT_TRUE(apply());
    EXPECT_GE(world.metrics("a").cpu, std::chrono::milliseconds(20));
    world.clock.run_for(world.plan.probation);
    EXPECT_GE(world.metrics("a").cpu, std::chrono::milliseconds(20));
    world.stop();
}

TEST_F(Handoff, AnotherBoundOfAMailboxIsSetInPlace) {
    Script waiting;
    waiting.on_message = [this](skep::context&, const skep::message&) { gate.wait_until_open(); };
    world.add("a", waiting).mailbox = 1;
    world.start();
    send("a", "1");
    gate.wait_for_visitor();
    send("a", "2");
    EXPECT_FALSE(manager.send("a", "3"));
    world.plan.workers.front().mailbox = 2;
    ASSERT_TRUE(apply());
    send("a", "3");
    EXPECT_FALSE(manager.send("a", "4"));
    EXPECT_EQ(world.metrics("a").generation, 1U);
    gate.open();
    world.stop();
}

TEST_F(Handoff, WithTheInstanceBeforeTheBoundOfItsMailboxComesBack) {
    world.add("a", noting("old")).mailbox = 1;
    world.start();
    Script failing;
    failing.on_message = [](skep::context&, const skep::message&) {
        throw std::runtime_error("cannot");
    };
    change("a", failing);
    world.plan.workers.front().mailbox = 2;
    ASSERT_TRUE(apply());
    send("a", "1");
    world.clock.settle();
    ASSERT_TRUE(manager.pause("a", true));
    send("a", "2");
    EXPECT_FALSE(manager.send("a", "3"));
    EXPECT_EQ(manager.plan().value()->workers.front().mailbox, 1U);
    world.stop();
}

// -- A real plugin, whose thread_local would keep it mapped. --

struct FirstClosed final : Notes {
    void closed(const host::LibraryFacts& facts) override {
        if (all_closed.empty()) {
            cause.set_value(facts.version + ": " + facts.cause);
        }
        Notes::closed(facts);
    }

    std::promise<std::string> cause;
};

// Swaps a greeter that remembers in a thread_local; why its first version is mapped still.
std::string cause_after_a_swap(const std::string& pool,
                               const std::string& greeter = "remembering") {
    host::Plan plan;
    plan.probation = std::chrono::nanoseconds(1);
    host::WorkerPlan& worker = plan.workers.emplace_back();
    worker.name = "a";
    worker.type = "greeter";
    worker.config["word"] = std::string("hello");
    worker.run.pool = pool;
    if (!pool.empty()) {
        plan.pools.push_back({pool, 1, {}});
    }
    const auto version = [&](const std::string& number) {
        return std::string(SKEP_TEST_PLUGIN_DIR) + "/lib" + greeter + "_greeter_" + number + ".so";
    };
    host::SteadyClock clock;
    auto loader = host::FileLoader::create();
    FirstClosed observer;
    host::Manager manager(clock, **loader, host::Manager::When::asked, {}, &observer);
    worker.plugin_path = version("1");
    EXPECT_TRUE(manager.apply(plan));
    EXPECT_TRUE(manager.send("a", "Ada"));
    while (manager.metrics("a")->in.delivered == 0) {
        std::this_thread::yield();
    }
    plan.workers.front().plugin_path = version("2");
    EXPECT_TRUE(manager.apply(plan));
    return observer.cause.get_future().get();
}

TEST(HandoffOfAPlugin, ItsThreadLocalsDoNotKeepItMapped) {
    EXPECT_EQ(cause_after_a_swap(""), "1.0.0: ");
}

// Their destructors would run when the thread ends, which may be after the library is gone.
TEST(HandoffOfAPlugin, ItsThreadKeysDoNotMeetAThreadThatOutlivesIt) {
    EXPECT_EQ(cause_after_a_swap("", "keyed"), "1.0.0: ");
}

TEST(HandoffOfAPlugin, OnAPoolThreadKeysKeepItMappedAndAreNamed) {
    EXPECT_EQ(cause_after_a_swap("p", "keyed"),
              "1.0.0: pthread_key_create, whose destructors run when the threads of its pool end");
}

// The control: a thread of a pool lives on.
TEST(HandoffOfAPlugin, OnAPoolTheyDoAndAreNamed) {
    EXPECT_EQ(cause_after_a_swap("p"),
              "1.0.0: a thread_local with a destructor, used by a thread that is still alive");
}

}  // namespace
}  // namespace skep::test
