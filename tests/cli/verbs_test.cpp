// The verbs that start nothing, by the real program.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <skep/version.h>

#include "tests/support/process.hpp"
#include "tests/support/temp_folder.hpp"

namespace skep::host {
namespace {

using test::Finished;
using test::TempFolder;
using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

Finished skep(test::Arguments arguments, const test::Variables& variables = {}) {
    arguments.insert(arguments.begin(), SKEP_EXECUTABLE);
    return test::run(arguments, variables);
}

const std::string good_topology = R"(version = 1
[worker.source]
plugin = "generate"
config = { count = 10 }
[worker.sink]
plugin = "blackhole"
[[route]]
from = "source"
to   = "sink"
)";

// The plugin is there, its port is not.
const std::string bad_topology = R"(version = 1
[worker.source]
plugin = "generate"
[[route]]
from = "source.nowhere"
to   = "source"
)";

// Nothing receives what the source emits.
const std::string odd_topology = R"(version = 1
[worker.source]
plugin = "generate"
)";

TEST(CommandLine, TellsItsVersionOnStdout) {
    const Finished version = skep({"--version"});
    EXPECT_EQ(version.exit_code, 0);
    EXPECT_EQ(version.out, "skep " SKEP_VERSION_STRING "\n");
    EXPECT_THAT(version.err, IsEmpty());
}

TEST(CommandLine, WrongUseEndsWith64AndSaysWhyOnStderr) {
    const Finished nothing = skep({});
    EXPECT_EQ(nothing.exit_code, 64);
    EXPECT_THAT(nothing.out, IsEmpty());

    const Finished typo = skep({"chekc", "a.toml"});
    EXPECT_EQ(typo.exit_code, 64);
    EXPECT_THAT(typo.out, IsEmpty());
    EXPECT_THAT(typo.err, HasSubstr("did you mean 'check'?"));
}

TEST(CommandLine, AnswerThatCannotBeWrittenIsAFailure) {
    const TempFolder folder;
    const std::string file = folder.write("a.toml", good_topology);
    const Finished full = test::run(
        {"/bin/sh", "-c", std::string(SKEP_EXECUTABLE) + " check '" + file + "' > /dev/full"});
    EXPECT_EQ(full.exit_code, 1);
    EXPECT_THAT(full.err, HasSubstr("cannot write to stdout"));
}

TEST(CheckVerb, SaysThatATopologyIsGood) {
    const TempFolder folder;
    const std::string file = folder.write("a.toml", good_topology);
    const Finished check = skep({"check", file});
    EXPECT_EQ(check.exit_code, 0) << check.err;
    EXPECT_EQ(check.out, file + ": ok (2 workers, 1 route)\n");
    EXPECT_THAT(check.err, IsEmpty());

    const Finished json = skep({"check", file, "-o", "json"});
    EXPECT_EQ(json.exit_code, 0);
    EXPECT_EQ(json.out, "{\"ok\":true,\"diagnostics\":[]}\n");
}

TEST(CheckVerb, ShowsThePlaceOfAMistake) {
    const TempFolder folder;
    const std::string file = folder.write("a.toml", bad_topology);
    const Finished check = skep({"check", file});
    EXPECT_EQ(check.exit_code, 78);
    EXPECT_THAT(check.out, IsEmpty());
    EXPECT_THAT(
        check.err,
        AllOf(HasSubstr(file + ":5:8: error: "), HasSubstr("    5 | from = \"source.nowhere\"\n")));

    const Finished json = skep({"check", file, "-o", "json"});
    EXPECT_EQ(json.exit_code, 78);
    EXPECT_THAT(json.err, IsEmpty());
    EXPECT_THAT(
        json.out,
        AllOf(StartsWith("{\"ok\":false,\"diagnostics\":[{\"severity\":\"error\",\"file\":\"" +
                         file + "\",\"line\":5,\"column\":8,\"message\":\""),
              EndsWith("]}\n")));
}

TEST(CheckVerb, WarnsOfACpuThatThisMachineDoesNotHave) {
    const TempFolder folder;
    const std::string file =
        folder.write("a.toml", good_topology + "[worker.sink.run]\ncpus = [8191]\n");
    const Finished check = skep({"check", file});
    EXPECT_EQ(check.exit_code, 0);
    EXPECT_THAT(check.err,
                HasSubstr(file + ":11:9: warning: cpu 8191 is not available to this process"));
}

TEST(CheckVerb, ShowsThePlaceOfASyntaxError) {
    const TempFolder folder;
    const std::string file = folder.write("a.toml", "version = 1\nname = [\n");
    const Finished check = skep({"check", file});
    EXPECT_EQ(check.exit_code, 78);
    EXPECT_THAT(check.err, StartsWith(file + ":"));
    EXPECT_THAT(check.err, HasSubstr(" | "));
}

TEST(CheckVerb, ShowsAllMistakesOfAFileThatCanBeReadOnlyOnce) {
    const TempFolder folder;
    const std::string file =
        folder.write("a.toml", "version = 1\n[worker.a]\nplugin = \"no_such\"\nreplicas = 0\n");
    const Finished check = test::run(
        {"/bin/sh", "-c", "cat '" + file + "' | " + SKEP_EXECUTABLE + " check /dev/stdin"});
    EXPECT_EQ(check.exit_code, 78);
    EXPECT_THAT(check.err, HasSubstr("    3 | plugin = \"no_such\"\n"));
    EXPECT_THAT(check.err, HasSubstr("    4 | replicas = 0\n"));
}

