// Defines the verbs of the command line that steer a running host. See options.hpp.
#pragma once

#include <string>
#include <utility>

#include <CLI/CLI.hpp>

#include "host/cli/options.hpp"

namespace skep::host {

// Adds every verb for a running host to `app`.
void add_steering(CLI::App& app, Options& options);

// Adds an option that takes one of two words. Sets `is_second` if the user gave the second word.
CLI::Option* add_choice(CLI::App& app,
                        const std::string& flags,
                        const std::pair<std::string, std::string>& words,
                        bool& is_second,
                        const std::string& doc);

}  // namespace skep::host
