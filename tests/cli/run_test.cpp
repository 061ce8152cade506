// `skep run` from the command line to the exit code, by the real program and the shipped plugins.
#include <array>
#include <csignal>
#include <map>
#include <regex>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/process.hpp"
#include "tests/support/temp_folder.hpp"

namespace skep::host {
namespace {

using test::Finished;
using test::Process;
using test::TempFolder;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

test::Arguments run_of(const std::string& file, const test::Arguments& flags = {}) {
    test::Arguments arguments = {SKEP_EXECUTABLE, "run", file};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    return arguments;
}

// A log as a web server writes it, and how often each status is in it.
struct WebLog {
    std::string text;
    int lines = 0;
    std::map<std::string, int> statuses;
};

WebLog web_log(int lines) {
    constexpr std::array<const char*, 4> statuses = {"200", "404", "500", "301"};
    WebLog log;
    log.lines = lines;
    for (int i = 0; i < lines; ++i) {
        const std::string status = statuses[static_cast<std::size_t>(i * i + i / 3) % 4];
        log.text += "10.0.0." + std::to_string(i % 200) + " \"GET /page/" + std::to_string(i) +
                    "\" " + status + " " + std::to_string(i * 7) + "\n";
        ++log.statuses[status];
    }
    return log;
}

// The log is read, parsed and counted; the counts go to the console, and with `echo` the lines too.
std::string counting_topology(const std::string& log, bool follow, bool echo) {
    std::string text = "version = 1\n[worker.tail]\nplugin = \"file_tail\"\nconfig = { path = \"" +
                       log + "\", follow = " + (follow ? "true" : "false") + R"( }
[worker.parse]
plugin = "regex"
config.pattern = '" (?P<status>\d{3}) '
[worker.count]
plugin = "count"
config = { group_by = "status" }
[worker.console]
plugin = "console"
[[route]]
from = "tail"
to   = "parse"
[[route]]
from = "parse.ok"
to   = "count"
[[route]]
from = "count.rows"
to   = "console"
)";
    return echo ? text + "[[route]]\nfrom = \"tail\"\nto = \"console\"\n" : text;
}

std::map<std::string, int> counts_in(const std::string& out) {
    static const std::regex row(R"re(\{"status":"(\d+)","count":(\d+)\}\n)re");
    std::map<std::string, int> counts;
    for (std::sregex_iterator match(out.begin(), out.end(), row), end; match != end; ++match) {
        counts[(*match)[1]] = std::stoi((*match)[2]);
    }
    return counts;
}

// The value of a key of one worker in the JSON of a summary.
std::string value_in(const std::string& json, const std::string& worker, const std::string& key) {
    std::smatch match;
    const std::regex place("\"name\":\"" + worker + "\"[^}]*\"" + key + "\":\"?([a-z0-9_]+)");
    return std::regex_search(json, match, place) ? match[1].str() : "";
}

TEST(Run, CountsALogToItsEnd) {
    const TempFolder folder;
    const WebLog log = web_log(5000);
    const std::string file = folder.write(
        "a.toml", counting_topology(folder.write("access.log", log.text), false, false));
    const Finished run = test::run(run_of(file, {"--summary", folder.path("s.json")}));
    EXPECT_EQ(run.exit_code, 0) << run.err;
    EXPECT_EQ(counts_in(run.out), log.statuses);
    EXPECT_THAT(run.err,
                AllOf(HasSubstr("WORKER"), HasSubstr("accounting: "), HasSubstr(": balanced\n")));

    const std::string summary = folder.read("s.json");
    EXPECT_EQ(value_in(summary, "tail", "out"), "5000");
    EXPECT_EQ(value_in(summary, "parse", "in"), "5000");
    EXPECT_EQ(value_in(summary, "count", "in"), "5000");
    EXPECT_EQ(value_in(summary, "console", "in"), std::to_string(log.statuses.size()));
    EXPECT_EQ(value_in(summary, "console", "state"), "stopped");
    EXPECT_THAT(summary, HasSubstr("\"queued\":0,\"in_flight\":0,\"dropped\":0"));
    EXPECT_THAT(summary, HasSubstr("\"balanced\":true"));
}

TEST(Run, CtrlCDrainsWhatWasRead) {
    const TempFolder folder;
    const WebLog log = web_log(2000);
    const std::string file =
        folder.write("a.toml", counting_topology(folder.write("access.log", log.text), true, true));
    Process run(run_of(file));
    const std::string last_line = log.text.substr(log.text.rfind('\n', log.text.size() - 2));
    ASSERT_TRUE(run.wait_for_out(last_line)) << run.wait().err;
    run.send(SIGINT);
    const Finished& ended = run.wait();
    EXPECT_EQ(ended.exit_code, 0) << ended.err;
    EXPECT_EQ(counts_in(ended.out), log.statuses);
    EXPECT_THAT(ended.err,
                AllOf(HasSubstr("stopping: draining for up to 20s; press Ctrl-C again to stop now"),
                      HasSubstr(": balanced\n")));
}

// Its worker sleeps for an hour over each message, so that draining takes longer than any test.
std::string sleepy_topology(const std::string& grace) {
    return "version = 1\nhost.stop_grace = \"" + grace + R"("
[worker.source]
plugin = "generate"
config = { count = 100 }
[worker.sleeper]
plugin = "data_processor"
config = { poll = "0s", work = "1h" }
[[route]]
from = "source"
to   = "sleeper"
)";
}

