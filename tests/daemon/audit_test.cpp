#include "host/daemon/audit.hpp"

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/support/temp_folder.hpp"

namespace skep::host::audit_test {
namespace {

using testing::ElementsAre;
using testing::MatchesRegex;

class Audit : public testing::Test {
protected:
    std::unique_ptr<host::Audit> open() {
        Result<std::unique_ptr<host::Audit>, std::string> opened = host::Audit::open(file, "bees");
        EXPECT_TRUE(opened) << opened.error();
        return std::move(opened).value();
    }

    // The lines, each without the time and the host it begins with.
    [[nodiscard]] std::vector<std::string> lines() const {
        std::vector<std::string> found;
        std::ifstream in(file);
        for (std::string line; std::getline(in, line);) {
            EXPECT_THAT(line, MatchesRegex(R"(\{"time":"20.*Z","host":"bees","event":.*\})"));
            found.push_back("{" + line.substr(line.find("\"event\"")));
        }
        return found;
    }

    const test::TempFolder folder;
    const std::string file = folder / "audit.jsonl";
};

TEST_F(Audit, HasALineForEachVerdictAndSaysOfWhatWasMergedOnlyThat) {
    const auto audit = open();
    ReloadDetails details;
    details.read = std::chrono::milliseconds(1);
    details.applied.summary.changes.to_swap = {"w"};
    WorkerPlan worker;
    worker.name = "w";
    worker.plugin_path = "/p.so";
    worker.plugin_content = "c1";
    const auto before = std::make_shared<const WorkerPlan>(worker);
    worker.plugin_content = "c2";
    const auto now = std::make_shared<const WorkerPlan>(worker);
    details.applied.swaps = {{before, now, 2, "org.p", SwapMetrics{}}};
    const auto shown = std::make_shared<const ReloadDetails>(details);
    const ReloadResult applied = ReloadResult::applied;
    audit->verdict({{}, "SIGHUP", 2, 2, applied, "swap w; 0 stay", true, shown});
    audit->verdict({{}, "watch", 3, 2, applied, "swap w; 0 stay", true, shown});
    const ReloadRequest back{ReloadKind::rollback, StateLoss::accepted};
    audit->verdict({back, "me", 4, 4, ReloadResult::refused, "no\nplan", true, nullptr});
    EXPECT_THAT(
        lines(),
        ElementsAre(R"({"event":"reload","number":2,"who":"SIGHUP","verdict":"applied",)"
                    R"("text":"swap w; 0 stay","changes":{"swap":["w"],"reconfigure":[],)"
                    R"("start":[],"stop":[],"state_ends":[],"rewire":false,"settings":false,)"
                    R"("stay":0},"steps_ms":{"read":1.0,"open":0.0,"make":0.0,"take":0.0},)"
                    R"("swapped":[{"worker":"w",)"
                    R"("generation":2,"plugin":"org.p","path":"/p.so","hash_before":"c1",)"
                    R"("hash":"c2","blackout_ns":0,"state_bytes":0,"queued":0}]})",
                    R"({"event":"reload","number":3,"who":"watch","verdict":"merged","into":2})",
                    R"({"event":"rollback","number":4,"who":"me","discard_state":true,)"
                    R"("verdict":"refused","text":"no\nplan"})"));
}

TEST_F(Audit, HasALineForEachCommand) {
    const auto audit = open();
    audit->command("pause", "w", {1000, 7}, "");
    audit->command("stop", "", {0, 8}, "the host has ended");
    EXPECT_THAT(
        lines(),
        ElementsAre(R"({"event":"command","verb":"pause","uid":1000,"process":7,"worker":"w",)"
                    R"("result":"done"})",
                    R"({"event":"command","verb":"stop","uid":0,"process":8,"result":"refused",)"
                    R"("why":"the host has ended"})"));
}

TEST_F(Audit, HasALineForWhatTheHostDoesByItself) {
    const auto audit = open();
    audit->reverted({"w", 3, 2, 17, "on_message: of no use"});
    LibraryFacts facts{"/p.so", "org.p", "1.0.0", "b1", "c1", {}, "", 0};
    audit->closed(facts);
    facts.cause = "unique symbol 'x'";
    audit->closed(facts);
    const std::string same =
        R"("plugin":"org.p","version":"1.0.0","build_id":"b1","hash":"c1","path":"/p.so")";
    EXPECT_THAT(lines(),
                ElementsAre(R"({"event":"rolled back","worker":"w","failed":3,"back":2,)"
                            R"("consumed":17,"why":"on_message: of no use"})",
                            R"({"event":"unloaded",)" + same + "}",
                            R"({"event":"pinned",)" + same + R"(,"why":"unique symbol 'x'"})"));
}

TEST_F(Audit, IsAppendedToAndNobodyElsesToRead) {
    open()->command("pause", "w", {0, 1}, "");
    open()->command("resume", "w", {0, 1}, "");
    EXPECT_EQ(lines().size(), 2U);

    struct stat status {};

    ASSERT_EQ(::stat(file.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0600U);
}

TEST_F(Audit, WithoutAFileNothingIsWritten) {
    const auto none = host::Audit::open("", "bees");
    ASSERT_TRUE(none);
    (*none)->command("pause", "w", {0, 1}, "");
    const auto nowhere = host::Audit::open(folder / "no/folder", "bees");
    ASSERT_FALSE(nowhere);
    EXPECT_EQ(nowhere.error(), "No such file or directory");
}

}  // namespace
}  // namespace skep::host::audit_test
