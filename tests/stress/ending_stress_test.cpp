// Random hosts that share out a random amount of work: the host ends when all of it is done, and
// not before. SKEP_STRESS multiplies how many there are.
//
// Work is a number. A worker that gets it, in a message or by a timer, does one and gives away the
// rest in parts: along its route, directly, as a reply, as a broadcast, or to a timer of its own.
// Each part is an item that somebody has to consume. A host that ends too early refuses items, or
// drops timers, and then the sums differ; one that ends too late, or never, runs into the fuse.
#include <atomic>
#include <future>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/scripted.hpp"
#include "tests/support/stress.hpp"
#include "tests/support/swap_load.hpp"

namespace skep::test {
namespace {

using host::Ending;
using host::SteadyClock;
using std::chrono::microseconds;
using std::chrono::seconds;

constexpr auto fuse = seconds(60);

// What one worker knows. Its own thread's, until the host has ended.
struct Books {
    std::string name;
    std::minstd_rand random;
    std::vector<std::string> targets;  // that take direct messages
    std::uint64_t readers = 0;         // of its output
    std::uint64_t others = 0;          // that a broadcast goes to
    bool may_broadcast = false;
    std::uint64_t begins_with = 0;
    bool has_begun = false;

    std::uint64_t made = 0;      // items
    std::uint64_t consumed = 0;  // items
    std::uint64_t dropped = 0;   // with timers of an instance that was restarted
    std::map<std::uint32_t, std::uint64_t> timers;
    std::uint32_t next_timer = 0;

    std::uint64_t up_to(std::uint64_t most) { return random() % (most + 1); }

    void set_timer(skep::context& context, std::uint64_t work) {
        ++made;
        timers[next_timer] = work;
        context.set_timer(next_timer++, microseconds(up_to(300)));
    }

    // `message`: null if a timer or the worker itself has begun this.
    void work(skep::context& context, std::uint64_t amount, const skep::message* message) {
        ++consumed;
        give_away(context, amount - 1, message, true);
    }

    void give_away(skep::context& context,
                   std::uint64_t rest,
                   const skep::message* message,
                   bool has_timers) {
        while (rest > 0) {
            const std::uint64_t part = 1 + up_to(rest - 1);
            const std::string text = std::to_string(part);
            const std::uint64_t way = up_to(9);
            if (way < 4 && readers > 0 && part * readers <= rest) {
                made += readers;
                rest -= part * readers;
                (void)context.emit(text);
            } else if (way == 4 && may_broadcast && part * others <= rest) {
                made += others;
                rest -= part * others;
                (void)context.broadcast(text);
            } else if (way == 5 && has_timers) {
                rest -= part;
                set_timer(context, part);
            } else if (way == 6 && message != nullptr) {
                const std::string sender(context.info(*message).sender);
                if (std::find(targets.begin(), targets.end(), sender) != targets.end()) {
                    ++made;
                    rest -= part;
                    (void)context.reply(*message, text);
                }
            } else {
                ++made;
                rest -= part;
                (void)context.send(targets[up_to(targets.size() - 1)], text);
            }
        }
    }
};

class RandomHost {
public:
    explicit RandomHost(std::uint32_t seed)
        : random_(seed) {
        restarts_ = chance(4);
        // A restart drains, and a sender to a worker that is paused meanwhile would do so until its
        // end.
        world_.plan.stop_grace = std::chrono::milliseconds(100);
        has_cycles_ = chance(3);
        world_.plan.pools.push_back({"p", 1 + up_to(1), {}});
        add_workers();
        add_routes();
        for (std::size_t i = 0; i < books_.size(); ++i) {
            Books& it = *books_[i];
            it.targets = targets_;
            it.others = books_.size() - 1;
            // A source takes no messages: it would leave them undone. A broadcast to nobody is
            // counted as rejected.
            it.may_broadcast = it.others > 0 && targets_.size() == books_.size();
        }
    }

    void run() {
        world_.start();
        auto ended = std::async(std::launch::async, [this] { return world_.manager->wait(); });
        disturb();
        if (ended.wait_for(fuse) != std::future_status::ready) {
            for (const auto& it : world_.manager->metrics().workers) {
                ADD_FAILURE() << it.name << " is " << name_of(it.state) << ": accepted "
                              << it.in.accepted << ", delivered " << it.in.delivered << ", queued "
                              << it.in.queued << ", in flight " << it.in.in_flight;
            }
            ADD_FAILURE() << "the host does not end";
            world_.manager->request_stop(seconds(0));
        }
        EXPECT_EQ(ended.get().cause, Ending::Cause::finished);
        world_.expect_balanced_accounting();
        std::uint64_t made = 0;
        std::uint64_t consumed = 0;
        std::uint64_t dropped = 0;
        for (const auto& it : books_) {
            made += it->made;
            consumed += it->consumed;
            dropped += it->dropped;
        }
        const host::HostMetrics all = world_.manager->metrics();
        EXPECT_EQ(made,
                  consumed + dropped + all.accounting.rejected.total() +
                      all.accounting.dead_lettered.stop);
        EXPECT_EQ(all.accounting.dead_lettered.crash, 0U);
        for (const auto& it : all.workers) {
            // A worker that routes feed may have ended before somebody first sends to it directly.
            if (!restarts_ && !is_fed_[it.name]) {
                EXPECT_EQ(it.in.rejected.total(), 0U) << it.name;
            }
        }
        if (!restarts_) {
            EXPECT_EQ(dropped, 0U);
            EXPECT_EQ(all.accounting.dead_lettered.total(), 0U);
        }
    }

private:
    std::uint64_t up_to(std::uint64_t most) { return random_() % (most + 1); }

