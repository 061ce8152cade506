// Values as users write them in a topology: "42", "1.5", "true", "200ms", "64KiB".
//
// The text must contain only the value: no white space, no sign "+". Each function returns nothing
// when the text is something else, or when the value does not fit.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace skep::host {

[[nodiscard]] std::optional<std::int64_t> parse_integer(std::string_view text);

// Accepts only finite values.
[[nodiscard]] std::optional<double> parse_number(std::string_view text);

[[nodiscard]] std::optional<bool> parse_boolean(std::string_view text);

// Returns nanoseconds, rounded to the nearest; units ns us ms s m h d. Exactly one unit is
// required.
[[nodiscard]] std::optional<std::int64_t> parse_duration(std::string_view text);

// Hints for a duration or size that does not parse.
inline constexpr std::string_view duration_advice =
    "a duration is a number and one unit: ns, us, ms, s, m, h or d; up to 292 years";
inline constexpr std::string_view size_advice =
    "a size is a number and one unit: B, kB, KiB, MB, MiB, GB or GiB; below 8589934592GiB";

// Returns bytes, rounded to the nearest; units B kB KiB MB MiB GB GiB. The unit is required.
[[nodiscard]] std::optional<std::int64_t> parse_size(std::string_view text);

// Returns the shortest text that reads back as the same number and shows that it is not an integer:
// "1.0", "0.25".
[[nodiscard]] std::string number_text(double value);

}  // namespace skep::host
