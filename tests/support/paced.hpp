// Workers that number what they send and keep what they get, at a pace that the test sets.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <map>
#include <mutex>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/scripted.hpp"

namespace skep::test {

using Numbers = std::vector<int>;

inline Numbers from_to(int first, int last) {
    Numbers made(static_cast<std::size_t>(last - first + 1));
    std::iota(made.begin(), made.end(), first);
    return made;
}

inline int number_in(const skep::message& message) {
    return std::stoi(std::string(message.text()));
}

template <typename ClockType>
class Paced : public testing::Test {
protected:
    explicit Paced(host::Manager::When ends = host::Manager::When::all_done)
        : world(ends) {}

    // A source that runs `work` once and ends.
    void source(const std::string& name, std::function<void(skep::context&)> work) {
        Script script;
        script.run = std::move(work);
        world.add(name, script);
    }

    // A source that emits 1..count.
    void source(const std::string& name, int count) {
        source(name, [this, count](skep::context& context) { emit(context, 1, count); });
    }

    // `sent` is what it has got rid of.
    void emit(skep::context& context, int first, int last) {
        for (int i = first; i <= last; ++i) {
            if (context.emit(std::to_string(i) + tail) == skep::send_result::stopping) {
                return;
            }
            sent = i;
        }
    }

    // A handler that keeps what it gets and rests after each.
    void sink(const std::string& name, host::Nanos rest = host::Nanos(0)) {
        Script script;
        script.on_message = [this, name, rest](skep::context& context,
                                               const skep::message& message) {
            keep(name, number_in(message));
            if (rest > host::Nanos(0)) {
                (void)context.sleep(rest);
            }
        };
        world.add(name, script);
    }

    // A sink that fails, after a rest, on the message `last`; the others go on.
    void mortal_sink(const std::string& name, int last, host::Nanos rest = host::Nanos(0)) {
        Script script;
        script.on_message = [=, this](skep::context& context, const skep::message& message) {
            keep(name, number_in(message));
            if (number_in(message) == last) {
                (void)context.sleep(rest);
                throw std::runtime_error("had enough");
            }
        };
        world.add(name, script).on_failure = host::OnFailure::isolate;
    }

    void route(const std::string& from,
               const std::string& to,
               std::size_t queue,
               host::WhenFull when_full = host::WhenFull::block) {
        host::RoutePlan& made = world.route(from, to);
        made.queue = queue;
        made.when_full = when_full;
    }

    // A second route between the two: their messages travel through the mailbox's queue and not by
    // rings.
    void crowd(const std::string& from, const std::string& to) {
        host::RoutePlan& made = world.route(from, to);
        made.output = 1;
        made.input = 1;
    }

    // Every worker may call it, each on its own thread.
    void keep(const std::string& name, int number) {
        const std::lock_guard lock(mutex);
        seen[name].push_back(number);
    }

    Numbers seen_by(const std::string& name) {
        const std::lock_guard lock(mutex);
        return seen[name];
    }

    host::FlowCounts in(const std::string& name) { return world.metrics(name).in; }

    host::Manager& manager() { return *world.manager; }

    std::string tail;           // of each text
    std::atomic<int> sent = 0;  // by the one source that counts
    std::mutex mutex;
    std::map<std::string, Numbers> seen;
    // Last, so that its workers have ended before what they use goes.
    World<ClockType> world;
};

// A source "a" that waits for room at a paused handler "b".
class WaitingSender : public Paced<host::ManualClock> {
protected:
    WaitingSender()
        : Paced(host::Manager::When::asked) {}

    // Sends 1..last once `begin` opens.
    void gated_source(int last) {
        source("a", [this, last](skep::context& context) {
            begin.wait_until_open();
            emit(context, 1, last);
        });
    }

    // "b" is paused, and "a" waits for room there.
    void fill_b() {
        world.start();
        ASSERT_TRUE(manager().pause("b", true));
        begin.open();
        world.clock.settle();
    }

    // Answers when it has stopped, which takes time.
    host::Answer<host::Done> stop(const std::string& worker) {
        auto answer = std::async(std::launch::async, [&] { return manager().stop(worker); });
        while (world.state(worker) == host::WorkerState::running) {
        }
        while (answer.wait_for(std::chrono::seconds(0)) != std::future_status::ready) {
            world.clock.run_for(std::chrono::milliseconds(10));
        }
        return answer.get();
    }

    Gate begin;
};

}  // namespace skep::test
