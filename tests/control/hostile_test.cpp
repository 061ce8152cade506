// Clients that mean harm, or do not know better: each is sent away, and the host goes on.
#include <future>
#include <memory>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/control_fixture.hpp"

namespace skep::host {
namespace {

using test::RawClient;
using testing::AnyOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

class HostileClient : public ControlFixture {
protected:
    HostileClient() { start_world(); }
};

const std::string get_host = "GET /v1/host HTTP/1.1\r\nHost: skep\r\n\r\n";

TEST_F(HostileClient, WhatIsNoHttpIsRefused) {
    serve();
    const std::vector<std::string> table = {
        "\r\n",
        "hello\r\n\r\n",
        "GET\r\n\r\n",
        "GET /v1/host\r\n\r\n",
        "GET /v1/host HTTP/2.0\r\n\r\n",
        "GET /v1/host HTTP/1.1 and more\r\n\r\n",
        "get /v1/host HTTP/1.1\r\n\r\n",
        "GET /v1/host HTTP/1.1\n\n",
        std::string("GET /v1/h\0st HTTP/1.1\r\n\r\n", 26),
        std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n", 13),
        std::string(64, '\0') + "\r\n",
    };
    for (const std::string& text : table) {
        const RawClient client(path);
        (void)client.say(text);
        client.close_one_way();
        EXPECT_THAT(client.hear(), AnyOf(IsEmpty(), StartsWith("HTTP/1.1 400 "))) << text;
    }
    expect_unharmed();
}

TEST_F(HostileClient, AHeadThatIsTooLargeIsRefused) {
    serve();
    const std::string line = "GET /v1/host HTTP/1.1\r\n";
    std::string many = line;
    for (int i = 0; i < 10'000; ++i) {
        many += "A" + std::to_string(i) + ": b\r\n";
    }
    EXPECT_THAT(say(many + "\r\n"), HasSubstr(" 431 "));
    EXPECT_THAT(say(line + "A: " + std::string(1'000'000, 'x') + "\r\n\r\n"), HasSubstr(" 431 "));
    EXPECT_THAT(say("GET /" + std::string(10'000, 'x') + " HTTP/1.1\r\n\r\n"), HasSubstr(" 431 "));
    EXPECT_THAT(say("GET /" + std::string(1'000'000, 'x') + " HTTP/1.1\r\n\r\n"), IsEmpty());
    EXPECT_THAT(say(std::string(1'000'000, 'x')), IsEmpty());
    expect_unharmed();
}

TEST_F(HostileClient, ABodyThatIsTooLargeIsRefused) {
    serve();
    const std::string send = "POST /v1/workers/b/send HTTP/1.1\r\n";
    const std::string large(limits.body + 1, 'x');
    EXPECT_THAT(say(send + "Content-Length: 1048577\r\n\r\n" + large), HasSubstr(" 413 "));
    EXPECT_THAT(say(send + "Content-Length: 18446744073709551615\r\n\r\n"), HasSubstr(" 413 "));
    EXPECT_THAT(say(send + "Transfer-Encoding: chunked\r\n\r\n100001\r\n" + large),
                HasSubstr(" 413 "));
    std::string small_chunks = send + "Transfer-Encoding: chunked\r\n\r\n";
    for (int i = 0; i < 1'000'000; ++i) {
        small_chunks += "1\r\nx\r\n";
    }
    EXPECT_THAT(say(small_chunks), AnyOf(IsEmpty(), HasSubstr(" 4")));
    EXPECT_THAT(heard_so_far(), IsEmpty());
    expect_unharmed();
}

TEST_F(HostileClient, ABodyOfTheLargestSizeIsTaken) {
    serve();
    const std::string frame = R"({"text":""})";
    const std::string text(limits.body - frame.size(), 'x');
    EXPECT_EQ(ask("POST", "/v1/workers/b/send", R"({"text":")" + text + "\"}").status, 200);
    EXPECT_EQ(ask("POST", "/v1/workers/b/send", R"({"text":")" + text + "x\"}").status, 413);
    EXPECT_EQ(ask("POST", "/v1/workers/b/drain").status, 200);
    EXPECT_THAT(heard_so_far(), testing::ElementsAre(text));
}

TEST_F(HostileClient, PackedAndFormBodiesAreRefused) {
    serve();
    const std::string send = "POST /v1/workers/b/send HTTP/1.1\r\nContent-Length: 2\r\n";
    for (const char* header : {"Content-Encoding: gzip",
                               "Content-Encoding: br",
                               "Content-Type: multipart/form-data; boundary=x"}) {
        EXPECT_THAT(say(send + header + "\r\n\r\n{}"), HasSubstr(" 415 ")) << header;
    }
    expect_unharmed();
}

TEST_F(HostileClient, RangesAndPackingAreNotAnswered) {
    serve();
    const std::string plain = say(get_host);
    const std::string head = get_host.substr(0, get_host.size() - 2);
    for (const std::string header :
         {"Range: bytes=0-0", "Range: bytes=0-,0-,0-,0-", "Accept-Encoding: gzip, br"}) {
        const std::string heard = say(head + header + "\r\n\r\n");
        EXPECT_THAT(heard, StartsWith("HTTP/1.1 200 OK\r\n")) << header;
        EXPECT_THAT(heard, HasSubstr("{\"name\":\"bees\"")) << header;
        EXPECT_NEAR(static_cast<double>(heard.size()), static_cast<double>(plain.size()), 20);
    }
    EXPECT_THAT(say(head + "Range: monkeys\r\n\r\n"), HasSubstr(" 400 "));
}

TEST_F(HostileClient, WhoDoesNotFinishAskingIsSentAway) {
    limits.request = std::chrono::milliseconds(30);
    serve();
    for (const std::string& text : std::vector<std::string>{
             std::string(),
             std::string("GET /v1/ho"),
             get_host.substr(0, get_host.size() - 2),
             std::string("POST /v1/stop HTTP/1.1\r\nContent-Length: 5\r\n\r\n{")}) {
        const std::string heard = say(text);
        EXPECT_THAT(heard, AnyOf(IsEmpty(), HasSubstr(" 408 "))) << text;
    }
    limits.request = std::chrono::seconds(60);
    EXPECT_EQ(stopped_with.load(), Nanos(-1));
    expect_unharmed();
}

// There is always something to read, so a server that restarts its timeout for each part never
// gives up.
TEST_F(HostileClient, WhoNeverStopsAskingIsSentAway) {
    limits.request = std::chrono::milliseconds(50);
    limits.head = std::size_t(1) << 40;
    serve();
    const RawClient client(path);
    const auto begin = std::chrono::steady_clock::now();
    while (client.say("x")) {
        ASSERT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(60));
    }
    expect_unharmed();
}

TEST_F(HostileClient, WhoClosesHalfwayIsSentAway) {
    serve();
    for (const std::string& text : std::vector<std::string>{
             std::string(),
             std::string("GET /v1/host HT"),
             get_host.substr(0, get_host.size() - 2),
             std::string("POST /v1/stop HTTP/1.1\r\nContent-Length: 5\r\n\r\n{}")}) {
        const RawClient client(path);
        ASSERT_TRUE(client.say(text));
        client.close_one_way();
        EXPECT_THAT(client.hear(), AnyOf(IsEmpty(), HasSubstr(" 400 "))) << text;
    }
    EXPECT_EQ(stopped_with.load(), Nanos(-1));
    const RawClient whole(path);  // nothing is wrong with that one
    ASSERT_TRUE(whole.say(get_host));
    whole.close_one_way();
    EXPECT_THAT(whole.hear(), HasSubstr(" 200 "));
    expect_unharmed();
}

TEST_F(HostileClient, WhoDoesNotListenHoldsNobodyUp) {
    limits.answer = std::chrono::milliseconds(30);
    serve();
    {
        // More than the socket holds: an error that quotes a long path, again and again, unread.
        std::vector<std::unique_ptr<RawClient>> deaf;
        for (int i = 0; i < 100; ++i) {
            deaf.push_back(std::make_unique<RawClient>(path));
            (void)deaf.back()->say("GET /" + std::string(8000, 'x') + " HTTP/1.1\r\n\r\n");
        }
        std::string heard;
        do {
            heard = say(get_host);
        } while (heard.find(" 503 ") != std::string::npos);
        EXPECT_THAT(heard, HasSubstr(" 200 "));
    }
    expect_unharmed();
}

TEST_F(HostileClient, AThousandInARowAreAnswered) {
    serve();
    for (int i = 0; i < 1000; ++i) {
        ASSERT_THAT(say(get_host), HasSubstr(" 200 ")) << i;
    }
    expect_unharmed();
}

TEST_F(HostileClient, OfTwoHundredAtOnceThoseBeyondTheLimitAreToldSo) {
    serve();
    std::vector<std::unique_ptr<RawClient>> clients;
    for (int i = 0; i < 200; ++i) {
        clients.push_back(std::make_unique<RawClient>(path));
        ASSERT_TRUE(clients.back()->is_connected()) << i;
    }
    // Nobody has asked yet, so that those who were let in are all there.
    std::size_t answered = 0;
    std::size_t sent_away = 0;
    for (const auto& client : clients) {
        (void)client->say(get_host);
    }
    for (const auto& client : clients) {
        const std::string heard = client->hear();
        answered += heard.find(" 200 ") != std::string::npos ? 1U : 0U;
        sent_away += heard.find(" 503 ") != std::string::npos ? 1U : 0U;
    }
    EXPECT_EQ(answered + sent_away, clients.size());
    EXPECT_GE(answered, limits.connections);
    EXPECT_GT(sent_away, 0U);
    clients.clear();
    EXPECT_THAT(say(get_host), AnyOf(HasSubstr(" 200 "), HasSubstr(" 503 ")));
    EXPECT_EQ(world.state("b"), WorkerState::running);
}

TEST_F(HostileClient, AStrangerIsNotLetIn) {
    std::atomic<bool> is_stranger{true};
    serve([&](const Peer& peer) {
        EXPECT_EQ(peer.uid, ::geteuid());
        EXPECT_EQ(peer.pid, ::getpid());
        return !is_stranger.load();
    });
    const std::string heard = say("POST /v1/stop HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}");
    EXPECT_THAT(heard, HasSubstr(" 403 "));
    EXPECT_THAT(heard, HasSubstr("\"code\":\"forbidden\""));
    EXPECT_EQ(stopped_with.load(), Nanos(-1));
    is_stranger = false;
    expect_unharmed();
}

TEST_F(HostileClient, TheUserOfTheHostAndRootAreNoStrangers) {
    EXPECT_TRUE(is_own_or_root({::geteuid(), 1}));
    EXPECT_TRUE(is_own_or_root({0, 1}));
    EXPECT_FALSE(is_own_or_root({::geteuid() + 1, 1}));
    EXPECT_FALSE(is_own_or_root({static_cast<uid_t>(-1), 0}));
}

TEST_F(HostileClient, AFloodDoesNotHoldTheManagerUp) {
    serve();
    std::atomic<bool> is_over{false};
    std::vector<std::thread> flood;
    for (int i = 0; i < 4; ++i) {
        flood.emplace_back([&] {
            while (!is_over.load()) {
                (void)say(get_host);
            }
        });
    }
    for (int i = 0; i < 200; ++i) {
        EXPECT_TRUE(world.manager->pause("b", true));
        EXPECT_TRUE(world.manager->resume("b"));
    }
    is_over = true;
    for (std::thread& it : flood) {
        it.join();
    }
    expect_unharmed();
}

}  // namespace
}  // namespace skep::host
