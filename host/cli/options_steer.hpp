// The part of the command line that is about a running host. See options.hpp.
#pragma once

#include <string>
#include <utility>

#include <CLI/CLI.hpp>

#include "host/cli/options.hpp"

namespace skep::host {

// Adds every verb for a running host to `app`.
void add_steering(CLI::App& app, Options& options);

// A flag that takes one of two words; `is_second` becomes whether it is the second.
CLI::Option* add_choice(CLI::App& app,
                        const std::string& flags,
                        const std::pair<std::string, std::string>& words,
                        bool& is_second,
                        const std::string& doc);

}  // namespace skep::host
