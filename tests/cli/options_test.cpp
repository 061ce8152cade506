#include "host/cli/options.hpp"

#include <cstdlib>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace skep::host::options_test {
namespace {

using testing::HasSubstr;

Result<host::Options, EarlyExit> parse(std::vector<const char*> arguments) {
    arguments.insert(arguments.begin(), "skep");
    return parse_options(static_cast<int>(arguments.size()), arguments.data());
}

struct Accepted {
    std::vector<const char*> arguments;
    host::Options options;
};

struct Refused {
    std::vector<const char*> arguments;
    std::string text;
};

// Neither the machine's variables nor those of another test.
class Options : public testing::Test {
protected:
    void SetUp() override {
        ::unsetenv("SKEP_LOG");
        ::unsetenv("SKEP_LOG_FORMAT");
        ::unsetenv("SKEP_CONTROL");
    }

    void TearDown() override { SetUp(); }
};

TEST_F(Options, SayWhatToDoToWhat) {
    const std::vector<Accepted> table = {
        {{"run", "a.toml"}, {.verb = Verb::run, .target = "a.toml"}},
        {{"run", "a.toml", "--summary", "s.json"},
         {.verb = Verb::run, .target = "a.toml", .summary = "s.json"}},
        {{"run", "--log-format=json", "--log-level", "debug", "a.toml"},
         {.verb = Verb::run, .target = "a.toml", .log_level = "debug", .log_json = true}},
        {{"check", "a.toml"}, {.verb = Verb::check, .target = "a.toml"}},
        {{"check", "a.toml", "--deny-warnings", "-o", "json"},
         {.verb = Verb::check, .target = "a.toml", .deny_warnings = true, .json = true}},
        {{"check", "a.toml", "-o", "table"}, {.verb = Verb::check, .target = "a.toml"}},
        {{"inspect", "regex"}, {.verb = Verb::inspect, .target = "regex"}},
        {{"inspect", "--output", "json", "./x.so"},
         {.verb = Verb::inspect, .target = "./x.so", .json = true}},
        {{"graph", "a.toml"}, {.verb = Verb::graph, .target = "a.toml"}},
        {{"graph", "a.toml", "--format", "mermaid"},
         {.verb = Verb::graph, .target = "a.toml", .mermaid = true}},
        {{"graph", "a.toml", "--format", "dot"}, {.verb = Verb::graph, .target = "a.toml"}},
        {{"run", "a.toml", "--control", "./a.sock"},
         {.verb = Verb::run, .target = "a.toml", .control = "./a.sock"}},
        {{"ps"}, {.verb = Verb::ps}},
        {{"ps", "--host", "bees", "-o", "json"}, {.verb = Verb::ps, .json = true, .host = "bees"}},
        {{"status"}, {.verb = Verb::status}},
        {{"status", "a", "--control", "s"}, {.verb = Verb::status, .control = "s", .worker = "a"}},
        {{"pause", "a"}, {.verb = Verb::pause, .worker = "a"}},
        {{"pause", "--wait", "a"}, {.verb = Verb::pause, .worker = "a", .wait = true}},
        {{"resume", "a"}, {.verb = Verb::resume, .worker = "a"}},
        {{"send", "a", "some text"}, {.verb = Verb::send, .worker = "a", .text = "some text"}},
        {{"broadcast", "bye"}, {.verb = Verb::broadcast, .text = "bye"}},
        {{"drain", "a"}, {.verb = Verb::drain, .worker = "a"}},
        {{"restart", "a"}, {.verb = Verb::restart, .worker = "a"}},
        {{"explain", "a", "-o", "json"}, {.verb = Verb::explain, .json = true, .worker = "a"}},
        {{"wait"}, {.verb = Verb::wait}},
        {{"wait", "a", "--state", "ended", "--timeout", "1500ms"},
         {.verb = Verb::wait, .worker = "a", .state = "ended", .timeout = Nanos(1'500'000'000)}},
        {{"tap"}, {.verb = Verb::tap}},
        {{"tap", "a.out", "--to", "b", "--limit", "3", "--bytes", "16", "-o", "json"},
         {.verb = Verb::tap, .json = true, .from = "a.out", .to = "b", .limit = 3, .bytes = 16}},
        {{"stop"}, {.verb = Verb::stop}},
        {{"stop", "--now", "--grace", "2s"},
         {.verb = Verb::stop, .grace = Nanos(2'000'000'000), .now = true}},
    };
    for (const Accepted& row : table) {
        const auto parsed = parse(row.arguments);
        ASSERT_TRUE(parsed) << testing::PrintToString(row.arguments) << parsed.error().text;
        EXPECT_EQ(*parsed, row.options) << testing::PrintToString(row.arguments);
    }
}

TEST_F(Options, WrongUseIsExplained) {
    const std::vector<Refused> table = {
        {{}, "A subcommand is required"},
        {{"rnu", "a.toml"}, "unknown command 'rnu'; did you mean 'run'?"},
        {{"inspct"}, "unknown command 'inspct'; did you mean 'inspect'?"},
        {{"zebra"}, "unknown command 'zebra'\n"},
        {{"--vresion"}, "unknown option '--vresion'"},
        {{"run"}, "FILE is required"},
        {{"run", "a.toml", "b.toml"}, "b.toml"},
        {{"run", "a.toml", "--fast"}, "--fast"},
        {{"run", "a.toml", "--log-level", "loud"}, "loud"},
        {{"run", "a.toml", "--log-format", "xml"}, "xml"},
        {{"check", "a.toml", "-o", "yaml"}, "yaml"},
        {{"graph", "a.toml", "--format", "png"}, "png"},
        {{"puse", "a"}, "unknown command 'puse'; did you mean 'pause'?"},
        {{"pause"}, "WORKER is required"},
        {{"send", "a"}, "TEXT is required"},
        {{"tap", "a", "--limit", "0"}, "--limit"},
        {{"tap", "a", "--bytes", "65537"}, "--bytes"},
        {{"wait", "--timeout", "soon"}, "a duration is a number and one unit"},
        {{"stop", "--grace", "5"}, "a duration is a number and one unit"},
        {{"stop", "--grace", "-5s"}, "a duration is a number and one unit"},
    };
    for (const Refused& row : table) {
        const auto parsed = parse(row.arguments);
        ASSERT_FALSE(parsed) << testing::PrintToString(row.arguments);
        EXPECT_EQ(parsed.error().code, exit_usage);
        EXPECT_THAT(parsed.error().text, HasSubstr(row.text));
        EXPECT_THAT(parsed.error().text, HasSubstr("--help"));
    }
}

TEST_F(Options, VariablesStandInForFlagsAndFlagsWin) {
    ::setenv("SKEP_LOG", "error", 1);
    ::setenv("SKEP_LOG_FORMAT", "json", 1);
    for (const char* const verb : {"run", "dev"}) {
        const auto by_variables = parse({verb, "a.toml"});
        ASSERT_TRUE(by_variables);
        EXPECT_EQ(by_variables->log_level, "error");
        EXPECT_TRUE(by_variables->log_json);
    }

    const auto by_flags = parse({"run", "a.toml", "--log-level=trace", "--log-format=text"});
    ASSERT_TRUE(by_flags);
    EXPECT_EQ(by_flags->log_level, "trace");
    EXPECT_FALSE(by_flags->log_json);

    ::setenv("SKEP_CONTROL", "x.sock", 1);
    const auto where = parse({"ps"});
    ASSERT_TRUE(where);
    EXPECT_EQ(where->control, "x.sock");
    EXPECT_EQ(parse({"ps", "--control", "y.sock"})->control, "y.sock");

    ::setenv("SKEP_LOG", "loud", 1);
    const auto wrong = parse({"run", "a.toml"});
    ASSERT_FALSE(wrong);
    EXPECT_EQ(wrong.error().code, exit_usage);
}

TEST_F(Options, HelpAndVersionAreNoMistakes) {
    const auto help = parse({"--help"});
    ASSERT_FALSE(help);
    EXPECT_EQ(help.error().code, exit_ok);
    for (const char* word : {"run", "check", "inspect", "graph", "SKEP_PLUGIN_PATH", "130"}) {
        EXPECT_THAT(help.error().text, HasSubstr(word));
    }
    const auto help_of_run = parse({"run", "--help"});
    ASSERT_FALSE(help_of_run);
    EXPECT_EQ(help_of_run.error().code, exit_ok);
    EXPECT_THAT(help_of_run.error().text, HasSubstr("--summary"));

    const auto version = parse({"--version"});
    ASSERT_FALSE(version);
    EXPECT_EQ(version.error().code, exit_ok);
    EXPECT_THAT(version.error().text, testing::StartsWith("skep "));
}

}  // namespace
}  // namespace skep::host::options_test
