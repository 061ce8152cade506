// Replaces ${...} in the text of one string by variables of the environment:
//
//   ${VAR}            its value; an error when it is not set
//   ${VAR:-default}   its value, or `default` when it is not set or empty
//   ${VAR:?message}   its value, or an error with `message` when it is not set or empty
//   $$                a dollar sign
//
// A $ before anything else stays: regular expressions are full of them. References do not nest, and
// the value of a variable is never interpolated again.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "host/topology/topology.hpp"

namespace skep::host {

struct InterpolationError {
    std::size_t offset = 0;  // of the ${ in the text
    std::size_t length = 0;  // of the reference
    std::string message, hint;
};

struct Interpolated {
    std::string text;
    bool changed = false;                    // there was at least one reference
    std::vector<InterpolationError> errors;  // when not empty, `text` means nothing
};

[[nodiscard]] Interpolated interpolate(std::string_view text, const Environment& environment);

}  // namespace skep::host
