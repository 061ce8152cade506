// What only one of two instances can have: it goes from the old one to the new one, and back.
#include <stdexcept>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/swapping.hpp"

namespace skep::test {
namespace {

using host::WorkerState;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

class SwapExclusive : public Swapping {
protected:
    // Acquires the one port there is.
    Script exclusive(const std::string& name) {
        Script script = noting(name);
        script.save = [this, name] {
            note(name + " saves");
            return std::string();
        };
        script.load = [this, name](std::string_view) { note(name + " loads"); };
        script.acquire = [this, name](skep::context&) {
            if (owner.empty()) {
                owner = name;
            }
            note(name + (owner == name ? " acquires" : " cannot acquire"));
            throw_unless(owner == name, "the port is in use");
        };
        script.release = [this, name] {
            note(name + " releases");
            owner.clear();
        };
        return script;
    }

    static void throw_unless(bool is_well, const char* what) {
        if (!is_well) {
            throw std::runtime_error(what);
        }
    }

    void start_old() {
        world.add("a", exclusive("old")).on_failure = host::OnFailure::isolate;
        world.start();
        EXPECT_THAT(noted(), ElementsAre("old acquires"));
        lines.clear();
    }

    // The old one is at work, and has the port.
    void expect_old_works() {
        EXPECT_EQ(owner, "old");
        send("a", "1");
        EXPECT_THAT(noted(), testing::Contains("old 1"));
        EXPECT_EQ(world.state("a"), WorkerState::running);
    }

    std::string owner;  // of the port; one worker's instances alone
};

TEST_F(SwapExclusive, TheOldInstanceReleasesBeforeTheNewOneAcquires) {
    start_old();
    change("a", exclusive("new"));
    ASSERT_EQ(refusal(), "");
    send("a", "1");
    EXPECT_THAT(noted(),
                ElementsAre("old saves", "old releases", "new loads", "new acquires", "new 1"));
}

TEST_F(SwapExclusive, AWorkerThatCannotAcquireIsNotStarted) {
    owner = "somebody else";
    world.add("a", exclusive("only"));
    EXPECT_EQ(refusal(), "worker 'a' failed: acquire: the port is in use");
    EXPECT_THAT(noted(), ElementsAre("only cannot acquire", "only destroyed"));
}

TEST_F(SwapExclusive, AReleaseThatFailsLeavesTheOldOneAtWork) {
    Script old = exclusive("old");
    old.release = [] { throw std::runtime_error("a client is connected"); };
    world.add("a", old);
    world.start();
    change("a", exclusive("new"));
    EXPECT_EQ(refusal(), "worker 'a' keeps its instance: release: a client is connected");
    expect_old_works();
}

TEST_F(SwapExclusive, AnAcquireThatFailsGivesItBack) {
    start_old();
    Script next = exclusive("new");
    next.acquire = [](skep::context&) { throw std::runtime_error("no such port"); };
    change("a", next);
    EXPECT_EQ(refusal(), "worker 'a' keeps its instance: acquire: no such port");
    EXPECT_THAT(noted(),
                UnorderedElementsAre(
                    "old saves", "old releases", "new loads", "old acquires", "new destroyed"));
    expect_old_works();
}

TEST_F(SwapExclusive, ALoadThatFailsGivesItBack) {
    start_old();
    Script next = exclusive("new");
    next.load = [](std::string_view) { throw std::runtime_error("what is this"); };
    change("a", next);
    EXPECT_THAT(refusal(), HasSubstr("load_state: what is this"));
    expect_old_works();
}

TEST_F(SwapExclusive, WhenAnotherOfTheSetFailsItGoesBack) {
    world.add("b", noting("old b"));
    world.route("a", "b");  // so "a" takes over before "b" is asked to
    start_old();
    Script failing = noting("new b");
    failing.load = [](std::string_view) { throw std::runtime_error("no"); };
    change("a", exclusive("new"));
    change("b", failing);
    EXPECT_THAT(refusal(), HasSubstr("worker 'b' keeps its instance"));
    EXPECT_THAT(noted(),
                UnorderedElementsAre("old saves",
                                     "old releases",
                                     "new loads",
                                     "new acquires",
                                     "new releases",
                                     "old acquires",
                                     "new destroyed",
                                     "new b destroyed"));
    expect_old_works();
}

TEST_F(SwapExclusive, ASuccessorThatFailsOnProbationGivesItBack) {
    start_old();
    Script next = exclusive("new");
    next.on_message = [](skep::context&, const skep::message&) {
        throw std::runtime_error("cannot");
    };
    change("a", next);
    ASSERT_EQ(refusal(), "");
    send("a", "bad");
    (void)noted();
    expect_old_works();
    EXPECT_THAT(noted(), testing::IsSupersetOf({"new acquires", "new releases", "old acquires"}));
}

TEST_F(SwapExclusive, WhoCannotTakeItAgainHasFailed) {
    Script old = exclusive("old");
    old.acquire = [this](skep::context&) {
        throw_unless(owner.empty(), "the port was taken");
        owner = "old";
    };
    old.release = [this] { owner = "a stranger"; };
    world.add("a", old).on_failure = host::OnFailure::isolate;
    world.start();
    change("a", exclusive("new"));
    EXPECT_EQ(refusal(),
              "worker 'a' keeps its instance: acquire: the port is in use; then the "
              "predecessor failed: acquire: the port was taken");
    (void)noted();
    EXPECT_EQ(world.state("a"), WorkerState::failed);
    EXPECT_EQ(world.metrics("a").error, "acquire: the port was taken");
}

TEST_F(SwapExclusive, NothingCanBeSentBeforeItIsDecidedWhoServes) {
    world.add("b", noting("b"));
    world.add("a", noting("old"));
    world.route("a", "b");
    world.start();
    Script next = noting("new");
    skep::context* its_context = nullptr;
    skep::send_result in_create{};
    skep::send_result in_load{};
    skep::send_result in_acquire{};
    next.create = [&](skep::context& context) {
        its_context = &context;
        in_create = context.emit("early");
    };
    next.load = [&](std::string_view) { in_load = its_context->emit("early"); };
    next.acquire = [&](skep::context& context) { in_acquire = context.emit("early"); };
    change("a", next);
    ASSERT_EQ(refusal(), "");
    send("a", "1");
    EXPECT_THAT(noted(), ElementsAre("new 1"));
    EXPECT_EQ(in_create, skep::send_result::failed);
    EXPECT_EQ(in_load, skep::send_result::failed);
    EXPECT_EQ(in_acquire, skep::send_result::failed);
}

}  // namespace
}  // namespace skep::test
