#include "host/topology/plan.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/planned.hpp"

namespace skep::host {
namespace {

using namespace std::chrono_literals;

TEST(MakePlan, FillsInEveryField) {
    const Planned result = planned(R"(
name = "shop"
[host]
stop_grace = "5s"
watch = true
[worker.tick]
plugin = "ticker"
config = { every = "200ms" }
[worker.parse]
plugin = "regex"
mailbox = 16
on_failure = "isolate"
config = { pattern = '^\S+$', ratio = 1, strict = true, timeout = "2s", token = "open" }
[worker.rows]
plugin = "store"
type = "rows"
[worker.all]
plugin = "sink"
[[route]]
from = "tick"
to = ["parse", "all"]
[[route]]
from = "parse.matched"
to = "rows.in"
queue = 8
when_full = "drop_oldest"
)");
    EXPECT_TRUE(result.warnings.empty());
    Plan expected;
    expected.name = "shop";
    expected.stop_grace = 5s;
    expected.watch = true;
    const auto integer = [](std::int64_t value) { return ParamValue(value); };
    const auto text = [](const char* value) { return ParamValue(std::string(value)); };
    constexpr std::uint64_t default_bytes = 64 * 1024 * 1024;
    expected.workers = {
        {"tick",
         "/plugins/ticker.so",
         "ticker",
         {{"every", integer(200'000'000)}},
         1024,
         default_bytes,
         OnFailure::stop_host},
        {"parse",
         "/plugins/regex.so",
         "regex",
         {{"pattern", text("^\\S+$")},
          {"mode", text("fast")},
          {"token", text("open")},
          {"limit", integer(10)},
          {"ratio", ParamValue(1.0)},
          {"strict", integer(1)},
          {"timeout", integer(2'000'000'000)},
          {"buffer", integer(65'536)}},
         16,
         default_bytes,
         OnFailure::isolate},
        {"rows", "/plugins/store.so", "rows", {}, 1024, default_bytes, OnFailure::stop_host},
        {"all", "/plugins/sink.so", "sink", {}, 1024, default_bytes, OnFailure::stop_host},
    };
    expected.routes = {
        {"tick", 0, "parse", 0, "text/plain", 1024, WhenFull::block, 0, "ticks"},
        {"tick", 0, "all", 0, "text/plain", 1024, WhenFull::block, 0, "ticks"},
        {"parse", 0, "rows", 0, "application/json", 8, WhenFull::drop_oldest, 0, "matched"},
    };
    EXPECT_EQ(result.plan, expected);
    EXPECT_EQ(result.plan.find("rows"), &result.plan.workers[2]);
    EXPECT_EQ(result.plan.find("row"), nullptr);
}

TEST(MakePlan, TakesDefaultsOfTheFileWhereAWorkerOrRouteIsSilent) {
    const Plan plan = planned(R"(
[defaults]
mailbox = 7
queue = 9
queue_bytes = "1KiB"
when_full = "drop_newest"
on_failure = "isolate"
reload = "never"
quiesce = "3s"
[worker.a]
plugin = "relay"
[worker.b]
plugin = "relay"
mailbox = 70
queue_bytes = "2KiB"
on_failure = "stop_host"
reload = "swap"
quiesce = "1m"
probation = "0s"
stop_grace = "2s"
[[route]]
from = "a"
to = "b"
[[route]]
from = "b"
to = "a"
queue = 90
when_full = "block"
)")
                          .plan;
    EXPECT_EQ(plan.workers.at(0).mailbox, 7u);
    EXPECT_EQ(plan.workers.at(0).queue_bytes, 1024u);
    EXPECT_EQ(plan.workers.at(1).queue_bytes, 2048u);
    EXPECT_EQ(plan.workers.at(0).on_failure, OnFailure::isolate);
    EXPECT_EQ(plan.workers.at(1).mailbox, 70u);
    EXPECT_EQ(plan.workers.at(1).on_failure, OnFailure::stop_host);
    EXPECT_EQ(plan.workers.at(0).reload, OnReload::never);
    EXPECT_EQ(plan.workers.at(1).reload, OnReload::swap);
    EXPECT_EQ(plan.workers.at(0).quiesce, 3s);
    EXPECT_EQ(plan.workers.at(1).quiesce, 60s);
    EXPECT_EQ(plan.workers.at(0).probation, std::nullopt) << "that of the plan";
    EXPECT_EQ(plan.workers.at(1).probation, 0s);
    EXPECT_EQ(plan.workers.at(1).stop_grace, 2s);
    EXPECT_EQ(plan.routes.at(0).queue, 9u);
    EXPECT_EQ(plan.routes.at(0).when_full, WhenFull::drop_newest);
    EXPECT_EQ(plan.routes.at(1).queue, 90u);
    EXPECT_EQ(plan.routes.at(1).when_full, WhenFull::block);
}

TEST(MakePlan, LetsAnInterpolatedStringStandForAnyType) {
    const Plan plan = planned(R"(
[worker.parse]
plugin = "regex"
config.pattern = "${UNSET:-a}"
config.limit = "${FIVE}"
config.ratio = "0.${FIVE}"
config.strict = "${UNSET:-true}"
config.timeout = "${FIVE}ms"
config.buffer = "${FIVE}KiB"
)")
                          .plan;
    const auto& config = plan.workers.at(0).config;
    EXPECT_EQ(config.at("limit"), ParamValue(std::int64_t{5}));
    EXPECT_EQ(config.at("ratio"), ParamValue(0.5));
    EXPECT_EQ(config.at("strict"), ParamValue(std::int64_t{1}));
    EXPECT_EQ(config.at("timeout"), ParamValue(std::int64_t{5'000'000}));
    EXPECT_EQ(config.at("buffer"), ParamValue(std::int64_t{5'120}));
}

TEST(MakePlan, TakesBoundsAsInclusive) {
    const Plan plan = planned(R"(
[worker.low]
plugin = "regex"
config = { pattern = "a", limit = 1, ratio = 0, buffer = "0B" }
[worker.high]
plugin = "regex"
config = { pattern = "a", limit = 1000, ratio = 1.0, buffer = "1MiB" }
)")
                          .plan;
    EXPECT_EQ(plan.workers.size(), 2u);
}

TEST(MakePlan, LeavesOutAParameterThatIsNeitherSetNorHasADefault) {
    const Plan plan = planned("[worker.tick]\nplugin = \"ticker\"\n").plan;
    EXPECT_EQ(plan.workers.at(0).config.count("every"), 1u);
    EXPECT_EQ(plan.workers.at(0).config.count("count"), 0u);
}

TEST(MakePlan, FindsEachPluginOnceInFoldersBesideTheFile) {
    std::vector<std::string> asked;
    const FindPlugin find = [&](const std::string& plugin, const std::vector<std::string>& search) {
        asked.push_back(plugin);
        EXPECT_EQ(search, (std::vector<std::string>{"etc/skep/plugins", "/opt/skep", "etc/more"}));
        return find_fake_plugin(plugin, search);
    };
    planned(R"(
[host]
plugin_path = ["./plugins", "/opt/skep", "../more"]
[worker.b]
plugin = "relay"
[worker.a]
plugin = "sink"
[worker.c]
plugin = "relay"
)",
            find,
            "etc/skep/web.toml");
    EXPECT_EQ(asked, (std::vector<std::string>{"relay", "sink"}));
}

TEST(MakePlan, FindsAPluginOnceAndReportsItWhereverItIsNamed) {
    int asked = 0;
    const FindPlugin find = [&](const std::string& plugin, const std::vector<std::string>& search) {
        ++asked;
        return find_fake_plugin(plugin, search);
    };
    const Topology topology = parse_topology(R"(version = 1
[worker.a]
plugin = "lost"
[worker.b]
plugin = "lost"
[worker.c]
plugn = "lost"
)",
                                             "a.toml",
                                             fake_environment);
    const Result<Planned> result = make_plan(topology, find);
    EXPECT_EQ(asked, 1);
    ASSERT_FALSE(result);
    ASSERT_EQ(result.error().size(), 3u);
    EXPECT_EQ(result.error()[0].span.line, 3);
    EXPECT_EQ(result.error()[1].span.line, 5);
    EXPECT_EQ(result.error()[2].span.line, 7);
}

TEST(MakePlan, SaysNoMoreOfAFileThatCannotBeReadThanThat) {
    const Topology topology = read_topology("/nowhere/a.toml", fake_environment);
    const Result<Planned> result = make_plan(topology, find_fake_plugin);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error(), topology.errors);
}

TEST(MakePlan, SortsTheScheduleByTimeAndKeepsTheOrderOfTheFileWithin) {
    const Plan plan = planned(R"(
[worker.a]
plugin = "relay"
replicas = 2
[[schedule]]
at = "9s"
action = "stop"
[[schedule]]
at = "1s"
action = "pause"
worker = "a"
[[schedule]]
at = "1s"
action = "broadcast"
message = "hello"
[[schedule]]
at = "0s"
action = "send"
worker = "a#1"
message = "hi"
[[schedule]]
at = "2s"
action = "stop"
worker = "a#0"
[[schedule]]
at = "1500ms"
action = "resume"
worker = "a#0"
)")
                          .plan;
    EXPECT_EQ(plan.schedule,
              (std::vector<SchedulePlan>{{0s, ScheduleAction::send, "a#1", "hi"},
                                         {1s, ScheduleAction::pause, "a#0", ""},
                                         {1s, ScheduleAction::pause, "a#1", ""},
                                         {1s, ScheduleAction::broadcast, "", "hello"},
                                         {1500ms, ScheduleAction::resume, "a#0", ""},
                                         {2s, ScheduleAction::stop, "a#0", ""},
                                         {9s, ScheduleAction::stop, "", ""}}));
}

}  // namespace
}  // namespace skep::host