    bool chance(std::uint64_t of) { return up_to(of - 1) == 0; }

    void add_workers() {
        const std::size_t sources = up_to(2);
        const std::size_t handlers = 1 + up_to(6);
        for (std::size_t i = 0; i < sources + handlers; ++i) {
            auto made = std::make_shared<Books>();
            made->name = "w" + std::to_string(i);
            made->random.seed(static_cast<std::uint32_t>(random_()));
            const bool is_source = i < sources;
            if (is_source || (sources == 0 && i == 0) || chance(3)) {
                made->begins_with = 1 + up_to(60);
            }
            host::WorkerPlan& plan =
                world_.add(made->name, is_source ? source(*made) : handler(*made));
            if (is_source) {
                plan.run.pool = "";
            } else {
                plan.run.pool = chance(2) ? "p" : "";
                targets_.push_back(made->name);
            }
            books_.push_back(std::move(made));
        }
        sources_ = sources;
    }

    static Script source(Books& books) {
        Script script;
        script.run = [&books](skep::context& context) {
            if (!std::exchange(books.has_begun, true)) {
                books.give_away(context, books.begins_with, nullptr, false);
            }
        };
        return script;
    }

    static Script handler(Books& books) {
        Script script;
        script.create = [&books](skep::context& context) {
            if (books.begins_with > 0 && !std::exchange(books.has_begun, true)) {
                books.set_timer(context, books.begins_with);
            }
        };
        script.on_message = [&books](skep::context& context, const skep::message& message) {
            books.work(context, std::stoull(std::string(message.text())), &message);
        };
        script.on_timer = [&books](skep::context& context, std::uint32_t id) {
            const auto timer = books.timers.extract(id);
            books.work(context, timer.mapped(), nullptr);
        };
        script.destroy = [&books] {
            books.dropped += books.timers.size();
            books.timers.clear();
        };
        return script;
    }

    // Forward, with little room; back, in cycles, with room for all there is.
    void add_routes() {
        for (std::size_t from = 0; from < books_.size(); ++from) {
            for (std::size_t to = sources_; to < books_.size(); ++to) {
                if (!chance(4) || (from >= to && !has_cycles_)) {
                    continue;
                }
                host::RoutePlan& route = world_.route(books_[from]->name, books_[to]->name);
                route.queue = from < to && !has_cycles_ ? 1 + up_to(3) : 1024;
                ++books_[from]->readers;
                is_fed_[books_[to]->name] = true;
            }
        }
    }

    void disturb() {
        for (std::uint64_t i = up_to(4); i > 0; --i) {
            const std::string& worker = books_[up_to(books_.size() - 1)]->name;
            (void)world_.manager->pause(worker, chance(2));
            if (restarts_) {
                (void)world_.manager->restart(books_[up_to(books_.size() - 1)]->name);
            }
            if (chance(2)) {
                (void)world_.manager->metrics();
            }
            (void)world_.manager->resume(worker);
        }
    }

    std::minstd_rand random_;
    bool restarts_ = false;
    bool has_cycles_ = false;
    std::size_t sources_ = 0;
    std::vector<std::shared_ptr<Books>> books_;
    std::vector<std::string> targets_;
    std::map<std::string, bool> is_fed_;
    World<SteadyClock> world_;
};

// In parts, each of which is a test: one alone would take too long with a sanitizer.
constexpr std::uint32_t parts = 10;

class EndingStress : public testing::TestWithParam<std::uint32_t> {};

INSTANTIATE_TEST_SUITE_P(Part, EndingStress, testing::Range(0U, parts));

TEST_P(EndingStress, AHostEndsExactlyWhenAllWorkIsDone) {
    const char* const only = std::getenv("SKEP_SEED");
    const std::uint32_t first = only == nullptr ? GetParam() : std::stoul(only);
    const std::uint32_t end = only == nullptr ? many(1000) : first + 1;
    for (std::uint32_t seed = first; seed < end; seed += parts) {
        SCOPED_TRACE("SKEP_SEED=" + std::to_string(seed));
        RandomHost(seed).run();
        if (HasFailure()) {
            return;
        }
    }
}

}  // namespace
}  // namespace skep::test
