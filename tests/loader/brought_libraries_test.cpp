// A plugin and the libraries that lie beside it are one: they change together, and each version has
// its own.
#include "host/loader/brought_libraries.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/loader_fixture.hpp"

namespace skep::host::brought_libraries_test {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

class BroughtLibraries : public LoaderFixture {
protected:
    // As an installer does it: by a rename.
    void install(const std::string& from, const std::string& to) const {
        write_file(installed_ / "new", read_file(SKEP_TEST_PLUGIN_DIR "/" + from));
        std::filesystem::rename(installed_ / "new", to);
    }

    void install(int helper) const {
        install("helper_" + std::to_string(helper) + "/libhelper.so", helper_);
        install("libuses_helper.so", plugin_);
    }

    const TempFolder installed_;
    const std::string plugin_ = installed_ / "libuses_helper.so";
    const std::string helper_ = installed_ / "libhelper.so";
};

TEST_F(BroughtLibraries, AreFoundBesideThePlugin) {
    install(1);
    auto library = open(plugin_);
    EXPECT_EQ(ask(library), 1);
    EXPECT_THAT(library->info().libraries, ElementsAre(helper_));
    expect_unloads(library);
    EXPECT_TRUE(std::filesystem::is_empty(loader_->staging_folder()));
}

// dlopen alone would give the second the library that the first has mapped: by its name.
TEST_F(BroughtLibraries, EachVersionOfAPluginHasItsOwn) {
    install(1);
    auto first = open(plugin_);
    install(2);
    auto second = open(plugin_);
    EXPECT_EQ(ask(second), 2);
    EXPECT_EQ(ask(first), 1);
    EXPECT_NE(first->info().content, second->info().content);
    expect_unloads(first);
    EXPECT_EQ(ask(second), 2);
    expect_unloads(second);
}

TEST_F(BroughtLibraries, OfTheSameContentAreOne) {
    install(1);
    auto first = open(plugin_);
    auto second = open(plugin_);
    EXPECT_EQ(first->info().content, second->info().content);
    EXPECT_EQ(ask(second), 1);
    expect_unloads(first);
    EXPECT_EQ(ask(second), 1);
    expect_unloads(second);
}

TEST_F(BroughtLibraries, AChangeOfOneAloneIsAChangeOfThePlugin) {
    install(1);
    const Result<PluginInfo> before = loader_->inspect(plugin_);
    install("helper_2/libhelper.so", helper_);
    const Result<PluginInfo> after = loader_->inspect(plugin_);
    ASSERT_TRUE(before && after);
    EXPECT_NE(before->content, after->content);
    EXPECT_THAT(message_of(loader_->open(plugin_, before->content)), HasSubstr("has changed"));
}

TEST_F(BroughtLibraries, AreKeptForARollback) {
    install(1);
    auto first = open(plugin_);
    const std::string content = first->info().content;
    loader_->keep({content});
    close(first);
    install(2);
    auto second = open(plugin_);
    auto again = loader_->open(plugin_, content);
    ASSERT_TRUE(again) << message_of(again);
    EXPECT_EQ(ask(*again), 1);
    EXPECT_EQ(ask(second), 2);
    expect_unloads(*again);
    expect_unloads(second);
}

TEST_F(BroughtLibraries, AreTrustedByTheRulesOfPlugins) {
    install(1);
    ASSERT_EQ(::chmod(helper_.c_str(), 0666), 0);
    EXPECT_THAT(refusal(plugin_),
                AllOf(HasSubstr(helper_), HasSubstr("other users than its owner")));
}

TEST_F(BroughtLibraries, AMissingOneIsNamed) {
    install("libuses_helper.so", plugin_);
    EXPECT_THAT(refusal(plugin_), HasSubstr("libhelper.so: cannot open shared object file"));
}

TEST_F(BroughtLibraries, TheirThreadKeysAreThoseOfThePlugin) {
    install(1);
    EXPECT_EQ(loader_->inspect(plugin_)->thread_keys, "libhelper.so: pthread_key_create");
}

// The host's own stay the host's, and what the system installs is shared by all.
TEST_F(BroughtLibraries, AreNoneOfTheHostAndTheSystem) {
    const std::string plugin = test_plugin("greeter_1");
    const Result<ElfFacts> facts = read_elf(read_file(plugin), plugin);
    ASSERT_TRUE(facts);
    const auto found = find_brought_libraries(*facts, plugin, libraries_of_host());
    ASSERT_TRUE(found) << message_of(found);
    EXPECT_TRUE(found->all.empty());
}

TEST(SystemFolder, IsWhereTheDynamicLinkerLooksByItself) {
    for (const char* const it :
         {"/lib", "/usr/lib", "/lib64", "/usr/lib64", "/usr/lib/x86_64-linux-gnu"}) {
        EXPECT_TRUE(is_system_folder(it)) << it;
    }
    for (const char* const it :
         {"/opt/lib", "/usr/lib/skep/plugins", "/usr/local/lib", "/library", "/", "."}) {
        EXPECT_FALSE(is_system_folder(it)) << it;
    }
}

}  // namespace
}  // namespace skep::host::brought_libraries_test
