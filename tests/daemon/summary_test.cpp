#include "host/daemon/summary.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/temp_folder.hpp"

namespace skep::host {
namespace {

using test::TempFolder;
using testing::HasSubstr;

HostMetrics two_workers() {
    HostMetrics metrics;
    WorkerMetrics source;
    source.name = "tail";
    source.state = WorkerState::stopped;
    source.items = 1200;
    source.out = 1200;
    source.cpu = std::chrono::milliseconds(12);
    source.out_rejected.no_route = 3;
    source.out_rejected.misuse = 2;
    WorkerMetrics sink;
    sink.name = "count#0";
    sink.state = WorkerState::failed;
    sink.errors = 1;
    sink.items = 1190;
    sink.cpu = std::chrono::nanoseconds(1'234'567'890);
    sink.queue_high = 77;
    sink.in.offered = 1202;
    sink.in.accepted = 1200;
    sink.in.rejected.full = 2;
    sink.in.delivered = 1190;
    sink.in.dropped.newest = 3;
    sink.in.dropped.oldest = 4;
    sink.in.dead_lettered.crash = 1;
    sink.in.dead_lettered.stop = 2;
    metrics.accounting += source.accounting();
    metrics.accounting += sink.accounting();
    metrics.workers = {source, sink};
    return metrics;
}

TEST(Summary, TextIsATableWithTheLawBelow) {
    EXPECT_EQ(
        summary_text(two_workers()),
        "WORKER   STATE      IN   OUT  DROPPED  DEAD  ERRORS  ITEMS     CPU  QUEUE-HIGH  REJECTED\n"
        "tail     stopped     0  1200        0     0       0   1200  0.012s           0         5\n"
        "count#0  failed   1190     0        7     3       1   1190  1.235s          77         0\n"
        "accounting: offered 1207 = accepted 1200 + rejected 7; accepted = delivered 1190 + "
        "in flight 0 + queued 0 + dropped 7 + dead-lettered 3: balanced\n");
}

TEST(Summary, BrokenLawIsNamed) {
    FlowCounts accounting;
    accounting.offered = 2;
    accounting.accepted = 2;
    accounting.delivered = 1;
    EXPECT_THAT(accounting_text(accounting), testing::EndsWith(": NOT BALANCED"));
}

TEST(Summary, JsonHasTheSameCounts) {
    EXPECT_EQ(
        summary_json(two_workers()),
        R"({"workers":[{"name":"tail","state":"stopped","in":0,"out":1200,"dropped":0,)"
        R"("dead_lettered":0,"errors":0,"items":1200,"cpu_ns":12000000,"queue_high":0,)"
        R"("out_rejected":5},)"
        R"({"name":"count#0","state":"failed","in":1190,"out":0,"dropped":7,)"
        R"("dead_lettered":3,"errors":1,"items":1190,"cpu_ns":1234567890,"queue_high":77,)"
        R"("out_rejected":0}],)"
        R"("accounting":{"offered":1207,"accepted":1200,"rejected":7,"delivered":1190,"queued":0,)"
        R"("in_flight":0,"dropped":7,"dead_lettered":3,"balanced":true}})"
        "\n");
}

TEST(Summary, JsonOfNoWorkersIsAnEmptyList) {
    EXPECT_THAT(summary_json({}), HasSubstr(R"("workers":[])"));
}

TEST(Summary, FileIsReplacedAsAWhole) {
    const TempFolder folder;
    const std::string path = folder.write("s.json", "a longer text than the new one");
    ASSERT_TRUE(check_writable(path));
    ASSERT_TRUE(write_whole(path, "new\n"));
    EXPECT_EQ(folder.read("s.json"), "new\n");
    // Nothing is left beside it.
    const auto entries = std::filesystem::directory_iterator(folder.path(""));
    EXPECT_EQ(std::distance(begin(entries), end(entries)), 1);
}

TEST(Summary, PlaceThatCannotTakeAFileIsRefusedBeforehand) {
    const TempFolder folder;
    const Result<Done> missing = check_writable(folder.path("missing/s.json"));
    ASSERT_FALSE(missing);
    EXPECT_THAT(missing.error().front().message, HasSubstr("does not exist"));
    EXPECT_FALSE(check_writable(folder.path("")));
    EXPECT_FALSE(check_writable("/dev/null"));
    EXPECT_TRUE(check_writable("in_this_folder.json"));
}

TEST(Summary, FailedWriteLeavesTheOldFile) {
    const TempFolder folder;
    std::filesystem::create_directory(folder.path("s.json"));  // rename() onto a folder fails
    EXPECT_FALSE(write_whole(folder.path("s.json"), "new\n"));
    const auto entries = std::filesystem::directory_iterator(folder.path(""));
    EXPECT_EQ(std::distance(begin(entries), end(entries)), 1);
}

}  // namespace
}  // namespace skep::host
