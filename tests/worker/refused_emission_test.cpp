// Every refused emission is counted, from any caller and in any form: the accounting is
// balanced with each kind, and the log says what was refused and why.
#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "host/messaging/payload.hpp"
#include "tests/support/scripted.hpp"

namespace skep::test {
namespace {

using host::FlowCounts;
using host::Manager;
using testing::HasSubstr;

// What the host's logger, which writes to standard output in tests, writes while it lives.
class Logged {
public:
    Logged() { testing::internal::CaptureStdout(); }

    ~Logged() { (void)text(); }

    Logged(const Logged&) = delete;
    Logged& operator=(const Logged&) = delete;

    // When nobody writes any more.
    const std::string& text() {
        if (!text_) {
            text_ = testing::internal::GetCapturedStdout();
        }
        return *text_;
    }

private:
    std::optional<std::string> text_;
};

enum class Where { create, load_state, acquire, on_message, other_thread };

using Attempt = std::function<std::int64_t(const skep_context*, const skep_message*)>;

struct Refused {
    const char* name;
    Where where;
    Attempt attempt;  // by worker "w"; its first output leads to "r", its second nowhere
    std::int64_t status;
    std::uint64_t FlowCounts::Rejected::*reason;
    const char* logged;  // "": it is no mistake of the plugin
};

skep_payload payload(const void* data = "x", std::uint64_t size = 1) {
    skep_payload made{};
    made.data = data;
    made.size = size;
    return made;
}

skep_text text(const char* of) {
    return {of, std::char_traits<char>::length(of)};
}

Attempt emits(std::uint32_t port, const skep_payload& what = payload()) {
    return [port, what](const skep_context* it, const skep_message*) {
        return it->api->emit(it, port, &what, sizeof(what), 1);
    };
}

Attempt emits_bytes(std::uint32_t port, const void* data, std::uint64_t size) {
    return [port, data, size](const skep_context* it, const skep_message*) -> std::int64_t {
        return it->api->emit_bytes(it, port, data, size);
    };
}

Attempt sends(skep_text worker, const skep_payload& what = payload()) {
    return [worker, what](const skep_context* it, const skep_message*) {
        return it->api->send(it, worker, &what, sizeof(what), 1);
    };
}

Attempt broadcasts(const skep_payload& what = payload()) {
    return [what](const skep_context* it, const skep_message*) {
        return it->api->broadcast(it, &what, sizeof(what), 1);
    };
}

Attempt shares(const skep_message& view) {
    return [view](const skep_context* it, const skep_message*) {
        skep_payload what{};
        what.share = &view;
        return it->api->emit(it, 0, &what, sizeof(what), 1);
    };
}

Attempt replies(const skep_payload& what = payload()) {
    return [what](const skep_context* it, const skep_message* message) {
        return it->api->reply(it, message, &what, sizeof(what), 1);
    };
}

std::vector<Refused> all_kinds() {
    static const std::string huge(host::max_payload_bytes + 1, 'x');
    const skep_payload too_big = payload(huge.data(), huge.size());
    const skep_payload no_data = payload(nullptr, 3);
    constexpr auto misuse = &FlowCounts::Rejected::misuse;
    constexpr auto no_route = &FlowCounts::Rejected::no_route;
    constexpr auto big = &FlowCounts::Rejected::too_big;
    const char* const not_there = "create, load_state and acquire cannot send";
    const char* const other = "called from a thread that is not the worker's";
    const char* const invalid = "an argument is invalid";
    return {
        {"EmitInCreate", Where::create, emits(0), SKEP_E_STATE, misuse, not_there},
        {"EmitBytesInCreate",
         Where::create,
         emits_bytes(0, "x", 1),
         SKEP_E_STATE,
         misuse,
         "emission to output 0 was rejected, 1 so far: create, load_state and acquire cannot send"},
        {"SendInCreate",
         Where::create,
         sends(text("r")),
         SKEP_E_STATE,
         misuse,
         "message to worker 'r' was rejected, 1 so far: create"},
        {"BroadcastInCreate", Where::create, broadcasts(), SKEP_E_STATE, misuse, "broadcast was"},
        {"EmitInLoadState", Where::load_state, emits(0), SKEP_E_STATE, misuse, not_there},
        {"EmitInAcquire", Where::acquire, emits(0), SKEP_E_STATE, misuse, not_there},
        {"EmitFromAnotherThread", Where::other_thread, emits(0), SKEP_E_THREAD, misuse, other},
        {"EmitBytesFromAnotherThread",
         Where::other_thread,
         emits_bytes(0, "x", 1),
         SKEP_E_THREAD,
         misuse,
         other},
        {"SendFromAnotherThread",
         Where::other_thread,
         sends(text("r")),
         SKEP_E_THREAD,
         misuse,
         other},
        {"BroadcastFromAnotherThread",
         Where::other_thread,
         broadcasts(),
         SKEP_E_THREAD,
         misuse,
         other},
        {"ReplyFromAnotherThread", Where::other_thread, replies(), SKEP_E_THREAD, misuse, other},
        {"EmitToNoSuchOutput",
         Where::on_message,
         emits(2),
         SKEP_E_UNKNOWN,
         misuse,
         "emission to output 2 was rejected, 1 so far: the worker type has no such output"},
        {"EmitBytesToNoSuchOutput",
         Where::on_message,
         emits_bytes(4'000'000'000, "x", 1),
         SKEP_E_UNKNOWN,
         misuse,
         "output 4000000000"},
        {"SendToNoSuchWorker",
         Where::on_message,
         sends(text("\x1b[2Jnobody")),
         SKEP_E_UNKNOWN,
         misuse,
         "message to worker '\\x1b[2Jnobody' was rejected, 1 so far: no worker has this name"},
        {"ReplyToTheHost",
         Where::on_message,
         replies(),
         SKEP_E_UNKNOWN,
         misuse,
         "reply was rejected, 1 so far: its receiver is the host or no longer exists"},
        {"NoPayload",
         Where::on_message,
         [](const skep_context* it, const skep_message*) {
             return it->api->emit(it, 0, nullptr, sizeof(skep_payload), 1);
         },
         SKEP_E_INVALID,
         misuse,
         invalid},
        {"ShortStride",
         Where::on_message,
         [](const skep_context* it, const skep_message*) {
             const skep_payload what = payload();
             return it->api->emit(it, 0, &what, sizeof(what) - 1, 1);
         },
         SKEP_E_INVALID,
         misuse,
         invalid},
        {"NoData", Where::on_message, emits(0, no_data), SKEP_E_INVALID, misuse, invalid},
        {"NoDataOfBytes",
         Where::on_message,
         emits_bytes(0, nullptr, 3),
         SKEP_E_INVALID,
         misuse,
         invalid},
        {"SendWithoutAName",
         Where::on_message,
         sends({nullptr, 3}),
         SKEP_E_INVALID,
         misuse,
         invalid},
        {"ShareOfNoMessage", Where::on_message, shares({}), SKEP_E_INVALID, misuse, invalid},
        {"ReplyToNoMessage",
         Where::on_message,
         [](const skep_context* it, const skep_message*) {
             const skep_payload what = payload();
             return it->api->reply(it, nullptr, &what, sizeof(what), 1);
         },
         SKEP_E_INVALID,
         misuse,
         invalid},
        {"EmitTooBig",
         Where::on_message,
         emits(0, too_big),
         SKEP_E_TOO_BIG,
         big,
         "emission to output 0 was rejected, 1 so far: its payload is larger than 64 MiB"},
        {"SendTooBig",
         Where::on_message,
         sends(text("r"), too_big),
         SKEP_E_TOO_BIG,
         big,
         "larger than 64 MiB"},
        {"BroadcastTooBig",
         Where::on_message,
         broadcasts(too_big),
         SKEP_E_TOO_BIG,
         big,
         "larger than 64 MiB"},
        {"EmitWhereNoRouteLeaves", Where::on_message, emits(1), SKEP_E_NO_ROUTE, no_route, ""},
        {"EmitBytesWhereNoRouteLeaves",
         Where::on_message,
         emits_bytes(1, "x", 1),
         SKEP_E_NO_ROUTE,
         no_route,
         ""},
    };
}

class RefusedEmission : public testing::TestWithParam<Refused> {
protected:
    // Makes the attempt at the right moment, once.
    void try_it(Where where, const skep_context* context, const skep_message* message = nullptr) {
        if (where == GetParam().where) {
            told_.push_back(GetParam().attempt(context, message));
        }
    }

    Script worker() {
        Script script;
        script.make = [this](skep::context& context) {
            const skep_context* const raw = context.raw();
            try_it(Where::create, raw);
            Script made;
            made.load = [this, raw](std::string_view) { try_it(Where::load_state, raw); };
            made.acquire = [this](skep::context& it) { try_it(Where::acquire, it.raw()); };
            made.on_message = [this](skep::context& it, const skep::message& message) {
                try_it(Where::on_message, it.raw(), &message.raw());
                std::thread([&] { try_it(Where::other_thread, it.raw(), &message.raw()); }).join();
            };
            return made;
        };
        return script;
    }

    std::vector<std::int64_t> told_;
};

TEST_P(RefusedEmission, IsCountedOnceAndLogged) {
    Logged log;
    World<> world{Manager::When::asked};
    world.add("w", worker());
    world.add("r", Script{});
    world.route("w", "r");
    world.start();
    if (GetParam().where == Where::load_state) {
        world.plan.workers.front().config["text"] = host::ParamValue("another");
        ASSERT_TRUE(world.manager->apply(world.plan));
    }
    ASSERT_TRUE(world.manager->send("w", "go"));
    world.clock.settle();
    world.stop();
    ASSERT_EQ(told_, std::vector{GetParam().status});
    const FlowCounts::Rejected rejected = world.metrics("w").out_rejected;
    EXPECT_EQ(rejected.*GetParam().reason, 1U);
    EXPECT_EQ(rejected.total(), 1U);
    EXPECT_EQ(world.metrics("w").in.rejected.total(), 0U) << "these are at its input";
    const FlowCounts all = world.manager->metrics().accounting;
    EXPECT_TRUE(all.is_balanced());
    EXPECT_EQ(all.offered, 2U) << "the test's own message, and the refused one";
    EXPECT_EQ(all.rejected, rejected);
    const std::string logged = GetParam().logged;
    if (logged.empty()) {
        EXPECT_THAT(log.text(), testing::Not(HasSubstr("rejected")));
    } else {
        EXPECT_THAT(log.text(), HasSubstr("[w@"));
        EXPECT_THAT(log.text(), HasSubstr(logged));
    }
}

INSTANTIATE_TEST_SUITE_P(Kinds,
                         RefusedEmission,
                         testing::ValuesIn(all_kinds()),
                         [](const auto& kind) { return kind.param.name; });

TEST(RefusedEmissions, AreCountedFromManyThreadsAtOnceAndLoggedEverMoreSeldom) {
    constexpr int threads = 4;
    constexpr int each = 1000;
    Logged log;
    World<> world{Manager::When::asked};
    Script script;
    script.on_message = [](skep::context& context, const skep::message&) {
        std::vector<std::thread> others;
        for (int i = 0; i < threads; ++i) {
            others.emplace_back([&context] {
                for (int n = 0; n < each; ++n) {
                    EXPECT_EQ(context.emit("x"), skep::send_result::failed);
                }
            });
        }
        for (std::thread& it : others) {
            it.join();
        }
    };
    world.add("w", script);
    world.start();
    ASSERT_TRUE(world.manager->send("w", "go"));
    world.clock.settle();
    world.stop();
    EXPECT_EQ(world.metrics("w").out_rejected.misuse, std::uint64_t{threads} * each);
    EXPECT_TRUE(world.manager->metrics().accounting.is_balanced());
    const std::string& text = log.text();
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 12) << "1, 2, 4, ..., 2048";
    EXPECT_THAT(text, HasSubstr("[w@1] [warning] emission to output 0 was rejected, 2048 so far"));
}

}  // namespace
}  // namespace skep::test
