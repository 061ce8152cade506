// Three producers at full speed, and receivers that keep the books of what they get and hand them
// over to their successors.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <skep/note.h>

#include "tests/support/scripted.hpp"
#include "tests/support/stress.hpp"

namespace skep::test {

inline constexpr std::size_t producers = 3;

inline constexpr int slowness = SKEP_THIS_SANITIZERS == 0 ? 1 : 10;

inline int many(int swaps) {
    return std::max(10, swaps / slowness) * stress_factor();
}

struct Numbered {
    std::uint64_t producer = 0;
    std::uint64_t number = 0;
};

template <typename Value>
std::string bytes_of(const Value& value) {
    return {reinterpret_cast<const char*>(&value), sizeof(value)};
}

template <typename Value>
Value value_in(std::string_view bytes) {
    Value value;
    if (bytes.size() != sizeof(value)) {
        throw std::runtime_error("a state of another size");
    }
    std::memcpy(&value, bytes.data(), sizeof(value));
    return value;
}

// What a receiver knows of its senders, and hands over.
struct Seen {
    std::array<std::uint64_t, producers> last{};
    std::uint64_t count = 0;
    std::uint64_t missed = 0;  // numbers that were passed over
    std::uint64_t wrong = 0;   // that came again, or late

    void add(const Numbered& message) {
        std::uint64_t& before = last.at(message.producer);
        if (message.number <= before) {
            ++wrong;
            return;
        }
        missed += message.number - before - 1;
        before = message.number;
        ++count;
    }

    bool operator==(const Seen&) const = default;
};

class SwapStress : public testing::Test {
protected:
    explicit SwapStress(const host::Manager::Limits& limits = {})
        : world(host::Manager::When::asked, limits) {}

    // -- Workers. --

    // Emits one number after the other, until all is over. One that is not taken is emitted again.
    Script producing(std::size_t index) {
        Script script;
        script.make = [this, index](skep::context&) {
            const auto next = std::make_shared<std::uint64_t>(1);
            Script one;
            one.run = [this, index, next](skep::context& context) {
                while (!is_over && context.checkpoint()) {
                    const Numbered message{index, *next};
                    if (context.emit(bytes_of(message)) == skep::send_result::ok) {
                        sent.at(index) = (*next)++;
                    } else {
                        std::this_thread::yield();
                    }
                }
            };
            one.save = [next] { return bytes_of(*next); };
            one.load = [this, next](std::string_view state) {
                *next = value_in<std::uint64_t>(state);
                ++loads;
            };
            return one;
        };
        return script;
    }

    void add_producers(const std::vector<std::string>& receivers) {
        for (std::size_t i = 0; i < producers; ++i) {
            const std::string name = "p" + std::to_string(i);
            host::WorkerPlan& plan = world.add(name, producing(i));
            plan.type = "loop";
            plan.run.pool.clear();
            plan.config["text"] = host::ParamValue(std::string("0"));
            for (const std::string& receiver : receivers) {
                world.route(name, receiver);
            }
        }
    }

    // Notes what it gets. `meets` sees each message first.
    Script noting(Seen& at_the_end,
                  std::function<void(int version, const Numbered&)> meets = nullptr,
                  std::function<void(int version)> loads_state = nullptr) {
        Script script;
        script.make = [this, &at_the_end, meets, loads_state](skep::context& context) {
            const int version = std::stoi(std::string(context.config_text("text")));
            const auto seen = std::make_shared<Seen>();
            Script one;
            one.on_message = [seen, version, meets](skep::context&, const skep::message& message) {
                const auto it = value_in<Numbered>(message.text());
                if (meets) {
                    meets(version, it);
                }
                seen->add(it);
            };
            one.save = [seen] { return bytes_of(*seen); };
            one.load = [this, seen, version, loads_state](std::string_view state) {
                if (loads_state) {
                    loads_state(version);
                }
                *seen = value_in<Seen>(state);
                ++loads;
            };
            one.on_drain = [seen, &at_the_end](skep::context&) { at_the_end = *seen; };
            return one;
        };
        return script;
    }

    void add_receiver(const std::string& name, Script script) {
        host::WorkerPlan& plan = world.add(name, std::move(script));
        plan.config["text"] = host::ParamValue(std::string("0"));
    }

    // -- Swaps. --

    // The next version of a worker is another library with another text in its parameters.
    void change(const std::string& worker, int version) {
        host::WorkerPlan& plan = world.plan_of(worker);
        plan.config["text"] = host::ParamValue(std::to_string(version));
        plan.plugin_content = "content " + std::to_string(version);
        world.move(plan);
    }

    host::Answer<host::Applied> swap(const std::string& worker, int version) {
        change(worker, version);
        return manager.apply(world.plan);
    }

    // From each producer.
    void wait_for_messages() {
        for (const std::atomic<std::uint64_t>& it : sent) {
            for (const std::uint64_t before = it; it == before;) {
                std::this_thread::yield();
            }
        }
    }

    // -- The end. --

    void end() {
        is_over = true;
        const host::Ending ending = world.stop(std::chrono::seconds(60));
        EXPECT_EQ(ending.cause, host::Ending::Cause::stopped) << ending.reason;
        EXPECT_TRUE(ending.lost.empty());
        EXPECT_EQ(world.loader.opened, world.loader.closed);
    }

    [[nodiscard]] Seen all_that_was_sent() const {
        Seen all;
        for (std::size_t i = 0; i < producers; ++i) {
            all.last.at(i) = sent.at(i);
            all.count += sent.at(i);
        }
        return all;
    }

    std::array<std::atomic<std::uint64_t>, producers> sent{};
    std::atomic<bool> is_over{false};
    std::atomic<std::uint64_t> loads{0};
    World<host::SteadyClock> world;
    host::Manager& manager = *world.manager;
};

inline void expect_equal(const Seen& seen, const Seen& expected) {
    EXPECT_EQ(seen.last, expected.last);
    EXPECT_EQ(seen.count, expected.count);
    EXPECT_EQ(seen.missed, expected.missed);
    EXPECT_EQ(seen.wrong, expected.wrong);
}

}  // namespace skep::test
