// A failure is forced at each step of a reload (docs/reload.md, "What happens"), in a host whose
// three sources are at full speed, with real files and by the real program. Up to the step at which
// the plan is in force the old set works on, as a whole; after it, the verdict says what failed.
// The plugin itself keeps account of what is missing or comes twice. What takes a hook instead of a
// file is forced in SwapFaults.
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "host/control/client.hpp"
#include "tests/support/reload_fixture.hpp"
#include "tests/support/swap_load.hpp"

namespace skep::test {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

const std::string nothing_fails = "none";

// A verdict, and the text with it.
testing::Matcher<const std::string&> is(const std::string& verdict, const std::string& text) {
    return AllOf(HasSubstr("\"verdict\":\"" + verdict + "\""), HasSubstr(text));
}

class ReloadFaults : public host::Reload {
protected:
    ReloadFaults() {
        probation = "2s";
        fuse *= stress_factor();
        install("fails_as_told");
        write_workers(0, nothing_fails);
    }

    // Workers "q" and "w" both get what three sources say. "w" does as `fault` tells it.
    void write_workers(int number, const std::string& fault, const std::string& more = "") const {
        std::string text;
        for (const std::string sender : {"a", "b", "c"}) {
            text += "[worker." + sender + "]\nplugin = \"generate\"\nconfig.payload = \"" + sender +
                    "\"\n[[route]]\nfrom = \"" + sender + "\"\nto = [\"q\", \"w\"]\n";
        }
        for (const std::string worker : {"q", "w"}) {
            text += "[worker." + worker + "]\nplugin = \"plugin\"\nquiesce = \"500ms\"\n" +
                    "config = { number = " + std::to_string(number) + ", fault = \"" +
                    (worker == "w" ? fault : nothing_fails) + "\" }\n";
        }
        write(text + more);
    }

    // Both are to be other instances.
    void write_next(const std::string& fault, const std::string& more = "") const {
        write_workers(in_force + 1, fault, more);
    }

    // Has the present instance fail, or not.
    void tell_present(const std::string& fault) const {
        write_workers(in_force, fault);
        EXPECT_THAT(reload_now(),
                    testing::AnyOf(is("applied", "reconfigure w"), is("no change", "")));
    }

    void move_to_next() {
        write_next(nothing_fails);
        EXPECT_THAT(reload_now(), is("applied", "swap q, w; 3 stay"));
        ++in_force;
    }

    // A JSON object.
    [[nodiscard]] std::string ask(const std::string& method, const std::string& target) const {
        host->read_what_is_there();
        const auto reply =
            host::ask_host(folder / "skep/bees.sock", method, target, "", std::chrono::minutes(1));
        EXPECT_TRUE(reply) << target << ": " << (reply ? "" : reply.error().why);
        return reply ? reply->body : "";
    }

    // When the plan is in force, or will not be.
    [[nodiscard]] std::string reload_now() const { return ask("POST", "/v1/reload"); }

    static std::uint64_t number_in(const std::string& object, const std::string& key) {
        const std::string before = "\"" + key + "\":";
        const std::size_t found = object.find(before);
        return found == std::string::npos ? 0 : std::stoull(object.substr(found + before.size()));
    }

    // The generations of "q" and "w", once each has handled something more.
    [[nodiscard]] std::pair<std::uint64_t, std::uint64_t> at_work() const {
        std::map<std::string, std::uint64_t> generations;
        for (const std::string worker : {"q", "w"}) {
            const auto delivered = [&] {
                const std::string now = ask("GET", "/v1/workers/" + worker);
                EXPECT_THAT(now, HasSubstr(R"("state":"running")"));
                generations[worker] = number_in(now, "generation");
                return number_in(now, "delivered");
            };
            for (const std::uint64_t before = delivered();
                 delivered() == before && !HasFailure();) {
                std::this_thread::yield();
            }
        }
        return {generations["q"], generations["w"]};
    }

    static int rounds() { return many(30) / 10; }

