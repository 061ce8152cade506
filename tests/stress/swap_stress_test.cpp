// Workers get successors while all routes are full. Nothing may be lost, doubled or out of order,
// and what an instance knows is known to the next. The number of swaps is multiplied by the
// environment variable SKEP_STRESS.
//
// What the instances of one worker share here is plain memory: two of them at work at one time, or
// one after the other without the host's order between them, is a data race that ThreadSanitizer
// sees.
#include <array>
#include <atomic>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/swap_load.hpp"

namespace skep::test {
namespace {

using host::Answer;
using host::Applied;
using host::Done;
using host::Refusal;
using host::WorkerMetrics;
using host::WorkerState;

TEST_F(SwapStress, AReceiverUnderFullLoadLosesNothing) {
    Seen seen;
    add_receiver("r", noting(seen));
    add_producers({"r"});
    world.start();
    wait_for_messages();
    const int swaps = many(1000);
    for (int i = 1; i <= swaps; ++i) {
        const Answer<Applied> answer = swap("r", i);
        ASSERT_TRUE(answer) << answer.error().message;
    }
    wait_for_messages();
    end();
    expect_equal(seen, all_that_was_sent());
    const WorkerMetrics metrics = world.metrics("r");
    EXPECT_EQ(metrics.swaps, static_cast<std::uint64_t>(swaps));
    EXPECT_EQ(metrics.generation, static_cast<std::uint64_t>(swaps) + 1);
    EXPECT_EQ(metrics.rollbacks, 0U);
    EXPECT_TRUE(metrics.last_swap.has_value());
    EXPECT_EQ(loads, static_cast<std::uint64_t>(swaps));
    EXPECT_EQ(world.loader.opened, swaps + 1) << "one for each version";
}

TEST_F(SwapStress, AProducerUnderFullLoadGoesOnWithItsNextNumber) {
    Seen seen;
    add_receiver("r", noting(seen));
    add_producers({"r"});
    world.start();
    const int swaps = many(300);
    for (int i = 1; i <= swaps; ++i) {
        const Answer<Applied> answer = swap("p" + std::to_string(i % 2), i);
        ASSERT_TRUE(answer) << answer.error().message;
    }
    end();
    expect_equal(seen, all_that_was_sent());
    EXPECT_EQ(world.metrics("p0").swaps + world.metrics("p1").swaps,
              static_cast<std::uint64_t>(swaps));
    EXPECT_EQ(world.metrics("p2").swaps, 0U);
}

TEST_F(SwapStress, OfASetTheOthersNoticeNothing) {
    constexpr int workers = 100;
    constexpr int changing = 10;

    struct Receiver {
        Seen seen;
        int made = 0;
        int saved = 0;
        std::uint64_t interrupted = 0;  // messages during which the host wanted something
    };

    std::array<Receiver, workers> receivers;
    std::vector<std::string> names;
    for (int i = 0; i < workers; ++i) {
        Receiver& receiver = receivers.at(static_cast<std::size_t>(i));
        Script script = noting(receiver.seen);
        script.make = [this, &receiver, make = script.make](skep::context& context) {
            ++receiver.made;
            Script one = make(context);
            one.on_message = [this, &receiver, notes = one.on_message](
                                 skep::context& it, const skep::message& message) {
                receiver.interrupted += it.is_wanted() && !is_over ? 1 : 0;
                notes(it, message);
            };
            one.save = [&receiver, save = one.save] {
                ++receiver.saved;
                return save();
            };
            return one;
        };
        names.push_back("r" + std::to_string(i));
        add_receiver(names.back(), std::move(script));
    }
    add_producers(names);
    world.start();
    const int rounds = many(50);
    for (int round = 1; round <= rounds; ++round) {
        for (std::size_t i = 0; i < changing; ++i) {
            change(names[i], round);
        }
        const Answer<Applied> answer = manager.apply(world.plan);
        ASSERT_TRUE(answer) << answer.error().message;
    }
    wait_for_messages();
    end();
    for (std::size_t i = 0; i < workers; ++i) {
        SCOPED_TRACE(names[i]);
        const int swaps = i < changing ? rounds : 0;
        const Receiver& receiver = receivers.at(i);
        expect_equal(receiver.seen, all_that_was_sent());
        EXPECT_EQ(receiver.made, swaps + 1);
        EXPECT_EQ(receiver.saved, swaps);
        EXPECT_EQ(world.metrics(names[i]).swaps, static_cast<std::uint64_t>(swaps));
        if (swaps == 0) {
            EXPECT_EQ(receiver.interrupted, 0U);
        }
    }
}

TEST_F(SwapStress, OfSuccessorsThatRefuseOrFailNothingIsLostButWhatTheyFailedOn) {
    const auto refuses = [](int version) { return version > 0 && version % 3 == 0; };
    const auto fails = [](int version) { return version > 0 && version % 5 == 0; };
    Seen seen;
    Seen failed_on;
    const auto meets = [&](int version, const Numbered& message) {
        if (fails(version)) {
            failed_on.last.at(message.producer) = message.number;
            ++failed_on.count;
            throw std::runtime_error("of no use");
        }
    };
    add_receiver("r", noting(seen, meets, [&](int version) {
                     if (refuses(version)) {
                         throw std::runtime_error("cannot read it");
                     }
                 }));
    add_producers({"r"});
    world.start();
    std::uint64_t swaps = 0;
    std::uint64_t rollbacks = 0;
    const int versions = many(300);
    for (int i = 1; i <= versions; ++i) {
        const Answer<Applied> answer = swap("r", i);
        EXPECT_EQ(!answer, refuses(i)) << i;
        if (answer) {
            ++swaps;
        } else {
            EXPECT_EQ(answer.error().message,
                      "worker 'r' keeps its instance: load_state: cannot read it");
        }
        if (answer && fails(i)) {
            ++rollbacks;
            while (world.metrics("r").rollbacks < rollbacks) {
                std::this_thread::yield();
            }
        }
    }
    wait_for_messages();
    end();
    const WorkerMetrics metrics = world.metrics("r");
    EXPECT_EQ(metrics.swaps, swaps);
    EXPECT_EQ(metrics.rollbacks, rollbacks);
    EXPECT_EQ(metrics.in.dead_lettered.crash, rollbacks);
    EXPECT_EQ(metrics.in.dead_lettered.stop, 0U);
    EXPECT_EQ(failed_on.count, rollbacks);
    Seen expected = all_that_was_sent();
    expected.count -= rollbacks;
    expected.missed = rollbacks;
    expect_equal(seen, expected);
}

// Whatever an operator does meanwhile. A stop takes the state with it: what is seen is added up
// here.
TEST_F(SwapStress, AWorkerIsPausedResumedAndStoppedWhileItIsSwapped) {
    Seen seen;  // of all instances
    Seen none;
    add_receiver("r", noting(none, [&seen](int, const Numbered& message) { seen.add(message); }));
    add_producers({"r"});
    world.start();
    std::atomic<bool> is_done{false};
    std::array<int, 4> obeyed{};
    std::thread operator_thread([&] {
        std::minstd_rand random(17);
        for (int deeds = many(200); deeds > 0; --deeds) {
            const std::size_t deed = random() / 7 % obeyed.size();
            const Answer<Done> answer = deed == 0   ? manager.pause("r", random() / 7 % 2 == 0)
                                        : deed == 1 ? manager.resume("r")
                                        : deed == 2 ? manager.stop("r")
                                                    : manager.restart("r");
            obeyed.at(deed) += answer ? 1 : 0;
            for (std::uint32_t i = random() / 7 % 8; i > 0; --i) {
                std::this_thread::yield();
            }
        }
        is_done = true;
    });
    int applied = 0;
    std::set<std::string> refusals;
    for (int version = 1; !is_done; ++version) {
        if (const Answer<Applied> answer = swap("r", version)) {
            ++applied;
        } else {
            EXPECT_EQ(answer.error().code, Refusal::Code::illegal_state) << answer.error().message;
            refusals.insert(answer.error().message);
        }
    }
    operator_thread.join();
    if (world.state("r") == WorkerState::stopped) {
        EXPECT_TRUE(manager.start("r"));
    }
    EXPECT_TRUE(manager.resume("r"));
    wait_for_messages();
    end();
    // What a producer was writing in the moment of a stop may come too late for it.
    const WorkerMetrics metrics = world.metrics("r");
    EXPECT_EQ(seen.count + metrics.in.dead_lettered.stop, all_that_was_sent().count);
    EXPECT_EQ(seen.last, all_that_was_sent().last);
    EXPECT_EQ(seen.missed, metrics.in.dead_lettered.stop);
    EXPECT_EQ(seen.wrong, 0U);
    EXPECT_EQ(metrics.errors, 0U);
    EXPECT_GT(applied, 0);
    EXPECT_LE(metrics.swaps, static_cast<std::uint64_t>(applied));
    for (const int times : obeyed) {
        EXPECT_GT(times, 0);
    }
    std::string all = "applied " + std::to_string(applied);
    for (const std::string& it : refusals) {
        all += "; " + it;
    }
    RecordProperty("outcome", all);
}

}  // namespace
}  // namespace skep::test
