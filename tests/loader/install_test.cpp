// The way of an author: install the plugin API, build a project outside of the tree by find_package
// and skep_add_plugin, load the result.
#include <cstdlib>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <skep/note.h>

#include "tests/support/loader_fixture.hpp"

namespace skep::host {
namespace {

using testing::HasSubstr;

class Install : public LoaderFixture {};

std::string quoted(const std::string& text) {
    return " '" + text + "'";
}

TEST_F(Install, APluginBuildsOutsideOfTheTreeAndLoads) {
    const std::string cmake = quoted(SKEP_CMAKE);
    const std::string log = " >>" + (folder_ / "log") + " 2>&1";
    const std::string steps[] = {
        cmake + " --install" + quoted(SKEP_BINARY_DIR) + " --component plugin_api --prefix" +
            quoted(folder_ / "prefix"),
        cmake + " -S" + quoted(std::string(SKEP_SOURCE_DIR) + "/tests/install") + " -B" +
            quoted(folder_ / "build") + " -DCMAKE_CXX_COMPILER=" + quoted(SKEP_CXX).substr(1) +
            " -DCMAKE_PREFIX_PATH=" + quoted(folder_ / "prefix").substr(1),
        cmake + " --build" + quoted(folder_ / "build"),
    };
    for (const std::string& step : steps) {
        ASSERT_EQ(std::system((step + log).c_str()), 0) << step << "\n"
                                                        << std::ifstream(folder_ / "log").rdbuf();
    }
    auto library = loader_->open(folder_ / "build/libhello.so");
    if (SKEP_THIS_SANITIZERS != 0) {
        EXPECT_THAT(message_of(library), HasSubstr("built with no sanitizer, this host with"));
        return;
    }
    ASSERT_TRUE(library) << message_of(library);
    EXPECT_EQ((*library)->info().id, "org.example.hello");
    EXPECT_TRUE(loader_->close(std::move(*library)).unloaded);
}

}  // namespace
}  // namespace skep::host
