// A world whose workers note what they do, and get successors.
#pragma once

#include <future>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/scripted.hpp"

namespace skep::test {

using Lines = std::vector<std::string>;

class Swapping : public testing::Test {
protected:
    // A handler that notes "NAME message".
    Script noting(const std::string& name) {
        Script script;
        script.on_message = [this, name](skep::context&, const skep::message& message) {
            note(name + " " + std::string(message.text()));
        };
        script.destroy = [this, name] { note(name + " destroyed"); };
        return script;
    }

    // A loop worker that does the same, until it has to stop.
    Script noting_loop(const std::string& name) {
        Script script;
        script.run = [this, name](skep::context& context) {
            note(name + " runs");
            for (auto got = context.receive(std::chrono::nanoseconds(-1)); got;
                 got = context.receive(std::chrono::nanoseconds(-1))) {
                note(name + " " + std::string((*got).text()));
            }
            note(name + " returns");
        };
        return script;
    }

    void note(const std::string& line) {
        const std::lock_guard lock(mutex);
        lines.push_back(line);
    }

    Lines noted() {
        world.clock.settle();
        const std::lock_guard lock(mutex);
        return lines;
    }

    // Has the next instance of `worker` run `script`.
    void change(const std::string& worker, Script script) {
        world.scripts[worker] = std::move(script);
        host::WorkerPlan& plan = world.plan_of(worker);
        plan.config["text"] = host::ParamValue("version " + std::to_string(++versions));
        world.move(plan);
    }

    // Gives the same instance of `worker` another value of "live".
    void reconfigure(const std::string& worker, const std::string& value) {
        world.plan_of(worker).live["live"] = host::ParamValue(value);
    }

    host::Answer<host::Applied> apply() { return manager.apply(world.plan); }

    std::future<host::Answer<host::Applied>> apply_later() {
        return std::async(std::launch::async, [this] { return apply(); });
    }

    // The same, and returns while the successor of `worker` is being made: until `gate` opens.
    std::future<host::Answer<host::Applied>> apply_until_made(const std::string& worker,
                                                              Script next) {
        next.create = [this](skep::context&) { gate.wait_until_open(); };
        change(worker, std::move(next));
        auto applied = apply_later();
        gate.wait_for_visitor();
        return applied;
    }

    std::string refusal() {
        const host::Answer<host::Applied> answer = apply();
        return answer ? "" : answer.error().message;
    }

    void send(const std::string& worker, const std::string& text) {
        ASSERT_TRUE(manager.send(worker, text));
    }

    std::mutex mutex;
    Lines lines;
    int versions = 0;
    Gate gate;
    World<> world{host::Manager::When::asked};
    host::Manager& manager = *world.manager;
};

}  // namespace skep::test