TEST(Run, SecondCtrlCStopsNowAndIsToldByTheExitCode) {
    const TempFolder folder;
    Process run(run_of(folder.write("a.toml", sleepy_topology("10m"))));
    ASSERT_TRUE(run.wait_for_err("running 'a': 2 workers, 1 route")) << run.wait().err;
    run.send(SIGINT);
    ASSERT_TRUE(run.wait_for_err("draining for up to 600s")) << run.wait().err;
    run.send(SIGINT);
    const Finished& ended = run.wait();
    EXPECT_EQ(ended.exit_code, 130) << ended.err;
    EXPECT_THAT(ended.err, HasSubstr(": balanced\n"));
}

TEST(Run, QuitStopsNow) {
    const TempFolder folder;
    Process run(run_of(folder.write("a.toml", sleepy_topology("10m"))));
    ASSERT_TRUE(run.wait_for_err("running 'a'")) << run.wait().err;
    run.send(SIGQUIT);
    EXPECT_EQ(run.wait().exit_code, 130) << run.wait().err;
}

TEST(Run, DrainThatTakesTooLongIsCutShort) {
    const TempFolder folder;
    Process run(run_of(folder.write("a.toml", sleepy_topology("50ms"))));
    ASSERT_TRUE(run.wait_for_err("running 'a'")) << run.wait().err;
    run.send(SIGTERM);
    const Finished& ended = run.wait();
    EXPECT_EQ(ended.exit_code, 0) << ended.err;
    EXPECT_THAT(ended.err, HasSubstr(": balanced\n"));
}

// One worker of the given type of the plugin that never gives its thread back.
std::string hanging_topology(const std::string& type) {
    return "version = 1\nhost.stop_grace = \"10ms\"\n[worker.stuck]\nplugin = \"" +
           std::string(SKEP_TEST_PLUGIN_DIR) + "/libnever_returns.so\"\ntype = \"" + type + "\"\n";
}

TEST(Run, ThreadThatNeverReturnsIsNamedAndLeftBehind) {
    for (const char* type : {"never_created", "never_reaches_checkpoint"}) {
        const TempFolder folder;
        Process run(run_of(folder.write("a.toml", hanging_topology(type)),
                           {"--summary", folder.path("s.json")}),
                    {{"XDG_RUNTIME_DIR", folder.path("")}});
        ASSERT_TRUE(run.wait_for_err("never to be seen again")) << run.wait().err;
        run.send(SIGINT);
        const Finished& ended = run.wait();
        EXPECT_EQ(ended.exit_code, 1) << type << "\n" << ended.err;
        EXPECT_THAT(ended.err, HasSubstr("leaving while a thread is inside plugins: stuck"));
        EXPECT_EQ(value_in(folder.read("s.json"), "stuck", "state"), "lost") << type;
        for (const auto& entry : std::filesystem::directory_iterator(folder.path(""))) {
            EXPECT_THAT(entry.path().filename(), Not(testing::StartsWith("skep-"))) << type;
        }
    }
}