TEST(CheckVerb, WarningsRefuseOnlyWhenTheyAreDenied) {
    const TempFolder folder;
    const std::string file = folder.write("a.toml", odd_topology);
    const Finished warned = skep({"check", file});
    EXPECT_EQ(warned.exit_code, 0);
    EXPECT_THAT(warned.err, HasSubstr("warning: "));
    EXPECT_THAT(warned.out, HasSubstr(": ok (1 worker, 0 routes)"));

    const Finished denied = skep({"check", file, "--deny-warnings"});
    EXPECT_EQ(denied.exit_code, 78);
    EXPECT_THAT(denied.out, IsEmpty());
    const Finished json = skep({"check", file, "--deny-warnings", "-o", "json"});
    EXPECT_EQ(json.exit_code, 78);
    EXPECT_THAT(json.out, HasSubstr("{\"ok\":false,\"diagnostics\":[{\"severity\":\"warning\""));
}

TEST(CheckVerb, FileThatIsNotThereIsRefused) {
    const Finished check = skep({"check", "not_there.toml"});
    EXPECT_EQ(check.exit_code, 78);
    EXPECT_THAT(check.err, StartsWith("not_there.toml: error: "));
}

// tests/base/read_file_test.cpp has all kinds of places.
TEST(CheckVerb, WhatIsNoFileIsRefusedWithinABound) {
    const TempFolder folder;
    const std::string fifo = folder.path("a.toml");
    ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
    for (const std::string& file : {fifo, std::string("/dev/zero")}) {
        const Finished check = skep({"check", file});
        EXPECT_EQ(check.exit_code, 78) << file;
        EXPECT_THAT(check.err, HasSubstr(file + ": error: cannot read the file: it is a ")) << file;
    }
}

TEST(CheckVerb, PluginThatIsNotThereIsRefused) {
    const TempFolder folder;
    const std::string file =
        folder.write("a.toml", "version = 1\n[worker.a]\nplugin = \"no_such\"\n");
    const Finished check = skep({"check", file});
    EXPECT_EQ(check.exit_code, 78);
    EXPECT_THAT(check.err, AllOf(HasSubstr(":3:10: error: "), HasSubstr("no_such")));
}

TEST(InspectVerb, DescribesAShippedPluginByNameOrPath) {
    const Finished by_name = skep({"inspect", "file_tail"});
    EXPECT_EQ(by_name.exit_code, 0) << by_name.err;
    EXPECT_THAT(by_name.out,
                AllOf(HasSubstr("file_tail"),
                      HasSubstr("(loop)"),
                      HasSubstr("plugin = \"file_tail\""),
                      HasSubstr("config.path = \"...\"  # required"),
                      HasSubstr("# config.follow = false")));
    EXPECT_THAT(by_name.err, IsEmpty());

    const std::string path = std::string(SKEP_PLUGIN_DIR) + "/libregex.so";
    const Finished by_path = skep({"inspect", path, "-o", "json"});
    EXPECT_EQ(by_path.exit_code, 0) << by_path.err;
    EXPECT_THAT(by_path.out,
                AllOf(HasSubstr("\"kind\": \"handler\""), HasSubstr("plugin = \\\"" + path)));
}

TEST(InspectVerb, FindsPluginsInTheSearchPath) {
    const TempFolder folder;
    std::filesystem::copy(std::string(SKEP_PLUGIN_DIR) + "/libblackhole.so",
                          folder.path("libelsewhere.so"));
    EXPECT_EQ(skep({"inspect", "elsewhere"}).exit_code, 78);
    const Finished found = skep({"inspect", "elsewhere"}, {{"SKEP_PLUGIN_PATH", folder.path("")}});
    EXPECT_EQ(found.exit_code, 0) << found.err;
}

TEST(InspectVerb, BrokenAndForeignFilesAreRefusedWithAReason) {
    const TempFolder folder;
    const std::string plugin = std::string(SKEP_PLUGIN_DIR) + "/libregex.so";
    const std::string half = folder.path("libhalf.so");
    std::filesystem::copy(plugin, half);
    std::filesystem::resize_file(half, std::filesystem::file_size(half) / 2);
    for (const std::string& file : {half,
                                    std::string("/bin/true"),
                                    folder.write("libtext.so", "not a plugin\n"),
                                    folder.write("libempty.so", ""),
                                    folder.path("libnothing.so"),
                                    folder.path("")}) {
        const Finished refused = skep({"inspect", file});
        EXPECT_EQ(refused.exit_code, 78) << file;
        EXPECT_THAT(refused.out, IsEmpty());
        EXPECT_THAT(refused.err, HasSubstr("error: ")) << file;
    }
}

TEST(GraphVerb, DrawsWorkersAndRoutes) {
    const TempFolder folder;
    const std::string file = folder.write("a.toml", good_topology);
    const Finished dot = skep({"graph", file});
    EXPECT_EQ(dot.exit_code, 0) << dot.err;
    EXPECT_THAT(dot.out, AllOf(StartsWith("digraph"), HasSubstr("source"), HasSubstr("sink")));
    const Finished mermaid = skep({"graph", file, "--format", "mermaid"});
    EXPECT_EQ(mermaid.exit_code, 0) << mermaid.err;
    EXPECT_THAT(mermaid.out, AllOf(HasSubstr("source"), HasSubstr("-->")));
}

TEST(GraphVerb, BadTopologyIsRefusedAsByCheck) {
    const TempFolder folder;
    const Finished refused = skep({"graph", folder.write("a.toml", bad_topology)});
    EXPECT_EQ(refused.exit_code, 78);
    EXPECT_THAT(refused.out, IsEmpty());
    EXPECT_THAT(refused.err, HasSubstr(":5:8: error: "));
}

}  // namespace
}  // namespace skep::host
