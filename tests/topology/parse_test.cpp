#include <filesystem>
#include <fstream>
#include <string>

#include <gtest/gtest.h>

#include "host/topology/topology.hpp"
#include "tests/support/fake_plugins.hpp"

namespace skep::host {
namespace {

using namespace std::chrono_literals;

Topology parsed(const std::string& source, const std::string& file = "configs/web.toml") {
    Topology topology = parse_topology(source, file, fake_environment);
    for (const Diagnostic& diagnostic : topology.errors)
        ADD_FAILURE() << render(diagnostic, source);
    return topology;
}

TEST(ParseTopology, NeedsNothingButAVersion) {
    const Topology topology = parsed("version = 1\n");
    EXPECT_EQ(topology.file, "configs/web.toml");
    EXPECT_EQ(topology.source, "version = 1\n");
    EXPECT_EQ(topology.name, "web");
    EXPECT_EQ(topology.stop_grace, 20s);
    EXPECT_TRUE(topology.plugin_path.empty());
    EXPECT_FALSE(topology.default_mailbox);
    EXPECT_FALSE(topology.default_queue_bytes);
    EXPECT_FALSE(topology.default_queue);
    EXPECT_FALSE(topology.default_when_full);
    EXPECT_FALSE(topology.default_on_failure);
    EXPECT_TRUE(topology.workers.empty());
    EXPECT_TRUE(topology.routes.empty());
    EXPECT_TRUE(topology.schedule.empty());
}

TEST(ParseTopology, ReadsEveryKeyOfTheHostAndTheDefaults) {
    const Topology topology = parsed(R"(
version = 1
name = "shop"
[host]
plugin_path = ["./plugins", "${FOLDER}/skep"]
stop_grace = "1.5s"
[defaults]
mailbox = 2
queue = 3
queue_bytes = "1MiB"
when_full = "drop_oldest"
on_failure = "isolate"
)");
    EXPECT_EQ(topology.name, "shop");
    EXPECT_EQ(topology.plugin_path, (std::vector<std::string>{"./plugins", "/var/log/skep"}));
    EXPECT_EQ(topology.stop_grace, 1500ms);
    EXPECT_EQ(topology.default_mailbox->value, 2);
    EXPECT_EQ(topology.default_queue->value, 3);
    EXPECT_EQ(topology.default_queue_bytes->value, 1 << 20);
    EXPECT_EQ(topology.default_when_full->value, "drop_oldest");
    EXPECT_EQ(topology.default_on_failure->value, "isolate");
}

TEST(ParseTopology, ReadsEveryKeyOfAWorkerAndItsPlace) {
    const Topology topology = parsed(R"(version = 1
[worker.parse]
plugin = "regex"
type = "regex"
replicas = 4
mailbox = 8
queue_bytes = 4096
on_failure = "isolate"
config = { pattern = '^\S+$', limit = 5, ratio = 0.5, strict = true }
)");
    ASSERT_EQ(topology.workers.size(), 1u);
    const TopologyWorker& worker = topology.workers[0];
    EXPECT_EQ(worker.name.value, "parse");
    EXPECT_EQ(worker.name.span, (SourceSpan{2, 9, 5}));
    EXPECT_EQ(worker.span, (SourceSpan{2, 1, 14}));
    EXPECT_EQ(worker.plugin->value, "regex");
    EXPECT_EQ(worker.plugin->span, (SourceSpan{3, 10, 7}));
    EXPECT_EQ(worker.type->value, "regex");
    EXPECT_EQ(worker.replicas->value, 4);
    EXPECT_EQ(worker.mailbox->value, 8);
    EXPECT_EQ(worker.queue_bytes->value, 4096);
    EXPECT_EQ(worker.on_failure->value, "isolate");
    ASSERT_EQ(worker.config.size(), 4u);
    EXPECT_EQ(worker.config.at("pattern").value, ConfigLeaf(std::string("^\\S+$")));
    EXPECT_EQ(worker.config.at("pattern").key_span, (SourceSpan{9, 12, 7}));
    EXPECT_EQ(worker.config.at("pattern").value_span, (SourceSpan{9, 22, 7}));
    EXPECT_EQ(worker.config.at("limit").value, ConfigLeaf(std::int64_t{5}));
    EXPECT_EQ(worker.config.at("ratio").value, ConfigLeaf(0.5));
    EXPECT_EQ(worker.config.at("strict").value, ConfigLeaf(true));
}

TEST(ParseTopology, ReadsEveryKeyOfRoutesAndSchedules) {
    const Topology topology = parsed(R"(
version = 1
[[route]]
from = "a.lines"
to = ["b", "c.in"]
queue = 16
when_full = "drop_newest"
spread = "all"
[[route]]
from = ["a", "b"]
to = "c"
[[schedule]]
at = "5s"
action = "send"
worker = "a"
message = ""
)");
    ASSERT_EQ(topology.routes.size(), 2u);
    const TopologyRoute& route = topology.routes[0];
    ASSERT_EQ(route.from.size(), 1u);
    EXPECT_EQ(route.from[0].value, "a.lines");
    ASSERT_EQ(route.to.size(), 2u);
    EXPECT_EQ(route.to[1].value, "c.in");
    EXPECT_EQ(route.to[1].span, (SourceSpan{5, 12, 6}));
    EXPECT_EQ(route.queue->value, 16);
    EXPECT_EQ(route.when_full->value, "drop_newest");
    EXPECT_EQ(route.spread->value, "all");
    EXPECT_EQ(topology.routes[1].from.size(), 2u);
    EXPECT_FALSE(topology.routes[1].queue);
    ASSERT_EQ(topology.schedule.size(), 1u);
    EXPECT_EQ(topology.schedule[0].at.value, 5s);
    EXPECT_EQ(topology.schedule[0].action->value, "send");
    EXPECT_EQ(topology.schedule[0].worker->value, "a");
    EXPECT_EQ(topology.schedule[0].message->value, "");
}

TEST(ParseTopology, KeepsWorkersInTheOrderOfTheFile) {
    const Topology topology = parsed(
        "version = 1\n[worker.zebra]\nplugin = \"x\"\n[worker.ant]\nplugin = \"x\"\n"
        "[worker.mule]\nplugin = \"x\"\n");
    ASSERT_EQ(topology.workers.size(), 3u);
    EXPECT_EQ(topology.workers[0].name.value, "zebra");
    EXPECT_EQ(topology.workers[1].name.value, "ant");
    EXPECT_EQ(topology.workers[2].name.value, "mule");
}

TEST(ParseTopology, InterpolatesStringsOnceAndRemembersIt) {
    const Topology topology = parsed(
        "version = 1\n[worker.a]\nplugin = \"x\"\nreplicas = \"${FIVE}\"\n"
        "config = { n = \"${FIVE}\", plain = \"5\", twice = \"${DOLLAR}\" }\n");
    const TopologyWorker& worker = topology.workers.at(0);
    EXPECT_EQ(worker.replicas->value, 5);
    EXPECT_EQ(worker.config.at("n").value, ConfigLeaf(std::string("5")));
    EXPECT_TRUE(worker.config.at("n").interpolated);
    EXPECT_FALSE(worker.config.at("plain").interpolated);
    EXPECT_EQ(worker.config.at("twice").value, ConfigLeaf(std::string("${FIVE}")));
}

TEST(ParseTopology, TakesWindowsLinesAndAByteOrderMark) {
    const Topology topology = parsed("\xef\xbb\xbfversion = 1\r\n[worker.a]\r\nplugin = \"x\"\r\n");
    EXPECT_EQ(topology.workers.at(0).plugin->span, (SourceSpan{3, 10, 3}));
    const Topology wrong =
        parse_topology("\xef\xbb\xbfversion = 2\r\n", "a.toml", fake_environment);
    EXPECT_EQ(wrong.errors.at(0).span, (SourceSpan{1, 14, 1}));
}

TEST(ParseTopology, KeepsWhatCouldBeReadBesideItsErrors) {
    const Topology topology = parse_topology(R"(version = 1
[host]
plugin_path = 5
[worker.A]
plugin = "x"
replicas = 0
typ = 1
config = { a = 1, b = [] }
[[route]]
from = "a"
to = ["b", 5]
queue = 0
)",
                                             "a.toml",
                                             fake_environment);
    EXPECT_EQ(topology.errors.size(), 7u);
    EXPECT_EQ(topology.unread, (UnreadKeys{{"plugin_path", 3}}));
    const TopologyWorker& worker = topology.workers.at(0);
    EXPECT_EQ(worker.name.value, "A");
    EXPECT_EQ(worker.plugin->value, "x");
    EXPECT_FALSE(worker.replicas);
    EXPECT_EQ(worker.unread, (UnreadKeys{{"replicas", 6}, {"typ", 7}, {"type", 7}}));
    EXPECT_EQ(worker.config.at("a").value, ConfigLeaf(std::int64_t{1}));
    EXPECT_FALSE(worker.config.at("b").value);
    EXPECT_EQ(topology.routes.at(0).from.at(0).value, "a");
    EXPECT_EQ(topology.routes.at(0).to.size(), 1u);
    EXPECT_FALSE(topology.routes.at(0).queue);
}

TEST(ParseTopology, KeepsTheSourceOfWhatIsNotToml) {
    const Topology topology = parse_topology("version = \n", "a.toml", fake_environment);
    EXPECT_EQ(topology.errors.size(), 1u);
    EXPECT_EQ(topology.source, "version = \n");
}

TEST(ParseTopology, TakesTheLongestName) {
    const std::string name = "a" + std::string(62, '-');
    EXPECT_EQ(
        parsed("version = 1\n[worker." + name + "]\nplugin = \"x\"\n").workers.at(0).name.value,
        name);
}

TEST(ReadTopology, ReadsAFile) {
    const std::string file = testing::TempDir() + "skep_read_topology_test.toml";
    std::ofstream(file) << "version = 1\nname = \"" << std::string(10'000, 'n') << "\"\n";
    const Topology topology = read_topology(file, fake_environment);
    std::filesystem::remove(file);
    EXPECT_EQ(topology.errors, Diagnostics{});
    EXPECT_EQ(topology.name, std::string(10'000, 'n'));
    EXPECT_EQ(topology.file, file);
}

TEST(ReadTopology, SaysWhyAFileCannotBeRead) {
    const Topology missing = read_topology("/nowhere/a.toml", fake_environment);
    ASSERT_EQ(missing.errors.size(), 1u);
    EXPECT_EQ(render(missing.errors[0]),
              "/nowhere/a.toml: error: cannot read the file: No such file or directory\n");
    const Topology folder = read_topology(testing::TempDir(), fake_environment);
    ASSERT_EQ(folder.errors.size(), 1u);
    EXPECT_EQ(folder.errors[0].message, "cannot read the file: it is a folder");
}

TEST(ReadTopology, ReadsEveryShippedConfig) {
    const std::filesystem::path folder = std::filesystem::path(SKEP_SOURCE_DIR) / "configs";
    if (!std::filesystem::exists(folder))
        GTEST_SKIP() << "there is no folder configs";
    const Environment everything = [](const std::string&) {
        return std::optional<std::string>("1");
    };
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
        if (entry.path().extension() != ".toml")
            continue;
        for (const Diagnostic& diagnostic : read_topology(entry.path().string(), everything).errors)
            ADD_FAILURE() << render(diagnostic);
    }
}

}  // namespace
}  // namespace skep::host
