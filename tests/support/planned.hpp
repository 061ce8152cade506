// From the text of a file to its plan, for tests of files that are good.
#pragma once

#include <string>

#include <gtest/gtest.h>

#include "tests/support/fake_plugins.hpp"

namespace skep::host {

// `text` is the file without its version. A failure of the test when anything is wrong with it.
inline Planned planned(const std::string& text,
                       const FindPlugin& find_plugin = find_fake_plugin,
                       const std::string& file = "web.toml") {
    const std::string source = "version = 1\n" + text;
    Result<Planned> result = make_plan(parse_topology(source, file, fake_environment), find_plugin);
    if (!result) {
        ADD_FAILURE() << render(result.error().at(0), source);
        return {};
    }
    return std::move(*result);
}

}  // namespace skep::host
