// Replaces ${...} in one string with environment variables:
//
//   ${VAR}            its value; an error when it is not set
//   ${VAR:-default}   its value, or `default` when it is not set or empty
//   ${VAR:?message}   its value, or an error with `message` when it is not set or empty
//   $$                a dollar sign
//
// A $ before any other text is unchanged: regular expressions often contain it. References do not
// nest, and the value of a variable is not interpolated again.
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
    bool changed = false;                    // the text had at least one reference
    std::vector<InterpolationError> errors;  // if not empty, `text` has no meaning
};

[[nodiscard]] Interpolated interpolate(std::string_view text, const Environment& environment);

}  // namespace skep::host
