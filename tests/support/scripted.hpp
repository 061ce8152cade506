// Workers whose behaviour is a lambda of the test, and a world to run them in.
//
// They are a plugin like any other, made with the SDK, except that its code is the test program's
// own: ScriptedLoader hands out its descriptor where FileLoader would open a file. So a test shares
// latches and vectors with its workers, and everything between the SDK and the manager is the real
// thing.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include <skep/plugin.hpp>

#include "host/base/clock.hpp"
#include "host/loader/loader.hpp"
#include "host/manager/manager.hpp"

namespace skep::test {

// What a scripted worker does; what is left out does nothing. A worker with `run` is a loop worker.
struct Script {
    std::function<void(skep::context&)> create;
    std::function<void(skep::context&)> run;
    std::function<void(skep::context&, const skep::message&)> on_message;
    std::function<void(skep::context&, std::uint32_t)> on_timer;
    std::function<void(skep::context&)> on_drain;
    std::function<void()> destroy;
    // In a reload: what the successor gets, and what it makes of it. The version is 2; 1 is
    // taken too.
    std::function<std::string()> save;
    std::function<void(std::string_view)> load;
    std::function<void(skep::context&)> reconfigure;
    std::function<void(skep::context&)> acquire;
    std::function<void()> release;
    // Instead of all the others: what one instance does, so that each can have a state of its own.
    std::function<Script(skep::context&)> make;
};

// A loop worker that returns at once.
[[nodiscard]] inline Script returning() {
    Script script;
    script.run = [](skep::context&) {};
    return script;
}

// A loop worker that receives until it has to stop.
[[nodiscard]] inline Script receiving() {
    Script script;
    script.run = [](skep::context& context) {
        while (!context.receive(std::chrono::nanoseconds(-1)).is_stopping()) {
        }
    };
    return script;
}

// A handler that appends the text of each message to `into`.
[[nodiscard]] inline Script collecting(std::vector<std::string>& into) {
    Script script;
    script.on_message = [&into](skep::context&, const skep::message& message) {
        into.emplace_back(message.text());
    };
    return script;
}

class ScriptedLoader : public host::Loader {
public:
    // The scripts are found by the worker's name.
    explicit ScriptedLoader(std::map<std::string, Script>& scripts);
    ~ScriptedLoader() override;

    host::Result<std::shared_ptr<host::Library>> open(const std::string& path,
                                                      const std::string& content) override;
    host::UnloadReport close(std::shared_ptr<host::Library> library) override;
    void abandon(std::shared_ptr<host::Library> library, std::string cause) override;

    void keep(std::set<std::string> contents) override { kept = std::move(contents); }

    std::vector<host::LibraryFacts> left() override { return pinned; }

    std::set<std::string> kept;
    std::vector<host::LibraryFacts> pinned;  // set while the manager has nothing to do
    int opened = 0;
    int closed = 0;
    bool refuses = false;  // open() fails
    // What is opened has thread_locals with destructors. So have all, in the tests that run once
    // more with every worker handed off.
    bool hands_off = std::getenv("SKEP_TEST_HANDOFF") != nullptr;
    bool renames_ports = false;  // what is opened cannot succeed what was opened before
};

// Read what it has noted after the manager has answered something.
struct Notes : host::ManagerObserver {
    void swapped(const std::string& worker, std::uint64_t generation) override {
        probations.push_back(worker + "@" + std::to_string(generation) + " begins");
    }

    void settled(const std::string& worker, std::uint64_t generation) override {
        probations.push_back(worker + "@" + std::to_string(generation) + " settled");
    }

    void reverted(const Reverted& it) override { all_reverted.push_back(it); }

    void closed(const host::LibraryFacts& facts) override { all_closed.push_back(facts); }

