#include "host/topology/units.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <span>

namespace skep::host {
namespace {

struct Unit {
    std::string_view name;
    std::int64_t factor;
};

constexpr std::array duration_units = {
    Unit{"ns", 1},
    Unit{"us", 1'000},
    Unit{"ms", 1'000'000},
    Unit{"s", 1'000'000'000},
    Unit{"m", 60'000'000'000},
    Unit{"h", 3'600'000'000'000},
    Unit{"d", 86'400'000'000'000},
};

constexpr std::array size_units = {
    Unit{"B", 1},
    Unit{"kB", 1'000},
    Unit{"KiB", 1 << 10},
    Unit{"MB", 1'000'000},
    Unit{"MiB", 1 << 20},
    Unit{"GB", 1'000'000'000},
    Unit{"GiB", 1 << 30},
};

constexpr std::int64_t largest = std::numeric_limits<std::int64_t>::max();

// Returns the value of the whole text, if from_chars reads all of it as a T.
template <typename T, typename... Format>
std::optional<T> whole(std::string_view text, Format... format) {
    T value{};
    const char* const end = text.data() + text.size();
    const auto [stopped, error] = std::from_chars(text.data(), end, value, format...);
    if (error != std::errc{} || stopped != end) {
        return {};
    }
    return value;
}

std::optional<std::int64_t> parse_quantity(std::string_view text, std::span<const Unit> units) {
    constexpr std::string_view digits = "0123456789";
    const std::size_t unit_at = text.find_first_not_of("0123456789.");
    if (unit_at == 0 || unit_at == std::string_view::npos) {
        return {};
    }
    const std::string_view count = text.substr(0, unit_at);
    if (digits.find(count.front()) == std::string_view::npos ||
        digits.find(count.back()) == std::string_view::npos) {
        return {};
    }
    for (const Unit& unit : units) {
        if (text.substr(unit_at) != unit.name) {
            continue;
        }
        // Whole numbers stay exact; a double would round them beyond 2^53.
        if (const auto exact = whole<std::int64_t>(count)) {
            if (*exact > largest / unit.factor) {
                return {};
            }
            return *exact * unit.factor;
        }
        const auto decimal = whole<double>(count, std::chars_format::fixed);
        if (!decimal) {
            return {};
        }
        const double scaled = std::round(*decimal * static_cast<double>(unit.factor));
        // 2^63 is the first double that an int64 cannot hold.
        if (!(scaled < 0x1p63)) {
            return {};
        }
        return static_cast<std::int64_t>(scaled);
    }
    return {};
}

}  // namespace

std::optional<std::int64_t> parse_integer(std::string_view text) {
    return whole<std::int64_t>(text);
}

std::optional<double> parse_number(std::string_view text) {
    const auto value = whole<double>(text);
    return value && std::isfinite(*value) ? value : std::nullopt;
}

std::optional<bool> parse_boolean(std::string_view text) {
    if (text == "true") {
        return true;
    }
    if (text == "false") {
        return false;
    }
    return {};
}

std::optional<std::int64_t> parse_duration(std::string_view text) {
    return parse_quantity(text, duration_units);
}

std::optional<std::int64_t> parse_size(std::string_view text) {
    return parse_quantity(text, size_units);
}

std::string number_text(double value) {
    std::array<char, 32> buffer;
    const auto [end, error] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
    std::string text(buffer.data(), error == std::errc{} ? end : buffer.data());
    if (text.find_first_not_of("-0123456789") == std::string::npos) {
        text += ".0";
    }
    return text;
}

}  // namespace skep::host
