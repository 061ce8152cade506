// What a debugger sees of a plugin that was reloaded.
#include <filesystem>
#include <string>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/reload_fixture.hpp"

namespace skep::host {
namespace {

using Debugger = Reload;

TEST_F(Debugger, ResolvesTheSymbolsOfAPluginThatWasReloaded) {
    if (!fs::exists("/usr/bin/gdb")) {
        GTEST_SKIP() << "there is no gdb here";
    }
    install("greeter_1");
    write(one_worker);
    start();
    install("greeter_2");
    EXPECT_THAT(reload(), HasSubstr("applied: swap w"));
    while (folder.read("audit.jsonl").find(R"("event":"unloaded")") == std::string::npos) {
        std::this_thread::yield();  // then only the second version is mapped
    }
    const Finished seen = test::run({"/usr/bin/gdb",
                                     "-nx",
                                     "-batch",
                                     "-p",
                                     std::to_string(host->pid()),
                                     "-ex",
                                     "info sharedlibrary libplugin",
                                     "-ex",
                                     "info functions -n on_message"});
    if (seen.err.find("ptrace: Operation not permitted") != std::string::npos) {
        GTEST_SKIP() << "may not look into other processes here";
    }
    EXPECT_EQ(seen.exit_code, 0) << seen.err;
    EXPECT_THAT(seen.out, testing::ContainsRegex("Yes .*/skep-[0-9]+\\.[^/]+/[^/]+"));
    // By its class or by its file, as the compiler wrote it down.
    EXPECT_THAT(
        seen.out,
        testing::AnyOf(HasSubstr("type_of<Greeter>::on_message"), HasSubstr("greeter.cpp:\n")));
    greet("Ada", "version 2: hello Ada, number 1");
    stop();
}

}  // namespace
}  // namespace skep::host
