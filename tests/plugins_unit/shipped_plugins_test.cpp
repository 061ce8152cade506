// What holds for every plugin that is shipped, and all there is to say of the two smallest.
#include <cctype>
#include <string>

#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fake_host.hpp"

namespace skep::test {
namespace {

using ::testing::ElementsAre;

class ShippedPlugins : public ::testing::TestWithParam<const char*> {};

TEST_P(ShippedPlugins, SayWhoTheyAre) {
    const OpenedPlugin opened(GetParam());
    EXPECT_EQ(opened.plugin().id, std::string("org.skep.") + GetParam());
    EXPECT_STREQ(opened.plugin().version, "0.1.0");
    EXPECT_EQ(opened.plugin().abi_minor, SKEP_ABI_MINOR);
    ASSERT_EQ(opened.plugin().type_count, 1u);
    EXPECT_STREQ(opened.type().name, GetParam());
    EXPECT_NE(opened.type().doc, nullptr);
}

TEST_P(ShippedPlugins, HaveDefaultsWithinTheirBounds) {
    const OpenedPlugin opened(GetParam());
    for (std::uint32_t i = 0; i < opened.type().param_count; ++i) {
        const skep_param& param = *opened.type().params[i];
        const auto type = static_cast<host::ParamType>(param.type - 1);
        for (const char* text : {param.default_value, param.min_value, param.max_value}) {
            EXPECT_TRUE(text == nullptr || host::parse_param(type, text)) << param.name;
        }
        if (param.default_value != nullptr && param.min_value != nullptr) {
            EXPECT_GE(*host::parse_param(type, param.default_value),
                      *host::parse_param(type, param.min_value))
                << param.name;
        }
    }
}

TEST_P(ShippedPlugins, AreUnmappedWhenTheyAreClosed) {
    const std::string path = OpenedPlugin::path_of(GetParam());
    { const OpenedPlugin opened(GetParam()); }
    EXPECT_EQ(::dlopen(path.c_str(), RTLD_NOW | RTLD_NOLOAD), nullptr);
}

INSTANTIATE_TEST_SUITE_P(Each,
                         ShippedPlugins,
                         ::testing::Values("blackhole",
                                           "console",
                                           "count",
                                           "data_processor",
                                           "file_tail",
                                           "generate",
                                           "hello",
                                           "regex"),
                         [](const auto& test) { return std::string(test.param); });

TEST(Hello, GreetsWhoeverAMessageNames) {
    FakeHost host("hello");
    ASSERT_EQ(host.create(), SKEP_OK);
    EXPECT_EQ(host.handle({"Ada", "Grace"}), SKEP_OK);
    EXPECT_THAT(host.texts(), ElementsAre("Hello, Ada!", "Hello, Grace!"));
}

TEST(Blackhole, TakesEverythingAndDoesNothing) {
    FakeHost host("blackhole");
    ASSERT_EQ(host.create(), SKEP_OK);
    EXPECT_EQ(host.handle({"", "x", std::string(1 << 20, 'x')}), SKEP_OK);
    EXPECT_EQ(host.done, 3u);
    EXPECT_TRUE(host.emitted.empty());
    EXPECT_EQ(host.drain(), SKEP_OK);
}

}  // namespace
}  // namespace skep::test
