// Each rule of skep/abi.h on descriptors, broken once.
#include "host/loader/describe.hpp"

#include <cstring>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/loader/plugin_files.hpp"

namespace skep::host {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// A descriptor that keeps all rules; each test spoils it in one place.
class Describe : public testing::Test {
protected:
    Describe() {
        std::strcpy(note.plugin_id, "org.example.hello");
        std::strcpy(note.plugin_version, "1.2.3-beta.1");
        note.abi_major = plugin.abi_major = SKEP_ABI_MAJOR;
        note.abi_minor = plugin.abi_minor = SKEP_ABI_MINOR;
        note.lowest_host_minor = plugin.lowest_host_minor = SKEP_ABI_LOWEST_HOST_MINOR;
        plugin.size = sizeof(plugin);
        plugin.id = "org.example.hello";
        plugin.version = "1.2.3-beta.1";
        plugin.types = types;
        plugin.type_count = 1;
        type.size = sizeof(type);
        type.name = "hello";
        type.doc = "Greets.";
        type.params = params;
        type.inputs = inputs;
        type.outputs = outputs;
        type.param_count = 2;
        type.input_count = type.output_count = 1;
        type.create = [](const skep_context*, void**) { return 0; };
        type.destroy = [](void*) {};
        type.on_message = [](void*, const skep_batch*, uint32_t*) { return 0; };
        every.size = greeting.size = sizeof(skep_param);
        every.name = "every";
        every.doc = "How often.";
        every.type = SKEP_PARAM_DURATION;
        every.default_value = "1s";
        every.min_value = "1ms";
        every.max_value = "1h";
        every.flags = SKEP_PARAM_RELOADABLE;
        greeting.name = "greeting";
        greeting.doc = "What to say.";
        greeting.type = SKEP_PARAM_STRING;
        greeting.default_value = "hello";
        greeting.choices = choices;
        in.size = out.size = sizeof(skep_port);
        in.name = "in";
        out.name = "out";
        in.content_type = "*";
        out.content_type = "text/plain";
        in.doc = out.doc = "Lines.";
        out.flags = SKEP_PORT_OPTIONAL;
    }

    [[nodiscard]] std::string complaint() const {
        const auto info = describe(&plugin, note, "x.so");
        if (info) {
            return "";
        }
        EXPECT_EQ(info.error().size(), 1U) << info.error().back().message;
        return message_of(info);
    }

