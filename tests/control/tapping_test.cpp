// GET /v1/tap, over a real socket.
#include "host/control/tapping.hpp"

#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "host/messaging/tap.hpp"
#include "tests/support/control_fixture.hpp"

namespace skep::host {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::MatchesRegex;

// "ticker" sends "tick" to "b" whenever it gets a message.
class Tapping : public ControlFixture {
protected:
    Tapping() {
        test::Script ticker;
        ticker.on_message = [](skep::context& context, const skep::message& message) {
            context.emit(message.text());
        };
        world.add("ticker", ticker);
        world.route("ticker", "b").output_name = "out";
        start_world();
        serve();
    }

    // Calls `hears` with each line that `target` says, until that is false or the answer ends, and
    // `when_open` on another thread when the tap is open.
    void hear_lines(const std::string& target,
                    const std::function<void()>& when_open,
                    const std::function<bool(const std::string&)>& hears) {
        std::thread opener([&] {
            while (world.manager->taps()->list() == nullptr) {
                std::this_thread::yield();
            }
            when_open();
        });
        std::string begun;
        const auto reply = read_host_stream(
            path,
            target,
            [&](std::string_view piece) {
                begun += piece;
                for (std::size_t end = 0; (end = begun.find('\n')) != std::string::npos;) {
                    const std::string line = begun.substr(0, end);
                    begun.erase(0, end + 1);
                    if (!hears(line)) {
                        return false;
                    }
                }
                return true;
            },
            std::chrono::seconds(60));
        opener.join();
        EXPECT_TRUE(reply) << reply.error().why;
    }

    // The first `count` lines, or all.
    std::vector<std::string> lines_of(const std::string& target,
                                      std::size_t count,
                                      const std::function<void()>& when_open) {
        std::vector<std::string> lines;
        hear_lines(target, when_open, [&](const std::string& line) {
            lines.push_back(line);
            return lines.size() < count;
        });
        return lines;
    }

    void expect_closed() {
        while (world.manager->taps()->list() != nullptr) {
            std::this_thread::yield();
        }
    }

    void say(const std::string& text) { ASSERT_TRUE(world.manager->send("ticker", text)); }
};

TEST_F(Tapping, TellsALineForEachMessage) {
    const auto lines = lines_of("/v1/tap?from=ticker.out&to=b", 2, [this] {
        say("one");
        say("\xff\x01");
    });
    EXPECT_THAT(
        lines,
        ElementsAre(MatchesRegex(R"(\{"from":"ticker","output":"out","to":"b","sequence":1,)"
                                 R"("time":"20[^"]*Z","age_ns":[0-9]+,"content_type":"text/plain",)"
                                 R"("trace_id":0,"failed":false,"size":3,"text":"one"\})"),
                    HasSubstr(R"("size":2,"hex":"ff01"})")));
    expect_closed();
}

TEST_F(Tapping, EndsAfterSoManyMessages) {
    const auto lines = lines_of("/v1/tap?from=ticker&limit=2", 100, [this] {
        for (int i = 0; i < 5; ++i) {
            say("more");
        }
    });
    EXPECT_EQ(lines.size(), 2U);
    expect_closed();
}

TEST_F(Tapping, ACharacterIsNotCutInTwo) {
    const auto lines =
        lines_of("/v1/tap?from=ticker&bytes=2", 1, [this] { say("a\xc3\xa4\xc3\xb6"); });
    EXPECT_THAT(lines, ElementsAre(HasSubstr(R"("size":5,"text":"a"})")));
}

TEST_F(Tapping, SaysHowMuchItSkipped) {
    constexpr std::uint64_t all = 20000;
    std::uint64_t shown = 0;
    std::uint64_t skipped = 0;
    const auto send_all = [&] {
        for (std::uint64_t i = 0; i < all; ++i) {
            while (!world.manager->send("b", "x")) {
                std::this_thread::yield();
            }
        }
    };
    hear_lines("/v1/tap?to=b", send_all, [&](const std::string& line) {
        constexpr std::string_view more = R"({"skipped":)";
        if (line.starts_with(more)) {
            skipped += std::stoull(line.substr(more.size()));
        } else {
            ++shown;
        }
        return shown + skipped < all;
    });
    EXPECT_GT(skipped, 0U);
    EXPECT_EQ(shown + skipped, all);
}

TEST_F(Tapping, WhatCanNeverBeShownIsRefused) {
    const auto expect = [this](const std::string& query, int status, const std::string& part) {
        const Response reply = ask("GET", "/v1/tap?" + query);
        EXPECT_EQ(reply.status, status) << query;
        EXPECT_THAT(reply.body, HasSubstr(part)) << query;
    };
    expect("from=nobody", 404, R"("unknown_worker","message":"no worker 'nobody'")");
    expect("to=nobody", 404, R"("unknown_worker")");
    expect("from=ticker.oops",
           400,
           "no route leaves 'ticker.oops'; outputs of 'ticker' with a route: out");
    expect("form=ticker", 400, "unknown parameter 'form'");
    expect("limit=0", 400, "'limit' must be a number above 0");
    expect("bytes=65537", 400, "'bytes' must be from 1 to 65536");
    EXPECT_EQ(world.manager->taps()->list(), nullptr);
}

TEST_F(Tapping, OneTooManyIsRefused) {
    std::vector<std::shared_ptr<Tap>> open;
    for (std::size_t i = 0; i < Taps::most; ++i) {
        open.push_back(world.manager->taps()->open({}));
    }
    const Response reply = ask("GET", "/v1/tap");
    EXPECT_EQ(reply.status, 503);
    EXPECT_THAT(reply.body, HasSubstr("8 taps are open already"));
    for (const std::shared_ptr<Tap>& it : open) {
        world.manager->taps()->close(it);
    }
    EXPECT_EQ(world.manager->taps()->list(), nullptr);
}

TEST_F(Tapping, WhoeverHangsUpClosesItsTap) {
    {
        const test::RawClient client(path);
        ASSERT_TRUE(client.say("GET /v1/tap HTTP/1.1\r\nHost: skep\r\n\r\n"));
        while (world.manager->taps()->list() == nullptr) {
            std::this_thread::yield();
        }
    }
    expect_closed();
}

TEST_F(Tapping, EndsWithTheServer) {
    const auto lines = lines_of("/v1/tap", 100, [this] {
        // Of its own accord: the client does not have to wait.
        std::thread([this] { server.reset(); }).join();
    });
    EXPECT_TRUE(lines.empty());
    expect_closed();
}

}  // namespace
}  // namespace skep::host
