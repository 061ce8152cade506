// A host whose topology and plugins a test changes while it runs, by the real program.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/process.hpp"
#include "tests/support/temp_folder.hpp"

namespace skep::host {

namespace fs = std::filesystem;
using test::Finished;
using test::Process;
using testing::HasSubstr;

class Reload : public testing::Test {
protected:
    // Puts a test plugin where the topology looks for "plugin", as an installer does.
    void install(const std::string& name) const {
        const std::string from = std::string(SKEP_TEST_PLUGIN_DIR) + "/lib" + name + ".so";
        fs::copy_file(from, folder / "new.so", fs::copy_options::overwrite_existing);
        fs::rename(folder / "new.so", folder / "libplugin.so");
    }

    void write(const std::string& text) const {
        folder.write("bees.toml",
                     "version = 1\nhost.plugin_path = [\".\"]\nhost.probation = \"" + probation +
                         "\"\n" + text);
    }

    void start(const std::string& verb = "run") {
        host = std::make_unique<Process>(
            test::Arguments{
                SKEP_EXECUTABLE, verb, folder / "bees.toml", "--audit", folder / "audit.jsonl"},
            variables(),
            fuse);
        ASSERT_TRUE(host->wait_for_err("running 'bees'")) << host->wait().err;
    }

    Finished skep(test::Arguments arguments) const {
        arguments.insert(arguments.begin(), SKEP_EXECUTABLE);
        return test::run(arguments, variables());
    }

    // "reload #2: applied: ..."
    std::string reload(int exit_code = 0) const {
        const Finished ended = skep({"reload"});
        EXPECT_EQ(ended.exit_code, exit_code) << ended.out << ended.err;
        return ended.out;
    }

    void greet(const std::string& who, const std::string& expected) const {
        EXPECT_EQ(skep({"send", "w", who}).exit_code, 0);
        EXPECT_TRUE(host->wait_for_err(expected)) << host->wait().err;
    }

    // Ends the host, and holds it against the accounting.
    std::string stop() const {
        EXPECT_EQ(skep({"stop"}).exit_code, 0);
        const Finished& ended = host->wait();
        EXPECT_EQ(ended.exit_code, 0) << ended.err;
        EXPECT_THAT(ended.err, HasSubstr("balanced"));
        return ended.err;
    }

    [[nodiscard]] test::Variables variables() const {
        return {{"XDG_RUNTIME_DIR", folder.path()}, {"TMPDIR", ""}, {"SKEP_CONTROL", ""}};
    }

    const test::TempFolder folder;
    std::unique_ptr<Process> host;
    std::chrono::seconds fuse = std::chrono::minutes(1);  // of the host's life
    std::string probation = "1ms";
    const std::string one_worker = "[worker.w]\nplugin = \"plugin\"\n";
    const std::string source = "[worker.g]\nplugin = \"generate\"\nconfig.interval = \"1h\"\n";
};

}  // namespace skep::host