TEST(Run, WorkerThatCannotBeMadeEndsTheHostWithItsWords) {
    const TempFolder folder;
    std::string text = counting_topology(folder.write("access.log", "x\n"), false, false);
    text.replace(text.find("(?P<status>"), 11, "(?P<status>(");
    const Finished run = test::run(run_of(folder.write("a.toml", text)));
    EXPECT_EQ(run.exit_code, 1) << run.err;
    EXPECT_THAT(run.err, AllOf(HasSubstr("'parse'"), HasSubstr("missing )")));
    EXPECT_THAT(run.out, IsEmpty());
}

TEST(Run, LogThatIsNotThereEndsTheHostWithItsName) {
    const TempFolder folder;
    const std::string log = folder.path("no_such.log");
    const Finished run =
        test::run(run_of(folder.write("a.toml", counting_topology(log, false, false))));
    EXPECT_EQ(run.exit_code, 1) << run.err;
    EXPECT_THAT(run.err, AllOf(HasSubstr("'tail'"), HasSubstr(log)));
}

TEST(Run, RefusedTopologyStartsNothing) {
    const TempFolder folder;
    const std::string file = folder.write("a.toml", "version = 1\n[worker.a]\nplugn = \"x\"\n");
    const Finished run = test::run(run_of(file));
    EXPECT_EQ(run.exit_code, 78);
    EXPECT_THAT(run.err, AllOf(HasSubstr(file + ":3:1: error: "), HasSubstr("plugn = \"x\"")));
    EXPECT_THAT(run.err, Not(HasSubstr("running")));
    EXPECT_EQ(test::run(run_of(folder.path("none.toml"))).exit_code, 78);
}

TEST(Run, SummaryThatCouldNotBeWrittenIsRefusedBeforeTheStart) {
    const TempFolder folder;
    const std::string file = folder.write("a.toml", sleepy_topology("1s"));
    const Finished run = test::run(run_of(file, {"--summary", folder.path("none/s.json")}));
    EXPECT_EQ(run.exit_code, 64);
    EXPECT_THAT(run.err, AllOf(HasSubstr("does not exist"), Not(HasSubstr("running"))));
}

TEST(Run, JsonLogIsOneObjectALineAndNothingElse) {
    const TempFolder folder;
    const std::string file = folder.write("a.toml",
                                          "version = 1\n[worker.source]\nplugin = \"generate\"\n"
                                          "config = { count = 3 }\n");
    const Finished run = test::run(run_of(file, {"--log-format", "json"}));
    EXPECT_EQ(run.exit_code, 0) << run.err;
    std::istringstream lines(run.err);
    int count = 0;
    for (std::string line; std::getline(lines, line); ++count) {
        EXPECT_THAT(line, AllOf(testing::StartsWith("{\"time\":\""), testing::EndsWith("\"}")));
    }
    EXPECT_GT(count, 2);
    EXPECT_THAT(run.err, HasSubstr("accounting: offered 3 = accepted 0 + rejected 3"));
}

TEST(Run, LogLevelHidesWhatIsLessImportant) {
    const TempFolder folder;
    const WebLog log = web_log(3);
    const std::string file = folder.write(
        "a.toml", counting_topology(folder.write("access.log", log.text), false, false));
    const Finished run = test::run(run_of(file), {{"SKEP_LOG", "error"}});
    EXPECT_EQ(run.exit_code, 0) << run.err;
    EXPECT_THAT(run.err, testing::StartsWith("WORKER"));
}

}  // namespace
}  // namespace skep::host
