// A running host and those who steer it, by the real program.
#include "host/cli/steer.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <future>
#include <memory>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "host/base/table.hpp"
#include "host/control/metrics_json.hpp"
#include "tests/support/process.hpp"
#include "tests/support/raw_client.hpp"
#include "tests/support/temp_folder.hpp"

namespace skep::host {
namespace {

using test::Finished;
using test::Process;
using test::TempFolder;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::MatchesRegex;
using testing::Not;
using testing::StartsWith;

// "feed" sends without end, "work" takes an hour for each message, so that soon "feed" waits.
constexpr const char* busy_topology = R"(version = 1
host.stop_grace = "10ms"
[worker.feed]
plugin = "generate"
config = { count = 1000 }
[worker.work]
plugin = "data_processor"
config = { poll = "0s", work = "1h" }
[worker.show]
plugin = "console"
[[route]]
from  = "feed"
to    = "work"
queue = 4
)";

class Steer : public testing::Test {
protected:
    // Its sockets are in a folder of this test.
    std::unique_ptr<Process> start(const std::string& name, const test::Arguments& flags = {}) {
        const std::string file = folder.write(name + ".toml", busy_topology);
        test::Arguments arguments = {SKEP_EXECUTABLE, "run", file};
        arguments.insert(arguments.end(), flags.begin(), flags.end());
        auto host = std::make_unique<Process>(arguments, variables());
        EXPECT_TRUE(host->wait_for_err("running '" + name + "'")) << host->wait().err;
        return host;
    }

    Finished skep(test::Arguments arguments) {
        arguments.insert(arguments.begin(), SKEP_EXECUTABLE);
        return test::run(arguments, variables());
    }

    void expect(const test::Arguments& arguments, int exit_code, const std::string& part) {
        const Finished ended = skep(arguments);
        const std::string said = ended.out + ended.err;
        EXPECT_EQ(ended.exit_code, exit_code) << testing::PrintToString(arguments) << said;
        EXPECT_THAT(said, HasSubstr(part)) << testing::PrintToString(arguments);
        EXPECT_EQ(ended.out.empty(), part.empty() || exit_code == 1 || exit_code >= 4) << said;
    }

    [[nodiscard]] test::Variables variables() const {
        return {{"XDG_RUNTIME_DIR", folder.path()}, {"SKEP_CONTROL", control}};
    }

