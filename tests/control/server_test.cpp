// Every request that docs/control-api.md promises, over a real socket to a real manager.
#include <algorithm>
#include <fstream>
#include <future>
#include <regex>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/control_fixture.hpp"

namespace skep::host {
namespace {

using std::chrono::milliseconds;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::MatchesRegex;

class Server : public ControlFixture {
protected:
    Server() {
        start_world();
        serve();
    }

    void expect(const std::string& method,
                const std::string& target,
                const std::string& body,
                int status,
                const std::string& part) {
        const Response reply = ask(method, target, body);
        EXPECT_EQ(reply.status, status) << method << " " << target << " " << body << reply.body;
        EXPECT_THAT(reply.body, HasSubstr(part)) << method << " " << target << " " << body;
    }

    void expect_done(const std::string& target, const std::string& body = "") {
        expect("POST", target, body, 200, R"("done":true)");
    }

    void expect_refused(const std::string& target,
                        const std::string& body,
                        int status,
                        const std::string& code) {
        expect(
            "POST", target, body, status, "{\"error\":{\"code\":\"" + code + "\",\"message\":\"");
    }

    WorkerState state(const std::string& worker) { return world.state(worker); }
};

TEST_F(Server, TellsOfTheHost) {
    const Response reply = ask("GET", "/v1/host");
    EXPECT_EQ(reply.status, 200);
    EXPECT_THAT(reply.body,
                AllOf(HasSubstr(R"("name":"bees","pid":)" + std::to_string(::getpid())),
                      HasSubstr(R"("version":")"),
                      HasSubstr(R"("file":"bees.toml","uptime_ms":)"),
                      HasSubstr(R"("workers":{"created":0,"running":2,"paused":0,)"),
                      HasSubstr(R"("accounting":{"offered":0,"accepted":0,)")));
}

TEST_F(Server, TellsOfItsWorkers) {
    const Response all = ask("GET", "/v1/workers");
    EXPECT_THAT(all.body,
                AllOf(testing::StartsWith(R"({"workers":[{"name":"a","status":"running",)"),
                      HasSubstr(R"({"name":"b","status":"running","state":"running",)")));
    const Response one = ask("GET", "/v1/workers/b");
    EXPECT_EQ(one.status, 200);
    EXPECT_THAT(one.body,
                AllOf(testing::StartsWith(R"({"name":"b",)"),
                      HasSubstr(R"("plugin":"org.skep.scripted 1.0.0","type":"handler")"),
                      HasSubstr(R"("generation":1,"error":"","started":"20)"),
                      HasSubstr(R"("ended":null,)")));
    expect("GET", "/v1/workers/c", "", 404, R"({"error":{"code":"unknown_worker",)");
}

TEST_F(Server, PausesAndResumes) {
    expect_done("/v1/workers/a/pause", R"({"wait":true})");
    EXPECT_EQ(state("a"), WorkerState::paused);
    expect("GET", "/v1/workers/a", "", 200, R"("status":"paused","state":"paused")");
    expect_done("/v1/workers/a/resume");
    EXPECT_EQ(state("a"), WorkerState::running);
    expect_done("/v1/workers/a/pause");
    expect_done("/v1/workers/a/pause", R"({"wait":false})");
    expect_refused("/v1/workers/c/pause", "", 404, "unknown_worker");
    expect_refused("/v1/workers/c/resume", "", 404, "unknown_worker");
}

TEST_F(Server, SendsToOneAndToAll) {
    expect_done("/v1/workers/b/send", R"({"text":"one"})");
    expect("POST", "/v1/broadcast", R"({"text":"two \u00fc"})", 200, R"({"done":true,"taken":2})");
    expect_done("/v1/workers/b/drain");  // it has finished what was queued
    EXPECT_THAT(heard_so_far(), ElementsAre("one", "two \xC3\xBC"));
    expect_refused("/v1/workers/b/send", R"({"text":"three"})", 409, "mailbox_closed");
    expect_refused("/v1/workers/c/send", R"({"text":"one"})", 404, "unknown_worker");
}

TEST_F(Server, SendsAnyBytes) {
    expect_done("/v1/workers/b/send", R"({"hex":"636166e9"})");
    expect_done("/v1/workers/b/send", R"({"hex":"00FF"})");
    expect_done("/v1/workers/b/send", R"({"hex":""})");
    expect_done("/v1/workers/b/send", R"({"text":""})");
    expect_done("/v1/workers/b/send", R"({"text":"a\u0000b"})");
    expect("POST", "/v1/broadcast", R"({"hex":"e9"})", 200, R"({"done":true,"taken":2})");
    expect_done("/v1/workers/b/drain");
    EXPECT_THAT(
        heard_so_far(),
        ElementsAre("caf\xe9", std::string("\0\xff", 2), "", "", std::string("a\0b", 3), "\xe9"));
}

TEST_F(Server, AFullMailboxIsTold) {
    ASSERT_TRUE(world.manager->pause("b", true));
    for (std::size_t i = 0; i < world.plan.workers[1].mailbox; ++i) {
        ASSERT_TRUE(world.manager->send("b", "x"));
    }
    expect_refused("/v1/workers/b/send", R"({"text":"one more"})", 429, "mailbox_full");
}

TEST_F(Server, DrainsAndRestarts) {
    expect_done("/v1/workers/b/drain");
    EXPECT_EQ(state("b"), WorkerState::stopped);
    expect_refused("/v1/workers/b/drain", "", 409, "illegal_state");
    expect_refused("/v1/workers/b/pause", "", 409, "illegal_state");
    expect_done("/v1/workers/b/restart");
    expect_done("/v1/workers/b/restart");
    EXPECT_EQ(state("b"), WorkerState::running);
    EXPECT_EQ(world.metrics("b").generation, 3U);
    expect_done("/v1/workers/b/send", R"({"text":"again"})");
    expect_refused("/v1/workers/c/restart", "", 404, "unknown_worker");
    expect_refused("/v1/workers/c/drain", "", 404, "unknown_worker");
}

TEST_F(Server, ExplainsWhatThePlanConnects) {
    ASSERT_TRUE(world.manager->pause("a", true));
    expect("GET",
           "/v1/workers/a/explain",
           "",
           200,
           R"({"worker":"a","status":"paused","state":"paused","generation":1,"why":"it was)");
    expect("GET", "/v1/workers/a/explain", "", 200, R"("advice":"skep resume a"})");
    expect("GET", "/v1/workers/c/explain", "", 404, "unknown_worker");
}

TEST_F(Server, WaitsUntilAWorkerIsInAState) {
    expect("GET", "/v1/wait", "", 200, R"({"reached":true})");
    expect("GET", "/v1/wait?worker=a&state=paused&timeout_ms=1", "", 200, R"({"reached":false})");
    auto waiting = std::async(std::launch::async,
                              [this] { return ask("GET", "/v1/wait?worker=a&state=paused"); });
    expect_done("/v1/workers/a/pause");
    EXPECT_EQ(waiting.get().body, R"({"reached":true})");
    expect("GET", "/v1/wait?state=running&timeout_ms=0", "", 200, R"({"reached":false})");
    expect("GET", "/v1/wait?worker=c", "", 404, "unknown_worker");
    expect("GET", "/v1/wait?state=runing", "", 400, "unknown state 'runing'");
    expect("GET", "/v1/wait?x=1", "", 400, "unknown parameter 'x'");
}

TEST_F(Server, AWorkerThatThePlanNoLongerHasIsNotWaitedFor) {
    Plan next = world.plan;
    next.workers.erase(next.workers.begin());
    ASSERT_TRUE(world.manager->apply(next));
    while (world.manager->metrics("a")) {  // it drains
    }
    expect("GET", "/v1/wait?worker=a", "", 404, "unknown_worker");
    expect("GET", "/v1/wait?state=running", "", 200, R"({"reached":true})");
    expect("GET", "/v1/workers", "", 200, R"({"name":"a","status":"stopped")");
}

TEST_F(Server, StopsTheHostWithinWhatWasAskedFor) {
    const std::vector<std::pair<std::string, Nanos>> table = {
        {"", world.plan.stop_grace},
        {R"({"grace_ms":1500})", milliseconds(1500)},
        {R"({"now":true})", Nanos(0)},
        {R"({"now":true,"grace_ms":1500})", Nanos(0)},
    };
    is_deaf_to_stop = true;  // it goes on for the next
    for (const auto& [body, grace] : table) {
        expect_done("/v1/stop", body);
        EXPECT_EQ(stopped_with.load(), grace) << body;
    }
}

TEST_F(Server, AfterTheEndItIsToldSo) {
    expect_done("/v1/stop");
    (void)world.manager->wait();
    expect_refused("/v1/workers/b/send", R"({"text":"x"})", 503, "host_ended");
    expect_refused("/v1/workers/b/pause", "", 503, "host_ended");
    expect("GET", "/v1/workers/b", "", 200, R"("state":"stopped")");
    expect("GET", "/v1/workers/b/explain", "", 200, "ended without an error");
    expect("GET", "/v1/wait?state=ended", "", 200, R"({"reached":true})");
    expect("GET", "/v1/wait?state=running", "", 503, "host_ended");
}

TEST_F(Server, BodiesThatItDoesNotKnowAreRefused) {
    const std::vector<std::pair<std::string, std::string>> table = {
        {"/v1/workers/a/pause", "{"},
        {"/v1/workers/a/pause", "[]"},
        {"/v1/workers/a/pause", "null"},
        {"/v1/workers/a/pause", R"({"wiat":true})"},
        {"/v1/workers/a/pause", R"({"wait":1})"},
        {"/v1/workers/a/resume", R"({"wait":true})"},
        {"/v1/workers/a/send", ""},
        {"/v1/workers/a/send", R"({"text":1})"},
        {"/v1/workers/a/send", "{\"text\":\"\xff\"}"},
        {"/v1/workers/a/send", R"({"hex":"0"})"},
        {"/v1/workers/a/send", R"({"hex":"0g"})"},
        {"/v1/workers/a/send", R"({"hex":"-1"})"},
        {"/v1/workers/a/send", R"({"hex":1})"},
        {"/v1/workers/a/send", R"({"text":"x","hex":"00"})"},
        {"/v1/broadcast", "{}"},
        {"/v1/stop", R"({"grace_ms":-1})"},
        {"/v1/stop", R"({"grace_ms":1e300})"},
        {"/v1/stop", R"({"grace_ms":99999999999999})"},
        {"/v1/stop", R"({"now":"yes"})"},
        {"/v1/reload", R"({"discard_state":1})"},
        {"/v1/rollback", R"({"force":true})"},
        {"/v1/workers/a/send", std::string(100'000, '[')},
    };
    for (const auto& [target, body] : table) {
        expect_refused(target, body, 400, "bad_request");
    }
    EXPECT_EQ(stopped_with.load(), Nanos(-1));
    EXPECT_EQ(state("a"), WorkerState::running);
}

// A reload itself reports its result.
TEST_F(Server, ACommandThatAsksForAReloadIsAuditedOnlyWhenItIsNone) {
    ask("POST", "/v1/reload");
    ask("POST", "/v1/reload", "[]");
    ask("POST", "/v1/rollback");
    ask("GET", "/v1/host");
    ask("POST", "/v1/workers/a/resume", "{");
    std::ifstream file(folder / "audit.jsonl");
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);) {
        lines.push_back(std::move(line));
    }
    EXPECT_THAT(lines,
                testing::ElementsAre(HasSubstr(R"("event":"reload","number":1)"),
                                     HasSubstr(R"("verb":"reload")"),
                                     HasSubstr(R"("event":"rollback","number":2)"),
                                     HasSubstr("resume")));
}

TEST_F(Server, WhatIsNotInTheTableIsRefused) {
    expect("GET", "/", "", 404, "not_found");
    expect("GET", "/v1/hosts", "", 404, "not_found");
    expect("GET", "/v1/workers/a/pause", "", 405, "method_not_allowed");
    expect_refused("/v1/host", "", 405, "method_not_allowed");
    EXPECT_THAT(say("DELETE /v1/workers/a HTTP/1.1\r\n\r\n"), HasSubstr(" 405 "));
    EXPECT_THAT(say("PUT /v1/stop HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}"), HasSubstr(" 405 "));
}

TEST_F(Server, NamesOfReplicasAreEncoded) {
    EXPECT_EQ(encoded("parse#0"), "parse%230");
    expect("GET", "/v1/workers/parse%230", "", 404, "no worker 'parse#0'");
    expect("GET", "/v1/workers/" + encoded("a/../b"), "", 404, "not_found");
}

TEST_F(Server, EndsWhileARequestIsOpen) {
    auto waiting = std::async(std::launch::async, [this] {
        return ask_host(path, "GET", "/v1/wait?state=ended", "", std::chrono::seconds(60));
    });
    const test::RawClient silent(path);
    ASSERT_TRUE(silent.is_connected());
    EXPECT_EQ(ask("GET", "/v1/host").status, 200);  // all earlier clients have been accepted
    server.reset();
    EXPECT_EQ(silent.hear(), "");
    const Result<Response, AskError> reply = waiting.get();
    if (reply) {  // it had been read; otherwise nobody was there any more
        EXPECT_EQ(reply->status, 503);
    }
    EXPECT_FALSE(test::RawClient(path).is_connected());
}

// However many clients wait, a command gets in.
TEST_F(Server, WaitsAndTapsLeavePlacesForCommands) {
    std::vector<std::unique_ptr<test::RawClient>> held;
    std::string refusal;
    while (held.size() < limits.connections) {
        held.push_back(std::make_unique<test::RawClient>(path));
        ASSERT_TRUE(held.back()->say("GET /v1/wait?state=ended HTTP/1.1\r\n\r\n"));
    }
    std::size_t refused = 0;
    for (const auto& client : held) {
        if (client->has_heard()) {
            EXPECT_THAT(client->hear(), HasSubstr("taps and waits are open"));
            ++refused;
        }
    }
    EXPECT_LE(refused, limits.connections - limits.held);
    int status = 0;
    do {  // until those that were refused have gone
        status = ask("GET", "/v1/workers").status;
    } while (status == 503);
    EXPECT_EQ(status, 200);
    EXPECT_EQ(ask("POST", "/v1/stop", R"({"grace_ms":1000})").status, 200);
}

TEST_F(Server, AConnectionThatAsksForNothingGivesWay) {
    limits.patience = Nanos(0);
    server.reset();
    serve();
    std::vector<std::unique_ptr<test::RawClient>> silent;
    for (std::size_t i = 0; i < 2 * limits.connections; ++i) {
        silent.push_back(std::make_unique<test::RawClient>(path));
        ASSERT_TRUE(silent.back()->is_connected());
    }
    EXPECT_EQ(ask("GET", "/v1/host").status, 200);
    EXPECT_EQ(silent.front()->hear(), "");
}

TEST_F(Server, WhoeverHangsUpWhileItWaitsGivesItsPlaceBack) {
    for (std::size_t i = 0; i < 3 * limits.connections; ++i) {
        const test::RawClient client(path);
        const bool is_said = client.say("GET /v1/wait?state=ended HTTP/1.1\r\n\r\n");
        // A server that has no place left may have hung up by then.
        ASSERT_TRUE(is_said || i >= limits.connections);
    }
    std::string heard;
    do {  // until those places are free
        heard = say("GET /v1/host HTTP/1.1\r\n\r\n");
    } while (heard.find(" 503 ") != std::string::npos);
    EXPECT_THAT(heard, HasSubstr(" 200 "));
}

}  // namespace
}  // namespace skep::host
