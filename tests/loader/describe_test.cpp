// Each rule of skep/abi.h on descriptors, broken once.
#include "host/loader/describe.hpp"

#include <cstring>
#include <initializer_list>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/plugin_files.hpp"

namespace skep::host {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// A descriptor that keeps all rules; each test breaks one.
struct Descriptor {
    Descriptor() {
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

    void give_state(uint32_t version, uint32_t oldest) {
        type.state_version = version;
        type.state_oldest = oldest;
        type.save_state = [](const void*, const skep_state_sink*) { return 0; };
        type.load_state = [](void*, uint32_t, const void*, uint64_t) { return 0; };
    }

    static int run(void*) { return 0; }

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

struct BrokenRule {
    void (*breaks)(Descriptor&);
    const char* complaint;
};

class Describe : public testing::Test, protected Descriptor {
protected:
    static void expect_refused(std::initializer_list<BrokenRule> rules) {
        for (const BrokenRule& rule : rules) {
            Descriptor broken;
            rule.breaks(broken);
            EXPECT_THAT(broken.complaint(), HasSubstr(rule.complaint));
        }
    }
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
    expect_refused({
        {[](Descriptor& it) { it.plugin.size = 8; }, "has size 8, expected at least"},
        {[](Descriptor& it) { it.type.size = offsetof(skep_worker_type, state_version) - 1; },
         "worker type 0 has size"},
        {[](Descriptor& it) { it.every.size = 0; },
         "parameter 0 of worker type 'hello' has size 0"},
        {[](Descriptor& it) { it.out.size = 4; }, "output 0 of worker type 'hello' has size 4"},
    });
}

TEST_F(Describe, TakesATypeFromBeforeThereWasAState) {
    type.state_version = 7;  // is not read
    type.size = offsetof(skep_worker_type, state_version);
    EXPECT_EQ(complaint(), "");
    EXPECT_EQ(describe(&plugin, note, "x.so")->types[0].state_version, 0U);
}

TEST_F(Describe, RefusesAStateThatCannotBeHandedOver) {
    expect_refused({
        {[](Descriptor& it) { it.type.state_version = it.type.state_oldest = 2; },
         "expected save_state and load_state"},
        {[](Descriptor& it) { it.give_state(2, 3); },
         "has state_oldest 3, expected 1 to state_version (2)"},
        {[](Descriptor& it) { it.give_state(2, 0); }, "has state_oldest 0"},
        {[](Descriptor& it) { it.give_state(0, 0); }, "neither with 0"},
    });
    give_state(2, 2);
    EXPECT_EQ(complaint(), "");
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
    expect_refused({
        {[](Descriptor& it) { it.plugin.id = "org.example.other"; },
         "id is 'org.example.other', but its note says 'org.example.hello'"},
        {[](Descriptor& it) { it.plugin.version = "2.0.0"; }, "version is '2.0.0'"},
        {[](Descriptor& it) { it.plugin.abi_minor += 1; }, "abi_minor"},
    });
}

TEST_F(Describe, RefusesNullPointersByName) {
    expect_refused({
        {[](Descriptor& it) { it.type.name = nullptr; }, "the name of worker type 0 is null"},
        {[](Descriptor& it) { it.every.name = nullptr; },
         "the name of parameter 0 of worker type 'hello' is null"},
        {[](Descriptor& it) { it.in.name = nullptr; },
         "the name of input 0 of worker type 'hello' is null"},
        {[](Descriptor& it) { it.in.content_type = nullptr; },
         "the content type of input 0 of worker type 'hello' is null"},
        {[](Descriptor& it) { it.type.params = nullptr; }, "is null, but its count is 2"},
        {[](Descriptor& it) { it.params[1] = nullptr; },
         "parameter 1 of worker type 'hello' is null"},
    });
    plugin.version = nullptr;  // and with that, it is not the version of the note
    EXPECT_THAT(message_of(describe(&plugin, note, "x.so")),
                HasSubstr("the plugin's version is null"));
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
    expect_refused({
        {[](Descriptor& it) { it.greeting.name = "every"; },
         "the name 'every' of parameter 1 of worker type 'hello' is used twice"},
        {[](Descriptor& it) { it.plugin.type_count = 2; },
         "the name 'hello' of worker type 1 is used twice"},
    });
}

TEST_F(Describe, RefusesAPluginWithoutTypesOrWithTooMany) {
    expect_refused({
        {[](Descriptor& it) { it.plugin.type_count = 0; }, "has no worker type"},
        {[](Descriptor& it) { it.plugin.type_count = 4'000'000'000U; }, "has 4000000000 entries"},
    });
}

TEST_F(Describe, RefusesATypeWithoutItsFunctions) {
    expect_refused({
        {[](Descriptor& it) { it.type.create = nullptr; }, "has no create function"},
        {[](Descriptor& it) { it.type.destroy = nullptr; }, "has no destroy function"},
    });
}

TEST_F(Describe, WantsExactlyOneOfRunAndOnMessage) {
    expect_refused({
        {[](Descriptor& it) { it.type.run = Descriptor::run; }, "has both run and on_message"},
        {[](Descriptor& it) { it.type.on_message = nullptr; }, "has neither run and on_message"},
    });
    type.run = run;
    type.on_message = nullptr;
    EXPECT_EQ(complaint(), "");
}

TEST_F(Describe, RefusesParametersThatContradictThemselves) {
    expect_refused({
        {[](Descriptor& it) { it.every.type = 99; }, "unknown type 99"},
        {[](Descriptor& it) { it.every.default_value = "soon"; },
         "the default of parameter 0 of worker type 'hello' ('every') 'soon' is not a"},
        {[](Descriptor& it) { it.every.default_value = "2h"; }, "out of its bounds"},
        {[](Descriptor& it) { it.every.default_value = "1us"; }, "out of its bounds"},
        {[](Descriptor& it) {
             it.every.default_value = nullptr;
             it.every.min_value = "2h";
         },
         "above its maximum"},
        {[](Descriptor& it) { it.every.flags |= SKEP_PARAM_REQUIRED; },
         "is required and has a default"},
        {[](Descriptor& it) { it.every.choices = it.choices; }, "has choices"},
        {[](Descriptor& it) { it.greeting.default_value = "hi"; }, "not one of its choices"},
        {[](Descriptor& it) { it.greeting.default_value = it.choices[0] = nullptr; },
         "empty list of choices"},
        {[](Descriptor& it) {
             it.greeting.default_value = nullptr;
             it.greeting.choices = nullptr;
             it.greeting.max_value = "z";
         },
         "has bounds"},
    });
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
