// That the sanitizers see into plugins. A sanitizer that says nothing proves nothing unless it is
// known to speak: each build that has one runs a plugin that is wrong, and wants it reported.
#include <algorithm>
#include <filesystem>
#include <string_view>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "host/loader/elf_file.hpp"
#include "tests/support/plugin_files.hpp"
#include "tests/support/process.hpp"

namespace skep::host {
namespace {

using testing::ContainsRegex;

test::Finished run_topology(const std::string& text) {
    const TempFolder folder;
    write_file(folder / "a.toml", text);
    return test::run({SKEP_EXECUTABLE, "run", folder / "a.toml"});
}

TEST(ThreadSanitizer, ReportsTheRaceOfTwoWorkersOfOnePlugin) {
    if ((SKEP_THIS_SANITIZERS & SKEP_SANITIZER_THREAD) == 0) {
        GTEST_SKIP() << "this build is without ThreadSanitizer";
    }
    const std::string plugin = "plugin = \"" + test_plugin("racy_canary") + "\"\n";
    const test::Finished run =
        run_topology("version = 1\n[worker.first]\n" + plugin + "[worker.second]\n" + plugin);
    EXPECT_EQ(run.exit_code, 66) << "ThreadSanitizer's own exit code\n" << run.err;
    EXPECT_THAT(
        run.err,
        ContainsRegex(
            "SUMMARY: ThreadSanitizer: data race [^\n]*racy_canary.cpp:[0-9:]+ in [^\n]*run"));
}

TEST(AddressSanitizer, ReportsAPluginThatReadsAMessageTheHostHasFreed) {
    if ((SKEP_THIS_SANITIZERS & SKEP_SANITIZER_ADDRESS) == 0) {
        GTEST_SKIP() << "this build is without AddressSanitizer";
    }
    const test::Finished run = run_topology(
        "version = 1\n[worker.source]\nplugin = \"generate\"\nconfig = { count = 100 }\n"
        "[worker.canary]\nplugin = \"" +
        test_plugin("keeps_message_canary") +
        "\"\n[[route]]\nfrom = \"source\"\nto = \"canary\"\n");
    EXPECT_EQ(run.exit_code, 1) << "AddressSanitizer's own exit code\n" << run.err;
    EXPECT_THAT(run.err,
                ContainsRegex("SUMMARY: AddressSanitizer: heap-use-after-free "
                              "[^\n]*keeps_message_canary.cpp:[0-9:]+ in [^\n]*on_message"));
}

bool contains(const Bytes& bytes, std::string_view word) {
    const auto wanted = std::as_bytes(std::span(word));
    return std::search(bytes.begin(), bytes.end(), wanted.begin(), wanted.end()) != bytes.end();
}

// The note says what the plugin was compiled with; a symbol of the sanitizer's runtime in the file
// proves it.
TEST(ShippedPluginFiles, AreInstrumentedAsTheHostIs) {
    int count = 0;
    for (const auto& file : std::filesystem::directory_iterator(SKEP_PLUGIN_DIR)) {
        if (file.path().extension() != ".so") {
            continue;  // CMake's own
        }
        const Bytes bytes = read_file(file.path());
        const Result<ElfFacts> facts = read_elf(bytes, file.path());
        ASSERT_TRUE(facts && facts->note) << file.path();
        EXPECT_EQ(facts->note->sanitizers, SKEP_THIS_SANITIZERS) << file.path();
        EXPECT_EQ(contains(bytes, "__asan_init"),
                  (SKEP_THIS_SANITIZERS & SKEP_SANITIZER_ADDRESS) != 0)
            << file.path();
        EXPECT_EQ(contains(bytes, "__tsan_init"),
                  (SKEP_THIS_SANITIZERS & SKEP_SANITIZER_THREAD) != 0)
            << file.path();
        ++count;
    }
    EXPECT_GE(count, 8) << SKEP_PLUGIN_DIR;
}

}  // namespace
}  // namespace skep::host
