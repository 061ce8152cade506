#include "host/control/client.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "host/control/listener.hpp"
#include "tests/support/process.hpp"
#include "tests/support/temp_folder.hpp"

namespace skep::host {
namespace {

using test::TempFolder;
using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> names_in(const std::vector<std::string>& folders) {
    std::vector<std::string> names;
    for (const FoundHost& it : find_hosts(folders)) {
        names.push_back(it.name);
    }
    return names;
}

TEST(ControlClient, FindsThoseWhoListen) {
    const TempFolder folder;
    const std::vector<std::string> folders = {folder / "one", folder / "two", folder / "none"};
    EXPECT_THAT(names_in(folders), IsEmpty());
    const Listener::Opened bees = Listener::open(folder / "one/bees.sock", "bees");
    const Listener::Opened ants = Listener::open(folder / "two/ants.sock", "ants");
    const Listener::Opened again = Listener::open(folder / "two/bees.sock", "bees");
    ASSERT_TRUE(bees && ants && again);
    folder.write("one/wasps.sock", "no socket");
    folder.write("one/readme.txt", "");
    EXPECT_THAT(names_in(folders), ElementsAre("ants", "bees"));
    const std::vector<FoundHost> found = find_hosts(folders);
    EXPECT_EQ(found.back().path, folder / "one/bees.sock");
    EXPECT_EQ(found.back().pid, ::getpid());
}

TEST(ControlClient, SaysWhenNobodyIsThere) {
    const TempFolder folder;
    folder.write("file.sock", "");
    for (const std::string& path :
         {folder / "none.sock", folder / "file.sock", folder / std::string(200, 'x')}) {
        const auto reply = ask_host(path, "GET", "/v1/host", "", std::chrono::seconds(1));
        ASSERT_FALSE(reply) << path;
        EXPECT_EQ(reply.error().kind, AskError::Kind::nobody) << path;
    }
}

TEST(ControlClient, LosesItsPatienceWithAHostThatDoesNotAnswer) {
    const TempFolder folder;
    const Listener::Opened silent = Listener::open(folder / "bees.sock", "bees");
    ASSERT_TRUE(silent);
    const auto reply =
        ask_host(folder / "bees.sock", "GET", "/v1/host", "", std::chrono::milliseconds(20));
    ASSERT_FALSE(reply);
    EXPECT_EQ(reply.error().kind, AskError::Kind::no_answer);
}

TEST(ControlClient, SeesTheEndOfAProcess) {
    EXPECT_FALSE(wait_for_end_of("/nowhere", ::getpid(), std::chrono::milliseconds(1)));
    EXPECT_TRUE(wait_for_end_of("/nowhere", 0x3FFFFFFF, std::chrono::milliseconds(1)));
}

// A host in another pid namespace has no number here, or that of another process.
TEST(ControlClient, WithoutAProcessItSeesThatNobodyListensAnyMore) {
    const test::TempFolder folder;
    const std::string path = folder / "bees.sock";
    Listener::Opened listener = Listener::open(path, "bees");
    ASSERT_TRUE(listener);
    EXPECT_EQ(listener_of(path), ::getpid());
    EXPECT_FALSE(wait_for_end_of(path, 0, std::chrono::milliseconds(1)));
    listener->reset();
    EXPECT_EQ(listener_of(path), 0);
    EXPECT_TRUE(wait_for_end_of(path, 0, std::chrono::minutes(1)));
}

TEST(ControlClient, EncodesWhatAPathMayNotHold) {
    EXPECT_EQ(encoded("a-b_c.9"), "a-b_c.9");
    EXPECT_EQ(encoded("a#0/ %?\xC3\xBC"), "a%230%2F%20%25%3F%C3%BC");
}

}  // namespace
}  // namespace skep::host