    int in_force = 0;  // number of the instances
};

struct Fault {
    const char* step;
    std::function<void()> force;
    const char* verdict;
    std::function<void()> repair = [] {};
};

TEST_F(ReloadFaults, UntilThePlanIsInForceTheOldSetWorksOnAsAWhole) {
    start();
    const auto next = [this](const char* fault) { return [=, this] { write_next(fault); }; };
    const auto present = [this](const char* fault) {
        return [=, this] {
            tell_present(fault);
            write_next(nothing_fails);
        };
    };
    const auto file = [this](const char* name) {
        return [=, this] {
            install(name);
            write_next(nothing_fails);
        };
    };
    const auto plugin_back = [this] { install("fails_as_told"); };
    const std::vector<Fault> faults = {
        {"2: a mistake", [&] { write_next(nothing_fails, "[worker.x]\n"); }, "bees.toml:"},
        {"2: no file", [&] { fs::remove(folder / "bees.toml"); }, "cannot read the file"},
        {"3: what cannot change",
         [&] { write_next(nothing_fails, "[[schedule]]\nat = \"1s\"\naction = \"stop\"\n"); },
         "[[schedule]] differs"},
        {"4: a file that others may write to",
         [&] {
             install("greeter_1");
             fs::permissions(
                 folder / "libplugin.so", fs::perms::others_write, fs::perm_options::add);
             write_next(nothing_fails);
         },
         "other users than its owner may write to it",
         plugin_back},
        {"5: a file that is cut",
         [&] {
             fs::resize_file(folder / "libplugin.so", 5000);
             write_next(nothing_fails);
         },
         "the file is truncated",
         plugin_back},
        {"6: a crash", file("crashes_when_loaded"), "it crashed while it was loaded", plugin_back},
        {"7: a symbol that is missing", file("undefined_symbol"), "undefined symbol", plugin_back},
        {"8: create", next("create"), "worker 'w' failed: create: as told"},
        {"9: no boundary",
         [this, times = 0]() mutable {
             tell_present("boundary");
             EXPECT_TRUE(host->wait_for_err("stays away, time " + std::to_string(++times)));
             write_next(nothing_fails);
         },
         "worker 'w' did not come to a boundary"},
        {"10: save", present("save_state"), "keeps its instance: save_state: as told"},
        {"11: load", next("load_state"), "keeps its instance: load_state: as told"},
        {"12: release", present("release"), "keeps its instance: release: as told"},
        {"12: acquire", next("acquire"), "keeps its instance: acquire: as told"},
    };
    EXPECT_THAT(ask("POST", "/v1/rollback"), is("refused", "cannot roll back"));
    for (const Fault& fault : faults) {
        for (int round = rounds(); round > 0; --round) {
            SCOPED_TRACE(fault.step);
            const auto before = at_work();
            fault.force();
            EXPECT_THAT(reload_now(), is("refused", fault.verdict));
            EXPECT_EQ(at_work(), before);
            fault.repair();
            tell_present(nothing_fails);
        }
        move_to_next();
    }
    const std::string log = stop();
    EXPECT_THAT(log, testing::ContainsRegex("q@[0-9]+ +missed 0, wrong 0"));
    EXPECT_THAT(log, testing::ContainsRegex("w@[0-9]+ +missed 0, wrong 0"));
}

TEST_F(ReloadFaults, WhatFailsInForceGoesBackAndIsTold) {
    start();
    for (int round = rounds(); round > 0; --round) {
        const auto before = at_work();
        write_next("on_message");
        const std::string answer = reload_now();
        EXPECT_THAT(answer, is("applied", "swap q, w; 3 stay"));
        EXPECT_THAT(ask("GET", "/v1/reloads/" + std::to_string(number_in(answer, "number"))),
                    testing::ContainsRegex(
                        "\"rolled back\",.*\"swap q, w; 3 stay; w@[0-9]+ failed after 0 messages, "
                        "w@[0-9]+ is back: on_message: as told\""));
        EXPECT_EQ(at_work(), std::pair(before.first + 1, before.second)) << "they are not joined";
        ++in_force;
        move_to_next();
    }
    const std::string log = stop();
    EXPECT_THAT(log, testing::ContainsRegex("q@[0-9]+ +missed 0, wrong 0"));
    EXPECT_THAT(
        log, testing::ContainsRegex("w@[0-9]+ +missed " + std::to_string(rounds()) + ", wrong 0"))
        << "the messages that it failed on";
}

TEST_F(ReloadFaults, WhatCannotBeUnloadedIsNamedAndNobodyElseNotices) {
    start();
    const auto before = at_work();
    const std::string pinned =
        std::string("[worker.x]\nplugin = \"") + SKEP_TEST_PLUGIN_DIR + "/libnodelete.so\"\n";
    write_workers(in_force, nothing_fails, pinned);
    EXPECT_THAT(reload_now(), is("applied", "start x"));
    write_workers(in_force, nothing_fails);
    EXPECT_THAT(reload_now(), is("applied", "stop x"));
    EXPECT_TRUE(host->wait_for_err("stays mapped: ")) << host->wait().err;
    EXPECT_THAT(skep({"generations"}).out, testing::ContainsRegex("pinned .*NODELETE"));
    EXPECT_EQ(at_work(), before);
    move_to_next();
    EXPECT_THAT(stop(), testing::ContainsRegex("w@[0-9]+ +missed 0, wrong 0"));
}

TEST_F(ReloadFaults, WhenTheAuditLogTakesNoMoreTheHostWorksOn) {
    fs::create_symlink("/dev/full", folder / "audit.jsonl");
    start();
    move_to_next();
    EXPECT_TRUE(host->wait_for_err("cannot write to the audit log")) << host->wait().err;
    move_to_next();
    EXPECT_THAT(stop(), testing::ContainsRegex("w@[0-9]+ +missed 0, wrong 0"));
}

}  // namespace
}  // namespace skep::test
