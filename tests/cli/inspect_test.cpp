#include "host/cli/inspect.hpp"

#include <cstring>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "host/topology/plan.hpp"

namespace skep::host {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

ParamInfo param(const char* name, ParamType type, const char* default_text = nullptr) {
    ParamInfo info;
    info.name = name;
    info.type = type;
    info.doc = std::string("about ") + name;
    if (default_text != nullptr) {
        info.default_text = default_text;
        info.default_value = parse_param(type, default_text);
    }
    return info;
}

// One parameter of each kind.
Inspected sample() {
    WorkerTypeInfo type;
    type.name = "mill";
    type.doc = "Grinds.";
    type.is_loop = true;
    type.inputs = {{"grain", "text/plain", "what to grind", false}};
    type.outputs = {{"flour", "text/plain", "ground", false}, {"chaff", "*", "the rest", true}};
    ParamInfo stone = param("stone", ParamType::string);
    stone.required = true;
    ParamInfo weight = param("weight", ParamType::integer);
    weight.required = true;
    weight.min_text = "3";
    weight.min_value = parse_param(ParamType::integer, "3");
    weight.max_text = "9";
    ParamInfo grade = param("grade", ParamType::string, "fine");
    grade.choices = {"fine", "coarse"};
    ParamInfo key = param("key", ParamType::string);
    key.secret = true;
    type.params = {stone,
                   weight,
                   grade,
                   key,
                   param("quoted", ParamType::string, "a \"b\" \\ ${HOME} \n"),
                   param("ratio", ParamType::number, "2"),
                   param("wet", ParamType::boolean, "true"),
                   param("pause", ParamType::duration, "200ms"),
                   param("sack", ParamType::size, "64KiB")};

    Inspected plugin;
    plugin.name = "mill";
    plugin.path = "/plugins/libmill.so";
    plugin.info.id = "org.example.mill";
    plugin.info.version = "1.2.3";
    plugin.info.abi_minor = 1;
    plugin.info.lowest_host_minor = 1;
    plugin.info.types = {type};
    skep_note note{};
    note.language = SKEP_LANGUAGE_CXX;
    note.compiler = SKEP_COMPILER_GCC;
    note.compiler_version = 1202;
    plugin.facts.note = note;
    plugin.facts.build_id = "c0ffee";
    return plugin;
}

const std::string sample_stanza =
    "[worker.mill]\n"
    "plugin = \"mill\"\n"
    "config.stone = \"...\"  # required\n"
    "config.weight = 3  # required\n"
    "# config.grade = \"fine\"\n"
    "# config.key = \"...\"\n"
    "# config.quoted = \"a \\\"b\\\" \\\\ $${HOME} \\u000A\"\n"
    "# config.ratio = 2.0\n"
    "# config.wet = true\n"
    "# config.pause = \"200ms\"\n"
    "# config.sack = \"64KiB\"\n";

TEST(Stanza, FillsWhatIsRequiredAndShowsTheDefaultsOfTheRest) {
    const Inspected plugin = sample();
    EXPECT_EQ(stanza(plugin, plugin.info.types.front()), sample_stanza);
}

TEST(Stanza, NamesTheTypeOfAPluginWithSeveral) {
    Inspected plugin = sample();
    plugin.info.types.push_back(plugin.info.types.front());
    EXPECT_THAT(stanza(plugin, plugin.info.types.front()), HasSubstr("\ntype = \"mill\"\n"));
}

// Pasted into a topology as it is, and then with all that was a comment.
TEST(Stanza, MakesATopologyThatIsAccepted) {
    const Inspected plugin = sample();
    const auto find = [&](const std::string& name, const std::vector<std::string>&) {
        EXPECT_EQ(name, "mill");
        return Result<FoundPlugin>(
            FoundPlugin{plugin.path, std::make_shared<const PluginInfo>(plugin.info)});
    };
    std::string text = "version = 1\n" + stanza(plugin, plugin.info.types.front());
    for (const bool is_full : {false, true}) {
        for (std::size_t at = 0; is_full && (at = text.find("# config.")) != std::string::npos;) {
            text.erase(at, 2);
        }
        const auto topology = parse_topology(
            text, "a.toml", [](const std::string&) { return std::optional<std::string>(); });
        const auto planned = make_plan(topology, find);
        ASSERT_TRUE(planned) << render(planned.error().front(), text);
        const auto& config = planned->plan.workers.front().config;
        EXPECT_EQ(config.at("quoted"), ParamValue(std::string("a \"b\" \\ ${HOME} \n")));
        EXPECT_EQ(config.at("ratio"), ParamValue(2.0));
        EXPECT_EQ(config.at("sack"), ParamValue(std::int64_t{65536}));
    }
}

TEST(InspectText, ShowsAllThatAUserOfThePluginNeeds) {
    EXPECT_EQ(inspect_text(sample()),
              "org.example.mill 1.2.3\n"
              "  file        /plugins/libmill.so\n"
              "  ABI         0.1, for hosts from 0.1\n"
              "  language    C++\n"
              "  compiler    gcc 12.2\n"
              "  sanitizers  none\n"
              "  build id    c0ffee\n"
              "\n"
              "worker type mill (loop): Grinds.\n"
              "  inputs\n"
              "    grain  text/plain    what to grind\n"
              "  outputs\n"
              "    flour  text/plain            ground\n"
              "    chaff  *           optional  the rest\n"
              "  parameters\n"
              "    stone   string    required                          about stone\n"
              "    weight  integer   required, at least 3, at most 9   about weight\n"
              "    grade   string    default fine, one of fine coarse  about grade\n"
              "    key     string    secret                            about key\n"
              "    quoted  string    default a \"b\" \\ ${HOME} \\n        about quoted\n"
              "    ratio   number    default 2                         about ratio\n"
              "    wet     boolean   default true                      about wet\n"
              "    pause   duration  default 200ms                     about pause\n"
              "    sack    size      default 64KiB                     about sack\n"
              "\n" +
                  sample_stanza);
}

TEST(InspectText, CannotActOnATerminal) {
    Inspected plugin = sample();
    plugin.info.types.front().doc = "\x1b[2J";
    plugin.info.types.front().params.front().doc = "\x1b[2J";
    EXPECT_THAT(inspect_text(plugin), Not(HasSubstr("\x1b")));
}

TEST(InspectJson, HasTheSameFacts) {
    const std::string json = inspect_json(sample());
    for (const char* part : {R"("id": "org.example.mill")",
                             R"("version": "1.2.3")",
                             R"("kind": "loop")",
                             R"("compiler": "gcc 12.2")",
                             R"("sanitizers": [])",
                             R"("build_id": "c0ffee")",
                             R"("name": "stone")",
                             R"("required": true)",
                             R"("default": "200ms")",
                             R"("min": "3")",
                             R"("content_type": "text/plain")",
                             R"("stanza": "[worker.mill]\nplugin = \"mill\"\n)",
                             R"("warnings": [])"}) {
        EXPECT_THAT(json, HasSubstr(part));
    }
}

TEST(UnloadWarnings, NameEachReasonOnce) {
    ElfFacts facts;
    EXPECT_THAT(unload_warnings(facts), IsEmpty());
    facts.nodelete = true;
    facts.unique_symbols = {"_ZN2ns7counterE"};
    facts.thread_exits = true;
    facts.static_tls = true;
    EXPECT_THAT(unload_warnings(facts),
                ElementsAre(HasSubstr("NODELETE"),
                            HasSubstr("unique symbol 'ns::counter'"),
                            HasSubstr("thread_local with a destructor"),
                            HasSubstr("static thread-local storage")));
    EXPECT_THAT(inspect_text({"a", "a.so", {}, facts}), HasSubstr("warning: may stay mapped"));
}

}  // namespace
}  // namespace skep::host