    skep_note note{};
    skep_param every{}, greeting{};
    skep_port in{}, out{};
    const char* choices[3] = {"hello", "goodbye", nullptr};
    const skep_param* params[2] = {&every, &greeting};
    const skep_port* inputs[1] = {&in};
    const skep_port* outputs[1] = {&out};
    skep_worker_type type{};
    const skep_worker_type* types[2] = {&type, &type};
    skep_plugin plugin{};
};

TEST_F(Describe, CopiesEverythingThatThePluginSays) {
    plugin.vendor = "Example";
    const auto info = describe(&plugin, note, "x.so");
    ASSERT_TRUE(info) << message_of(info);
    EXPECT_EQ(info->id, "org.example.hello");
    EXPECT_EQ(info->version, "1.2.3-beta.1");
    EXPECT_EQ(info->vendor, "Example");
    EXPECT_EQ(info->licence, "");
    ASSERT_EQ(info->types.size(), 1U);
    const WorkerTypeInfo& hello = info->types[0];
    EXPECT_EQ(hello.name, "hello");
    EXPECT_FALSE(hello.is_loop);
    ASSERT_EQ(hello.params.size(), 2U);
    EXPECT_EQ(hello.params[0].type, ParamType::duration);
    EXPECT_TRUE(hello.params[0].reloadable);
    EXPECT_EQ(hello.params[0].default_text, "1s");
    EXPECT_EQ(hello.params[0].default_value, ParamValue(std::int64_t{1'000'000'000}));
    EXPECT_EQ(hello.params[0].min_value, ParamValue(std::int64_t{1'000'000}));
    EXPECT_THAT(hello.params[1].choices, ElementsAre("hello", "goodbye"));
    ASSERT_EQ(hello.inputs.size(), 1U);
    EXPECT_EQ(hello.inputs[0].content_type, "*");
    EXPECT_FALSE(hello.inputs[0].optional);
    ASSERT_EQ(hello.outputs.size(), 1U);
    EXPECT_TRUE(hello.outputs[0].optional);
}

TEST_F(Describe, TakesThingsThatNobodyDescribed) {
    type.doc = every.doc = in.doc = plugin.doc = nullptr;
    EXPECT_EQ(complaint(), "");
}

TEST_F(Describe, TakesAStructThatHasGrown) {
    plugin.size += 8;
    type.size += 8;
    EXPECT_EQ(complaint(), "");
}

TEST_F(Describe, RefusesNothingAtAll) {
    EXPECT_THAT(message_of(describe(nullptr, note, "x.so")),
                HasSubstr("the return value of skep_plugin_v1 is null"));
}

TEST_F(Describe, RefusesAStructThatIsTooSmall) {
    plugin.size = 8;
    EXPECT_THAT(complaint(), HasSubstr("has size 8, expected at least"));
    plugin.size = sizeof(plugin);
    type.size = offsetof(skep_worker_type, state_version) - 1;
    EXPECT_THAT(complaint(), HasSubstr("worker type 0 has size"));
    type.size = sizeof(type);
    every.size = 0;
    EXPECT_THAT(complaint(), HasSubstr("parameter 0 of worker type 'hello' has size 0"));
    every.size = sizeof(every);
    out.size = 4;
    EXPECT_THAT(complaint(), HasSubstr("output 0 of worker type 'hello' has size 4"));
}

TEST_F(Describe, TakesATypeFromBeforeThereWasAState) {
    type.state_version = 7;  // is not read
    type.size = offsetof(skep_worker_type, state_version);
    EXPECT_EQ(complaint(), "");
    EXPECT_EQ(describe(&plugin, note, "x.so")->types[0].state_version, 0U);
}

TEST_F(Describe, RefusesAStateThatCannotBeHandedOver) {
    type.state_version = type.state_oldest = 2;
    EXPECT_THAT(complaint(), HasSubstr("expected save_state and load_state"));
    type.save_state = [](const void*, const skep_state_sink*) { return 0; };
    type.load_state = [](void*, uint32_t, const void*, uint64_t) { return 0; };
    EXPECT_EQ(complaint(), "");
    type.state_oldest = 3;
    EXPECT_THAT(complaint(), HasSubstr("has state_oldest 3, expected 1 to state_version (2)"));
    type.state_oldest = 0;
    EXPECT_THAT(complaint(), HasSubstr("has state_oldest 0"));
    type.state_version = 0;
    EXPECT_THAT(complaint(), HasSubstr("neither with 0"));
}

TEST_F(Describe, TellsWhoCanReconfigure) {
    EXPECT_FALSE(describe(&plugin, note, "x.so")->types[0].can_reconfigure);
    type.reconfigure = [](void*) { return 0; };
    EXPECT_TRUE(describe(&plugin, note, "x.so")->types[0].can_reconfigure);
    type.size = offsetof(skep_worker_type, reconfigure);
    EXPECT_FALSE(describe(&plugin, note, "x.so")->types[0].can_reconfigure) << "it is older";
}

TEST_F(Describe, RefusesAFlagThatItMustUnderstandAndIgnoresOthers) {
    in.flags = 0x8000;
    EXPECT_EQ(complaint(), "");
    in.flags = SKEP_MUST_UNDERSTAND;
    EXPECT_THAT(complaint(), HasSubstr("must understand"));
}

TEST_F(Describe, RefusesWhatDiffersFromTheNote) {
    plugin.id = "org.example.other";
    EXPECT_THAT(complaint(),
                HasSubstr("id is 'org.example.other', but its note says "
                          "'org.example.hello'"));
    plugin.id = note.plugin_id;
    plugin.version = "2.0.0";
    EXPECT_THAT(complaint(), HasSubstr("version is '2.0.0'"));
    plugin.version = note.plugin_version;
    plugin.abi_minor += 1;
    EXPECT_THAT(complaint(), HasSubstr("abi_minor"));
}

TEST_F(Describe, RefusesNullPointersByName) {
    const struct {
        const char** place;
        const char* complaint;
    } cases[] = {
        {&type.name, "the name of worker type 0 is null"},
        {&every.name, "the name of parameter 0 of worker type 'hello' is null"},
        {&plugin.version, "the plugin's version is null"},
        {&in.name, "the name of input 0 of worker type 'hello' is null"},
        {&in.content_type, "the content type of input 0 of worker type 'hello' is null"},
    };

    for (const auto& one : cases) {
        const char* const before = *one.place;
        *one.place = nullptr;
        EXPECT_THAT(message_of(describe(&plugin, note, "x.so")), HasSubstr(one.complaint));
        *one.place = before;
    }
    type.params = nullptr;
    EXPECT_THAT(complaint(), HasSubstr("is null, but its count is 2"));
    type.params = params;
    params[1] = nullptr;
    EXPECT_THAT(complaint(), HasSubstr("parameter 1 of worker type 'hello' is null"));
}

TEST_F(Describe, RefusesAnIdOrVersionOfAnotherForm) {
    for (const char* id : {"", "org..hello", "1st.hello", "org.example.", "org/example"}) {
        std::strcpy(note.plugin_id, id);
        plugin.id = id;
        EXPECT_THAT(complaint(), HasSubstr("is not of the form 'org.example.hello'")) << id;
    }
    plugin.id = std::strcpy(note.plugin_id, "org.example.hello");
    for (const char* version : {"", "1", "1.2", "1.2.", "v1.2.3", "1.2.3beta"}) {
        std::strcpy(note.plugin_version, version);
        plugin.version = version;
        EXPECT_THAT(complaint(), HasSubstr("is not of the form '1.2.3'")) << version;
    }
}

TEST_F(Describe, RefusesNamesOfAnotherForm) {
    for (const char* name : {"", "Hello", "9lives", "a-b", "a b", "_a"}) {
        out.name = name;
        EXPECT_THAT(complaint(), HasSubstr("is not of the form [a-z][a-z0-9_]*")) << name;
    }
}

TEST_F(Describe, RefusesANameThatIsTaken) {
    greeting.name = "every";
    EXPECT_THAT(complaint(),
                HasSubstr("the name 'every' of parameter 1 of worker type 'hello' is used twice"));
    greeting.name = "greeting";
    plugin.type_count = 2;
    EXPECT_THAT(complaint(), HasSubstr("the name 'hello' of worker type 1 is used twice"));
}

TEST_F(Describe, RefusesAPluginWithoutTypesOrWithTooMany) {
    plugin.type_count = 0;
    EXPECT_THAT(complaint(), HasSubstr("has no worker type"));
    plugin.type_count = 4'000'000'000U;
    EXPECT_THAT(complaint(), HasSubstr("has 4000000000 entries"));
}

TEST_F(Describe, RefusesATypeWithoutItsFunctions) {
    const auto create = type.create;
    type.create = nullptr;
    EXPECT_THAT(complaint(), HasSubstr("has no create function"));
    type.create = create;
    const auto destroy = type.destroy;
    type.destroy = nullptr;
    EXPECT_THAT(complaint(), HasSubstr("has no destroy function"));
    type.destroy = destroy;
}

TEST_F(Describe, WantsExactlyOneOfRunAndOnMessage) {
    type.run = [](void*) { return 0; };
    EXPECT_THAT(complaint(), HasSubstr("has both run and on_message"));
    type.on_message = nullptr;
    EXPECT_EQ(complaint(), "");
    type.run = nullptr;
    EXPECT_THAT(complaint(), HasSubstr("has neither run and on_message"));
}

TEST_F(Describe, RefusesParametersThatContradictThemselves) {
    const skep_param good = every;
    const auto complaint_of = [&](auto&& change) {
        every = good;
        change(every);
        return complaint();
    };
    EXPECT_THAT(complaint_of([](auto& p) { p.type = 99; }), HasSubstr("unknown type 99"));
    EXPECT_THAT(
        complaint_of([](auto& p) { p.default_value = "soon"; }),
        HasSubstr("the default of parameter 0 of worker type 'hello' ('every') 'soon' is not a"));
    EXPECT_THAT(complaint_of([](auto& p) { p.default_value = "2h"; }),
                HasSubstr("out of its bounds"));
    EXPECT_THAT(complaint_of([](auto& p) { p.default_value = "1us"; }),
                HasSubstr("out of its bounds"));
    EXPECT_THAT(complaint_of([](auto& p) {
                    p.default_value = nullptr;
                    p.min_value = "2h";
                }),
                HasSubstr("above its maximum"));
    EXPECT_THAT(complaint_of([](auto& p) { p.flags |= SKEP_PARAM_REQUIRED; }),
                HasSubstr("is required and has a default"));
    EXPECT_THAT(complaint_of([&](auto& p) { p.choices = choices; }), HasSubstr("has choices"));
    every = good;
    greeting.default_value = "hi";
    EXPECT_THAT(complaint(), HasSubstr("not one of its choices"));
    greeting.default_value = nullptr;
    choices[0] = nullptr;
    EXPECT_THAT(complaint(), HasSubstr("empty list of choices"));
    greeting.choices = nullptr;
    greeting.max_value = "z";
    EXPECT_THAT(complaint(), HasSubstr("has bounds"));
}

TEST_F(Describe, SaysAllThatIsWrongAtOnce) {
    greeting.name = "every";
    type.create = nullptr;
    out.name = "Out";
    const auto info = describe(&plugin, note, "x.so");
    ASSERT_FALSE(info);
    EXPECT_EQ(info.error().size(), 3U);
    EXPECT_EQ(info.error()[0].file, "x.so");
}

}  // namespace
}  // namespace skep::host