    const TempFolder folder;
    std::string control;  // "": the usual places
    const std::string socket = folder / "skep/bees.sock";
};

TEST_F(Steer, AHostIsWatchedPausedExplainedAndStopped) {
    const std::unique_ptr<Process> host = start("bees");
    expect({"wait"}, 0, "");
    const Finished ps = skep({"ps"});
    EXPECT_EQ(ps.exit_code, 0);
    EXPECT_THAT(
        ps.out,
        MatchesRegex("HOST +WORKER +STATUS +STATE +RUN +IN +OUT +QUEUED +ITEMS +ERRORS +CPU\n"
                     "bees +feed +running +running +1 .*\n"
                     "bees +work +running +running +1 .*\n"
                     "bees +show +running +running +1 .*\n"));
    EXPECT_THAT(skep({"ps", "-o", "json"}).out,
                StartsWith(R"({"hosts":[{"host":"bees","workers":[{"name":"feed","status":)"));
    expect({"status"}, 0, "3 running");
    expect({"status", "-o", "json"}, 0, R"("running":3)");

    expect({"pause", "show", "--wait"}, 0, "");
    expect({"status", "show"}, 0, "paused");
    expect({"explain", "show"}, 0, "show is paused: it was asked to pause");
    expect({"wait", "show", "--state", "paused"}, 0, "");
    expect({"wait", "show", "--timeout", "1ms"},
           1,
           "worker 'show' did not reach state 'running' in time");
    expect({"wait", "--timeout", "1ms"}, 1, "not all workers reached state 'running' in time");
    expect({"send", "show", "to all the bees"}, 0, "");
    expect({"broadcast", "to all"}, 0, "");
    expect({"explain", "show"}, 0, "2 messages wait in its mailbox");
    expect({"resume", "show"}, 0, "");
    EXPECT_TRUE(host->wait_for_out("to all"));

    expect({"drain", "show"}, 0, "");
    expect({"status", "show"}, 3, "stopped");
    expect({"restart", "show"}, 0, "");
    expect({"status", "show"}, 0, "running");
    expect({"explain", "show", "-o", "json"}, 0, R"("generation":2)");

    expect({"stop"}, 0, "");
    const Finished& ended = host->wait();
    EXPECT_EQ(ended.exit_code, 0) << ended.err;
    EXPECT_THAT(ended.err,
                AllOf(HasSubstr("control: pause 'show': done (uid "),
                      HasSubstr("control: send 'show': done (uid "),
                      HasSubstr("control: stop: done (uid "),
                      Not(HasSubstr("control: explain")),
                      HasSubstr(": balanced\n")));
    EXPECT_FALSE(std::filesystem::exists(socket));
}

TEST_F(Steer, AMessageHasTheBytesOfTheArgument) {
    const std::unique_ptr<Process> host = start("bees");
    for (const char* const text : {"", "\xc3\xa9t\xc3\xa9", "caf\xe9", "a\nb\t\x01", "\xff\xfe"}) {
        expect({"send", "show", text}, 0, "");
        expect({"broadcast", text}, 0, "");
    }
    expect({"drain", "show"}, 0, "");
    expect({"stop", "--now"}, 0, "");
    EXPECT_EQ(host->wait().out,
              "\n\n\xc3\xa9t\xc3\xa9\n\xc3\xa9t\xc3\xa9\ncaf\xe9\ncaf\xe9\n"
              "a\nb\t\x01\na\nb\t\x01\n\xff\xfe\n\xff\xfe\n");
}

// Nobody reads the pipe before the end. What was delivered was written, line by line.
TEST_F(Steer, AnOutputThatNobodyReadsHoldsUpNoStopAndNoPause) {
    const std::string file = folder.write("bees.toml", R"(version = 1
[worker.feed]
plugin = "generate"
[worker.show]
plugin = "console"
[[route]]
from  = "feed"
to    = "show"
queue = 4
)");
    Process host({SKEP_EXECUTABLE, "run", file}, variables());
    ASSERT_TRUE(host.wait_for_err("running 'bees'"));
    while (skep({"status", "show"}).out.find("queued 4") == std::string::npos) {
    }
    expect({"pause", "show", "--wait"}, 0, "");
    expect({"resume", "show"}, 0, "");
    expect({"stop", "--grace", "100ms"}, 0, "");
    const Finished& ended = host.wait();
    EXPECT_EQ(ended.exit_code, 0) << ended.err;
    EXPECT_THAT(ended.err, HasSubstr(": balanced\n"));
    const auto lines = std::count(ended.out.begin(), ended.out.end(), '\n');
    EXPECT_GT(lines, 0);
    EXPECT_THAT(ended.err, testing::ContainsRegex("show +stopped +" + std::to_string(lines) + " "));
    EXPECT_EQ(ended.out.back(), '\n');
}

TEST_F(Steer, RefusalsAreTold) {
    const std::unique_ptr<Process> host = start("bees");
    for (const char* verb : {"status", "pause", "resume", "drain", "restart", "explain", "wait"}) {
        expect({verb, "nobody"}, 4, "no worker 'nobody'");
    }
    expect({"send", "nobody", "x"}, 4, "no worker 'nobody'");
    expect({"pause", "shwo"}, 4, "no worker 'shwo'; did you mean 'show'?");
    expect({"tap", "fed.out"}, 4, "no worker 'fed'; did you mean 'feed'?");
    expect({"tap", "feed", "--to", "shwo"}, 4, "no worker 'shwo'; did you mean 'show'?");
    expect({"tap", "feed.oops"},
           1,
           "no route leaves 'feed.oops'; outputs of 'feed' with a route: out");
    expect({"drain", "show"}, 0, "");
    expect({"pause", "show"}, 1, "cannot pause worker 'show': it is stopped");
    expect({"wait", "--state", "runing"}, 1, "unknown state 'runing'");
    expect({"stop", "--now"}, 0, "");
    EXPECT_THAT(host->wait().err,
                HasSubstr("control: pause 'show': refused: cannot pause worker 'show': it is "
                          "stopped (uid "));
}

TEST_F(Steer, ATapShowsWhatPasses) {
    const std::unique_ptr<Process> host = start("bees");
    Process tap({SKEP_EXECUTABLE, "tap", "--to", "show", "--limit", "1"}, variables());
    EXPECT_TRUE(host->wait_for_err("control: tap: done"));
    expect({"send", "show", "two\nlines"}, 0, "");
    const Finished& shown = tap.wait();
    EXPECT_EQ(shown.exit_code, 0) << shown.err;
    EXPECT_THAT(shown.out, MatchesRegex(R"(the host -> show #1 \([0-9.]+ms\): two\\nlines.)"));
    expect({"stop", "--grace", "0s"}, 0, "");
}

TEST(TapText, SaysWhatIsOddAboutAMessage) {
    EXPECT_EQ(tap_text(R"({"from":"a","output":"out","to":"b","sequence":7,"age_ns":1500000,)"
                       R"("failed":true,"size":9,"text":"\u001b[1m"})"
                       "\n"
                       R"({"skipped":12})"
                       "\n"),
              "a.out -> b #7 (1.500ms, failed): \\x1b[1m... (9 bytes)\n... 12 more\n");
    EXPECT_EQ(tap_text(R"({"from":"a","output":"","to":"b","sequence":8,"age_ns":0,)"
                       R"("failed":false,"size":2,"hex":"00ff"})"
                       "\n"),
              "a -> b #8 (0.000ms): 0x00ff\n");
    EXPECT_EQ(tap_text("no JSON\n"), "");
}

TEST_F(Steer, AHostThatIsStoppedBySIGSTOPIsNamedAndTheOthersAreListed) {
    const std::unique_ptr<Process> bees = start("bees");
    const std::unique_ptr<Process> ants = start("ants");
    bees->send(SIGSTOP);
    const Finished listed = skep({"ps"});
    EXPECT_EQ(listed.exit_code, 69);
    EXPECT_THAT(listed.out, AllOf(HasSubstr("\nants  feed"), Not(HasSubstr("bees"))));
    EXPECT_THAT(listed.err,
                HasSubstr("no answer from host 'bees' (process " + std::to_string(bees->pid())));
    const Finished stopped = skep({"stop", "--host", "bees", "--timeout", "100ms"});
    EXPECT_EQ(stopped.exit_code, 69);
    EXPECT_THAT(stopped.err, HasSubstr("no answer from host 'bees'"));
    bees->send(SIGCONT);
    expect({"stop", "--host", "ants", "--now"}, 0, "");
}

// However long the answer may take by its nature: the client asks meanwhile whether the host lives.
TEST_F(Steer, AVerbThatWaitsGivesAHostUpThatIsStopped) {
    const std::unique_ptr<Process> host = start("bees");
    host->send(SIGSTOP);
    const std::vector<test::Arguments> verbs = {{"wait", "--state", "stopped"},
                                                {"tap"},
                                                {"pause", "--wait", "feed"},
                                                {"reload"},
                                                {"rollback"},
                                                {"plan"},
                                                {"drain", "feed"}};
    std::vector<std::future<Finished>> all;
    for (const test::Arguments& verb : verbs) {
        all.push_back(std::async(std::launch::async, [&] { return skep(verb); }));
    }
    for (std::size_t i = 0; i < verbs.size(); ++i) {
        const Finished ended = all[i].get();
        EXPECT_EQ(ended.exit_code, 69) << verbs[i].front();
        EXPECT_THAT(ended.err, AllOf(HasSubstr("within 10"), HasSubstr("may be stopped")))
            << verbs[i].front();
    }
    host->send(SIGCONT);
    expect({"stop", "--now"}, 0, "");
}

TEST_F(Steer, ASenderThatWaitsForAReceiverIsExplained) {
    const std::unique_ptr<Process> host = start("bees");
    std::string said;
    while (said.find("room at a receiver") == std::string::npos) {  // soon
        said = skep({"explain", "feed"}).out;
        ASSERT_THAT(said, StartsWith("feed is running: "));
    }
    EXPECT_THAT(said, AllOf(HasSubstr("'work' is running"), HasSubstr("try: skep explain work")));
    expect({"stop", "--grace", "0s"}, 0, "");
    EXPECT_EQ(host->wait().exit_code, 0);
}

TEST_F(Steer, OfSeveralHostsOneIsNamed) {
    expect({"ps"}, 69, "no host is running; 'skep run FILE' starts one");
    expect({"stop"}, 69, "no host is running");
    const std::unique_ptr<Process> bees = start("bees");
    const std::unique_ptr<Process> ants = start("ants");
    expect({"status"}, 69, "several hosts are running; select one with --host NAME: ants, bees");
    expect({"status", "--host", "ants"}, 0, "ants");
    expect({"status", "--host", "bee"}, 69, "no host 'bee' is running; running: ants, bees");
    expect({"status", "--control", socket}, 0, "bees");
    EXPECT_THAT(skep({"ps"}).out, AllOf(HasSubstr("\nants  feed"), HasSubstr("\nbees  feed")));
    EXPECT_THAT(skep({"ps", "--host", "ants"}).out, Not(HasSubstr("bees")));
    expect({"stop", "--host", "ants"}, 0, "");
    expect({"status"}, 0, "bees");
    expect({"stop"}, 0, "");
    EXPECT_EQ(bees->wait().exit_code, 0);
    EXPECT_EQ(ants->wait().exit_code, 0);
}

TEST_F(Steer, ASecondHostOfTheNameRunsWithoutASocket) {
    const std::unique_ptr<Process> first = start("bees");
    const std::unique_ptr<Process> second = start("bees");
    second->send(SIGINT);
    EXPECT_THAT(
        second->wait().err,
        HasSubstr("cannot open a control socket: a host named 'bees' runs already, process "));
    expect({"stop"}, 0, "");
    EXPECT_EQ(first->wait().exit_code, 0);
}

TEST_F(Steer, ASocketThatWasAskedForAndCannotBeIsRefusedBeforeTheStart) {
    const std::string file = folder.write("bees.toml", busy_topology);
    const std::string taken = folder.write("taken", "precious");
    const Finished ended = skep({"run", file, "--control", taken});
    EXPECT_EQ(ended.exit_code, 1);
    EXPECT_THAT(ended.err, AllOf(HasSubstr(taken), Not(HasSubstr("running"))));
}

TEST_F(Steer, ASocketCanBeElsewhereOrNowhere) {
    control = folder / "elsewhere.sock";
    const std::unique_ptr<Process> host = start("bees");
    expect({"stop"}, 0, "");
    EXPECT_EQ(host->wait().exit_code, 0);
    control = "none";
    const std::unique_ptr<Process> silent = start("bees");
    expect({"stop"}, 69, "none");
    EXPECT_FALSE(std::filesystem::exists(folder / "skep"));
    silent->send(SIGINT);
    EXPECT_EQ(silent->wait().exit_code, 0);
}

TEST_F(Steer, CtrlCEndsTheHostWhileRequestsAreOpen) {
    const std::unique_ptr<Process> host = start("bees");
    Process waiting({SKEP_EXECUTABLE, "wait", "--state", "failed"}, variables());
    const test::RawClient halfway(socket);
    ASSERT_TRUE(halfway.say("POST /v1/stop HTTP/1.1\r\nContent-Length: 5\r\n\r\n{"));
    const test::RawClient holding(socket);
    ASSERT_TRUE(holding.say("GET /v1/wait?worker=work&state=paused HTTP/1.1\r\n\r\n"));
    expect({"status"}, 0, "bees");
    host->send(SIGINT);
    const Finished& ended = host->wait();
    EXPECT_EQ(ended.exit_code, 0) << ended.err;
    EXPECT_THAT(ended.err, Not(HasSubstr("control: stop")));
    EXPECT_NE(waiting.wait().exit_code, 0);
    EXPECT_THAT(halfway.hear(), Not(HasSubstr(" 200 ")));
    EXPECT_THAT(holding.hear(), Not(HasSubstr(" 200 ")));
    EXPECT_FALSE(std::filesystem::exists(socket));
}

TEST_F(Steer, TheSocketGoesEvenWhereAThreadIsLeftBehind) {
    const std::string file =
        folder.write("stuck.toml",
                     "version = 1\nhost.stop_grace = \"10ms\"\n[worker.stuck]\nplugin = \"" +
                         std::string(SKEP_TEST_PLUGIN_DIR) +
                         "/libnever_returns.so\"\ntype = \"never_reaches_checkpoint\"\n");
    Process host({SKEP_EXECUTABLE, "run", file}, variables());
    ASSERT_TRUE(host.wait_for_err("never to be seen again")) << host.wait().err;
    expect({"explain", "stuck"}, 0, "stuck is running");
    expect({"stop"}, 0, "");
    EXPECT_EQ(host.wait().exit_code, 1);
    EXPECT_THAT(host.wait().err, HasSubstr("leaving while a thread is inside plugins: stuck"));
    EXPECT_FALSE(
        std::filesystem::exists(std::filesystem::symlink_status(folder / "skep/stuck.sock")));
}

TEST_F(Steer, TheSocketOfAHostThatWasKilledIsReplaced) {
    {
        const std::unique_ptr<Process> killed = start("bees");
        killed->send(SIGKILL);
        EXPECT_EQ(killed->wait().exit_code, -SIGKILL);
    }
    EXPECT_TRUE(std::filesystem::exists(std::filesystem::symlink_status(socket)));
    expect({"ps"}, 69, "no host is running");
    const std::unique_ptr<Process> host = start("bees");
    expect({"stop"}, 0, "");
    EXPECT_EQ(host->wait().exit_code, 0);
}

TEST(SteerText, ATableHasNoSpaceAtItsEnds) {
    EXPECT_EQ(table_text({{"A", "LONG"}, {"bcd", "e"}, {"f"}}), "A    LONG\nbcd  e\nf\n");
    EXPECT_EQ(table_text({}), "");
}

TEST(SteerText, WhatAWorkerSaysCannotActOnTheTerminal) {
    const std::string body =
        R"({"name":"a","status":"error","state":"failed","error":"\u001b[2Jgone",)"
        R"("swaps":2,"rollbacks":1,"last_swap":{"blackout_ns":4100,"state_bytes":9},)"
        R"("in":{"queued":2},"out_rejected":{"no_route":3,"too_big":0,"misuse":1}})";
    EXPECT_THAT(worker_text(body),
                AllOf(StartsWith("a\n"),
                      HasSubstr("status        error (failed)\n"),
                      HasSubstr("error         \\x1b[2Jgone\n"),
                      HasSubstr("swaps         2, 1 rolled back; the last in 4.1 us, with 9 bytes"),
                      HasSubstr("queued 2\n"),
                      HasSubstr("out rejected  no route 3, misuse 1\n")));
    EXPECT_EQ(
        explanation_text(R"({"worker":"a","state":"failed","why":"\u001b","also":["\u0007"]})"),
        "a is failed: \\x1b\n  - \\x07\n");
}

TEST(SteerText, TheVersionsOfAPluginHaveALineEach) {
    const auto now = std::chrono::system_clock::now();
    const auto use = [&](const std::string& version, int age) {
        LibraryUse made;
        made.facts = {"p.so", "org.p", version, "0123456789abcdef", "fedcba9876543210", now, "", 0};
        made.facts.opened -= std::chrono::seconds(age);
        return made;
    };
    std::vector<LibraryUse> all;
    all.push_back(use("5", 1));
    all.back().is_open = true;
    all.back().workers = {"a@2", "b@1"};
    all.push_back(use("4", 20));
    all.back().is_open = true;
    all.back().standby = {"a"};
    all.push_back(use("3", 21));
    all.back().is_open = true;
    all.push_back(use("2", 120));
    all.back().facts.cause = "unique symbol 'x'";
    all.back().facts.mapped = 20'480;
    all.push_back(use("1", 200));
    const std::string text = generations_text(generations_json(all, now));
    EXPECT_THAT(
        text,
        StartsWith(
            "PLUGIN  VERSION  BUILD ID      HASH          AGE    STATE        WORKERS   WHY\n"
            "org.p   5        0123456789ab  fedcba987654  1.0s   in use       a@2, b@1\n"
            "org.p   4        0123456789ab  fedcba987654  20.0s  standing by  a  "));
    EXPECT_THAT(text, HasSubstr("ending                 its last instance is being destroyed\n"));
    EXPECT_THAT(text, HasSubstr("pinned                 unique symbol 'x' (20 KiB)\n"));
    EXPECT_THAT(text, HasSubstr("kept                   a rollback may need it"));
}

TEST(SteerText, WhatIsNoAnswerIsNotShown) {
    for (const char* body : {"", "{", "[]", "null", "{}"}) {
        EXPECT_EQ(host_text(body), "") << body;
        EXPECT_EQ(worker_text(body), "") << body;
        EXPECT_EQ(explanation_text(body), "") << body;
        EXPECT_EQ(generations_text(body), "") << body;
    }
    EXPECT_EQ(ps_json({{"bees", "nonsense"}}),
              "{\"hosts\":[{\"host\":\"bees\",\"workers\":[]}]}\n");
}

}  // namespace
}  // namespace skep::host
