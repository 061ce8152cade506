// The table of routes, and what refuses a call. The rest of the API is in server_test.cpp.
#include "host/control/api.hpp"

#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "host/control/refusals.hpp"
#include "host/control/waiting.hpp"

namespace skep::host {
namespace {

using testing::HasSubstr;

TEST(ControlRoutes, APatternTakesOnePartOfAPath) {
    struct Row {
        const char* pattern;
        const char* path;
        bool fits;
        const char* target;
    };

    const std::vector<Row> table = {
        {"/v1/host", "/v1/host", true, ""},
        {"/v1/host", "/v1/hosts", false, ""},
        {"/v1/host", "/v1/hos", false, ""},
        {"/v1/workers/{}", "/v1/workers/a", true, "a"},
        {"/v1/workers/{}", "/v1/workers/a#0", true, "a#0"},
        {"/v1/workers/{}", "/v1/workers/", false, ""},
        {"/v1/workers/{}", "/v1/workers", false, ""},
        {"/v1/workers/{}", "/v1/workers/a/pause", false, ""},
        {"/v1/workers/{}/pause", "/v1/workers/a/pause", true, "a"},
        {"/v1/workers/{}/pause", "/v1/workers//pause", false, ""},
        {"/v1/workers/{}/pause", "/v1/workers/pause", false, ""},
        {"/v1/workers/{}/pause", "/v1/workers/a/b/pause", false, ""},
        {"/v1/workers/{}/pause", "/v1/workers/a/paus", false, ""},
        {"/v1/workers/{}/pause", "/v1/workers/a/pause/", false, ""},
    };
    for (const Row& row : table) {
        std::string target;
        EXPECT_EQ(fits(row.pattern, row.path, target), row.fits) << row.pattern << " " << row.path;
        if (row.fits) {
            EXPECT_EQ(target, row.target);
        }
    }
}

TEST(ControlRoutes, AreToldApart) {
    std::set<std::string> seen;
    for (const ControlRoute& route : control_routes()) {
        EXPECT_TRUE(seen.insert(std::string(route.method) + std::string(route.pattern)).second);
        EXPECT_TRUE(route.pattern.starts_with("/v1/"));
        const bool shows_messages = route.pattern == "/v1/tap";
        EXPECT_EQ(route.noted == Noted::never, route.method == "GET" && !shows_messages)
            << route.pattern;
    }
}

TEST(ControlRoutes, AreCalledByTheirLastWordInTheLog) {
    EXPECT_EQ(verb_of({"POST", "/v1/workers/{}/pause", Noted::always, nullptr}), "pause");
    EXPECT_EQ(verb_of({"POST", "/v1/stop", Noted::always, nullptr}), "stop");
}

TEST(ControlRefusals, HaveAStatusAndAWordEach) {
    using Code = Refusal::Code;
    const std::vector<std::tuple<Code, int, std::string>> table = {
        {Code::unknown_worker, 404, "unknown_worker"},
        {Code::duplicate_worker, 409, "duplicate_worker"},
        {Code::illegal_state, 409, "illegal_state"},
        {Code::mailbox_full, 429, "mailbox_full"},
        {Code::mailbox_closed, 409, "mailbox_closed"},
        {Code::host_ended, 503, "host_ended"},
        {Code::bad_plan, 422, "bad_plan"},
    };
    for (const auto& [code, status, word] : table) {
        EXPECT_EQ(request_error(code).status, status) << word;
        EXPECT_EQ(request_error(code).code, word);
    }
}

TEST(ControlRefusals, AreOneJsonObjectWhateverTheyQuote) {
    const Response reply = refused({Refusal::Code::unknown_worker, "no worker '\"\x1b\xff'"});
    EXPECT_EQ(reply.status, 404);
    EXPECT_EQ(reply.body,
              "{\"error\":{\"code\":\"unknown_worker\",\"message\":"
              "\"no worker '\\\"\\u001b\xEF\xBF\xBD'\"}}");
}

TEST(ControlWait, KnowsEveryStateAndTwoWordsMore) {
    for (std::size_t i = 0; i < worker_state_count; ++i) {
        const auto state = static_cast<WorkerState>(i);
        EXPECT_TRUE(is_awaitable(std::string(name_of(state))));
        EXPECT_TRUE(is_in(state, std::string(name_of(state))));
        const bool is_error = state == WorkerState::failed || state == WorkerState::lost;
        EXPECT_EQ(is_in(state, "error"), is_error) << name_of(state);
        EXPECT_EQ(is_in(state, "ended"), is_error || state == WorkerState::stopped);
    }
    EXPECT_FALSE(is_awaitable("runing"));
    EXPECT_FALSE(is_in(WorkerState::starting, "running"));
}

TEST(ControlWait, ReadsItsParametersAndNoOthers) {
    const auto wait = read_wait({{"worker", "a"}, {"state", "ended"}, {"timeout_ms", "1500"}});
    ASSERT_TRUE(wait) << wait.error();
    EXPECT_EQ(wait->worker, "a");
    EXPECT_EQ(wait->state, "ended");
    EXPECT_EQ(wait->timeout, std::chrono::milliseconds(1500));
    const auto plain = read_wait({});
    ASSERT_TRUE(plain);
    EXPECT_EQ(plain->state, "running");
    EXPECT_FALSE(plain->timeout);
    for (const char* span : {"-1", "soon", "", "99999999999999"}) {
        const auto wrong = read_wait({{"timeout_ms", span}});
        ASSERT_FALSE(wrong) << span;
        EXPECT_THAT(wrong.error(), HasSubstr("timeout_ms"));
    }
    EXPECT_FALSE(read_wait({{"state", "runing"}}));
    EXPECT_FALSE(read_wait({{"wrker", "a"}}));
}

}  // namespace
}  // namespace skep::host
