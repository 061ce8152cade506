// A sender and its readers on threads of their own, with the protocol that workers use to sleep and
// to wake each other. Nothing may be lost, doubled, torn or out of order, and nobody may sleep for
// ever. The number of messages is multiplied by the environment variable SKEP_STRESS.
//
// The same source is built with broken twins of the host's files (twins.cmake): each of those must
// be found out here.
#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <latch>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>

#include "host/messaging/inbox.hpp"
#include "tests/support/ring_parts.hpp"
#include "tests/support/stress.hpp"

#ifndef SKEP_STRESS_FUSE_SECONDS
#define SKEP_STRESS_FUSE_SECONDS 60
#endif

namespace skep::host {
namespace {

std::uint64_t times() {
    return static_cast<std::uint64_t>(test::stress_factor());
}

// A thread that finds an error ends the program: the others may wait for it for ever.
[[noreturn]] void give_up(const std::string& why) {
    std::fprintf(stderr, "stress: %s\n", why.c_str());
    std::abort();
}

// What one thread does, for the fuse.
struct Activity {
    std::atomic<const char*> doing{"starts"};
    std::atomic<std::uint64_t> passed{0};
};

// Ends the program when no thread gets on for a long time.
class Fuse {
public:
    Fuse(const std::vector<Activity>& threads, std::function<std::string()> explain)
        : thread_([this, &threads, explain = std::move(explain)] {
              std::uint64_t before = 0;
              std::unique_lock<std::mutex> lock(mutex_);
              const auto burns = std::chrono::seconds(SKEP_STRESS_FUSE_SECONDS);
              while (!changed_.wait_for(lock, burns, [this] { return is_out_; })) {
                  std::uint64_t now = 0;
                  std::string all = "somebody sleeps for ever";
                  for (const Activity& it : threads) {
                      now += it.passed;
                      all += std::string("\n  ") + it.doing.load() + " after " +
                             std::to_string(it.passed);
                  }
                  if (now == before) {
                      give_up(all + explain());
                  }
                  before = now;
              }
          }) {}

    ~Fuse() {
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            is_out_ = true;
        }
        changed_.notify_all();
        thread_.join();
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    bool is_out_ = false;
    std::thread thread_;
};

// A pause at random moments, of a length that is random by itself.
class Pauses {
public:
    explicit Pauses(unsigned seed)
        : random_(seed) {}

    bool one_in(unsigned many) { return random_() % many == 0; }

    void maybe() {
        if (one_in(64)) {
            std::this_thread::yield();
        }
    }

private:
    std::minstd_rand random_;
};

struct Setting {
    std::uint32_t readers = 1;
    std::size_t bound = 1;
    Fence::Cost cost = Fence::Cost::asymmetric;
    std::uint64_t messages = 0;
    bool pushes = false;  // some go directly into the readers' queues
    // If not 0: the sender goes beyond this message only when every reader has its first batch, and
    // they hold that until the sender has no room left.
    std::uint64_t held_from = 0;
};

class Stress {
public:
    explicit Stress(const Setting& setting)
        : setting_(setting),
          activities_(setting.readers + 1) {
        std::vector<Ring::ReaderSpec> specs;
        for (std::uint32_t i = 0; i < setting.readers; ++i) {
            mailboxes_.push_back(std::make_shared<Mailbox>(clock_.make_parker(), 64));
            mailboxes_.back()->open();
            specs.push_back({mailboxes_.back().get(), 0});
        }
        Ring::Spec spec;
        spec.sender = &sender_;
        spec.bound = setting.bound;
        spec.fence = Fence(setting.cost);
        spec.sender_parker = parker_;
        ring_ = std::make_shared<Ring>(std::move(spec), specs);
        for (std::uint32_t i = 0; i < setting.readers; ++i) {
            mailboxes_[i]->add_ring(ring_, i);
        }
    }

    void run() {
        const Fuse fuse(activities_, [this] { return explain(); });
        std::vector<std::thread> threads;
        for (std::uint32_t i = 0; i < setting_.readers; ++i) {
            threads.emplace_back([this, i] { read(i); });
        }
        send();
        for (std::thread& it : threads) {
            it.join();
        }
        for (const auto& mailbox : mailboxes_) {
            const FlowCounts counts = mailbox->counts();
            EXPECT_TRUE(counts.is_balanced());
            EXPECT_EQ(counts.delivered, setting_.messages);
            EXPECT_EQ(counts.queued, 0U);
        }
    }

private:
    // -- The sender, as Outbox does it. --

    void send() {
        Activity& me = activities_.back();
        Pauses pauses(1);
        for (std::uint64_t number = 1; number <= setting_.messages; ++number) {
            me.doing.store("sends", std::memory_order_relaxed);
            if (setting_.pushes && pauses.one_in(16)) {
                push(number);
            } else {
                const std::size_t size = pauses.one_in(8) ? test::long_message : inline_bytes;
                while (!test::offer(*ring_, cache_, number, size)) {
                    wait_for_room(pauses);
                }
            }
            me.passed.store(number, std::memory_order_relaxed);
            pauses.maybe();
            if (number == setting_.held_from) {
                me.doing.store("waits for all to hold a batch", std::memory_order_relaxed);
                all_hold_.wait();
            }
        }
        ring_->seal();
        me.doing = "has sent all";
    }

