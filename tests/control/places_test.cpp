#include "host/control/places.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace skep::host {
namespace {

using testing::ElementsAre;

TEST(ControlPlaces, PreferTheFolderOfTheUser) {
    EXPECT_THAT(control_folders("/run/user/7"), ElementsAre("/run/user/7/skep", "/run/skep"));
    EXPECT_THAT(control_folders("/run/user/7/"), ElementsAre("/run/user/7/skep", "/run/skep"));
    EXPECT_THAT(control_folders(""), ElementsAre("/run/skep"));
    EXPECT_THAT(control_folders(nullptr), ElementsAre("/run/skep"));
}

TEST(ControlPlaces, NameTheSocketAfterTheHost) {
    EXPECT_EQ(control_path("/run/skep", "web-errors"), "/run/skep/web-errors.sock");
}

TEST(ControlPlaces, ANameThatLeavesTheFolderIsNone) {
    for (const char* name : {"", "a/b", "../a", "/a"}) {
        EXPECT_FALSE(is_socket_name(name)) << name;
    }
    EXPECT_TRUE(is_socket_name("web errors"));
    EXPECT_FALSE(is_socket_name(std::string("a\0b", 3)));
}

}  // namespace
}  // namespace skep::host