    std::vector<std::string> probations;  // "w@2 begins", "w@2 settled"
    std::vector<Reverted> all_reverted;
    std::vector<host::LibraryFacts> all_closed;
};

// One host of scripted workers. Each has the inputs "in" and "other" and the outputs "out" and
// "second". On the manual clock time stands still unless the test moves it.
template <typename ClockType = host::ManualClock, typename Observer = Notes>
class World {
public:
    explicit World(host::Manager::When ends = host::Manager::When::all_done,
                   const host::Manager::Limits& limits = {})
        : loader(scripts),
          manager(std::make_unique<host::Manager>(clock, loader, ends, limits, &observer)) {
        if (is_pooled || is_moving) {
            // As many threads as the tests ever block at once.
            plan.pools = {{"pool", 8, {}}, {"other", 8, {}}};
            EXPECT_TRUE(manager->apply(plan));
        }
    }

    host::WorkerPlan& add(const std::string& name, Script script) {
        plan.workers.push_back(worker(name, std::move(script)));
        return plan.workers.back();
    }

    host::WorkerPlan worker(const std::string& name, Script script) {
        host::WorkerPlan made;
        made.name = name;
        made.plugin_path = "scripted";
        made.type = script.run ? "loop" : "handler";
        if (is_pooled && !script.run) {
            made.run.pool = "pool";
        }
        scripts[name] = std::move(script);
        return made;
    }

    // From its own thread to a pool, to another pool, and back: when everything moves that a test
    // changes.
    void move(host::WorkerPlan& worker) const {
        if (is_moving && worker.type == "handler") {
            std::string& pool = worker.run.pool;
            pool = pool.empty() ? "pool" : pool == "pool" ? "other" : "";
        }
    }

    // Of a worker that has been added, to be changed.
    host::WorkerPlan& plan_of(const std::string& worker) {
        const auto found = std::find_if(plan.workers.begin(),
                                        plan.workers.end(),
                                        [&](const auto& it) { return it.name == worker; });
        if (found == plan.workers.end()) {
            throw std::invalid_argument("no worker '" + worker + "'");
        }
        return *found;
    }

    host::RoutePlan& route(const std::string& from, const std::string& to) {
        host::RoutePlan made;
        made.from = from;
        made.to = to;
        plan.routes.push_back(made);
        return plan.routes.back();
    }

    void start() {
        const host::Answer<host::Applied> answer = manager->apply(plan);
        ASSERT_TRUE(answer) << answer.error().message;
    }

    host::WorkerMetrics metrics(const std::string& name) { return *manager->metrics(name); }

    host::WorkerState state(const std::string& name) { return metrics(name).state; }

    // Waits for the end, and holds it against the accounting.
    host::Ending end() {
        const host::Ending ending = manager->wait();
        expect_balanced_accounting();
        return ending;
    }

    host::Ending stop(host::Nanos grace = std::chrono::seconds(5)) {
        manager->request_stop(grace);
        return end();
    }

    // The same for a manual clock, which the end may need: somebody sleeps, or is looked at again.
    host::Ending end_while_time_passes() {
        auto ending = std::async(std::launch::async, [this] { return end(); });
        while (ending.wait_for(std::chrono::seconds(0)) != std::future_status::ready) {
            clock.run_for(std::chrono::milliseconds(10));
        }
        return ending.get();
    }

    // Only when nobody is at work.
    void expect_balanced_accounting() {
        const host::HostMetrics all = manager->metrics();
        EXPECT_TRUE(all.accounting.is_balanced());
        for (const host::WorkerMetrics& it : all.workers) {
            EXPECT_TRUE(it.in.is_balanced()) << it.name;
        }
    }

    // The same tests once more, with all handlers on a pool.
    const bool is_pooled = std::getenv("SKEP_TEST_POOL") != nullptr;
    // And those of successors, with each of them at another place than its predecessor.
    const bool is_moving = std::getenv("SKEP_TEST_MOVE") != nullptr;

    std::map<std::string, Script> scripts;
    ClockType clock;
    ScriptedLoader loader;
    host::Plan plan;
    Observer observer;
    std::unique_ptr<host::Manager> manager;
};

// A latch that a worker can wait at without the host noticing, as a plugin does that is stuck.
class Gate {
public:
    void open();
    void wait_until_open();
    // For the test: waits until someone is waiting, or has been.
    void wait_for_visitor();

private:
    host::Mutex mutex_;
    host::Condition changed_;
    bool is_open_ = false;
    bool is_visited_ = false;
};

}  // namespace skep::test