    void wait_for_room(Pauses& pauses) {
        activities_.back().doing.store("waits for room", std::memory_order_relaxed);
        if (!has_no_room_.try_wait()) {
            has_no_room_.count_down();
        }
        const std::uint32_t ticket = parker_->prepare();
        // At half of the room somebody takes messages as long as there is more than half.
        const bool wants_half = pauses.one_in(2);
        if (pauses.one_in(4)) {
            std::this_thread::yield();  // between the first look and the second
        }
        if (ring_->wait_for_room(wants_half ? Ring::Wake::at_half : Ring::Wake::at_once)) {
            parker_->park(ticket, forever);
            ring_->stop_waiting();
        }
    }

    void push(std::uint64_t number) {
        for (const auto& mailbox : mailboxes_) {
            Envelope message = test::envelope(&sender_, number);
            while (mailbox->push(message, direct_lane, nullptr) != PushResult::accepted) {
                std::this_thread::yield();
            }
        }
    }

    // -- A reader, as WorkerContext does it. --

    void read(std::uint32_t reader) {
        Activity& me = activities_[reader];
        const std::shared_ptr<Mailbox>& mailbox = mailboxes_[reader];
        Inbox inbox(mailbox);
        MessageBatch views;
        Pauses pauses(reader + 2);
        std::uint64_t seen = 0;
        while (seen < setting_.messages) {
            const std::uint32_t ticket = mailbox->parker()->prepare();
            if (!inbox.take(views, pauses.one_in(4) ? 3 : batch_max)) {
                if (pauses.one_in(4)) {
                    std::this_thread::yield();  // between the first look and the second
                }
                if (inbox.fall_asleep()) {
                    me.doing.store("sleeps", std::memory_order_relaxed);
                    mailbox->parker()->park(ticket, forever);
                    inbox.wake_up();
                }
                continue;
            }
            if (setting_.held_from > 0 && seen == 0) {
                me.doing.store("holds a batch", std::memory_order_relaxed);
                all_hold_.count_down();
                has_no_room_.wait();
            }
            me.doing.store("reads", std::memory_order_relaxed);
            std::uint32_t done = 0;
            for (const skep_message& it : views) {
                if (pauses.one_in(256)) {
                    std::this_thread::yield();  // with messages in flight
                }
                if (done > 0 && pauses.one_in(128)) {
                    break;  // the rest goes back
                }
                check(it, inbox.facts_of(it).sequence, ++seen);
                ++done;
            }
            inbox.settle(done, 0);
            me.passed.store(seen, std::memory_order_relaxed);
        }
        me.doing = "has read all";
    }

    static void check(const skep_message& message, std::uint64_t number, std::uint64_t expected) {
        if (number != expected) {
            give_up("out of order: " + std::to_string(number) + " instead of " +
                    std::to_string(expected));
        }
        if (!test::holds_number(message.data, message.size, number)) {
            give_up("torn: " + std::to_string(number));
        }
    }

    [[nodiscard]] std::string explain() const {
        std::string all = "\n  the last line is the sender";
        for (std::uint32_t i = 0; i < setting_.readers; ++i) {
            all += "\n  waiting for reader " + std::to_string(i) + ": " +
                   std::to_string(ring_->counts(i).queued);
        }
        return all;
    }

    const Setting setting_;
    const std::string sender_ = "sender";
    SteadyClock clock_;
    PayloadCache cache_;
    std::vector<Activity> activities_;  // of the readers; the last is the sender's
    std::shared_ptr<Parker> parker_ = clock_.make_parker();
    std::vector<std::shared_ptr<Mailbox>> mailboxes_;
    std::shared_ptr<Ring> ring_;
    std::latch all_hold_{setting_.readers};  // the readers, for `held_from`
    std::latch has_no_room_{1};              // the sender, for the first time
};

using Parameters = std::tuple<std::uint32_t, std::size_t, bool>;

class RingStress : public testing::TestWithParam<Parameters> {
protected:
    static Setting setting(std::uint64_t messages) {
        const auto [readers, bound, is_asymmetric] = GetParam();
        return {readers,
                bound,
                is_asymmetric ? Fence::Cost::asymmetric : Fence::Cost::symmetric,
                std::max<std::uint64_t>(1, messages * times() / readers),
                false};
    }
};

TEST_P(RingStress, EverythingArrivesOnceAndInOrderAndNobodySleepsForEver) {
    Stress(setting(6000)).run();
}

TEST_P(RingStress, KeepsTheOrderWithWhatIsQueuedDirectly) {
    Setting mixed = setting(3000);
    mixed.pushes = true;
    Stress(mixed).run();
}

// A ring of its full size has room for the bound and for what readers hold: there is no fault to
// be seen in it. A fast sender makes its ring that large before anybody reads; so here, at each
// smaller size, it waits until every reader has a batch, and then goes as far as it can.
TEST_P(RingStress, WhatReadersHoldIsNotOverwrittenWhileTheRingGrows) {
    Setting growing = setting(0);
    growing.messages = growing.bound + 2 * batch_max;  // more than have room beside a batch
    for (std::uint64_t i = 0; i < times(); ++i) {
        for (growing.held_from = 1; growing.held_from <= growing.bound; growing.held_from *= 2) {
            Stress(growing).run();
        }
    }
}

std::string name_of(const testing::TestParamInfo<Parameters>& info) {
    const auto [readers, bound, is_asymmetric] = info.param;
    return std::to_string(readers) + "Readers" + std::to_string(bound) + "Bound" +
           (is_asymmetric ? "Asymmetric" : "Symmetric");
}

INSTANTIATE_TEST_SUITE_P(All,
                         RingStress,
                         testing::Combine(testing::Values(1U, 2U, 8U),
                                          testing::Values(1U, 3U, 64U, 1024U),
                                          testing::Bool()),
                         name_of);

}  // namespace
}  // namespace skep::host
