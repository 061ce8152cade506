#include "bench/svg.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

namespace bench {
namespace {

constexpr double width = 760, height = 440;
constexpr double left = 80, right = 150, top = 50, bottom = 60;
constexpr std::array<const char*, 6> colours = {
    "#1f6fb4", "#d1592a", "#2b8a3e", "#8a3ea0", "#8a6d1f", "#444444"};

std::string fixed(double value) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.1f", value);
    return text.data();
}

std::string escaped(const std::string& text) {
    std::string safe;
    for (const char letter : text) {
        safe += letter == '&' ? "&amp;" : letter == '<' ? "&lt;" : std::string(1, letter);
    }
    return safe;
}

// 0.01, 1, 1k, 1M
std::string power_of_ten(int exponent) {
    constexpr std::array<const char*, 4> units = {"", "k", "M", "G"};
    if (exponent < 0) {
        std::array<char, 32> text{};
        std::snprintf(text.data(), text.size(), "%g", std::pow(10, exponent));
        return text.data();
    }
    const auto unit = std::min<std::size_t>(static_cast<std::size_t>(exponent) / 3, 3);
    return std::to_string(std::lround(std::pow(10, exponent - 3 * static_cast<int>(unit)))) +
           units.at(unit);
}

// Whole decades around the values, mapped to a stretch of pixels.
class Axis {
public:
    Axis(double low, double high, double from, double to)
        : first_(static_cast<int>(std::floor(std::log10(low)))),
          last_(std::max(first_ + 1, static_cast<int>(std::ceil(std::log10(high))))),
          from_(from),
          to_(to) {}

    [[nodiscard]] double at(double value) const {
        const double part = (std::log10(value) - first_) / (last_ - first_);
        return from_ + part * (to_ - from_);
    }

    [[nodiscard]] int first() const { return first_; }

    [[nodiscard]] int last() const { return last_; }

private:
    int first_, last_;
    double from_, to_;
};

std::string text_at(double x, double y, const std::string& anchor, const std::string& text) {
    return "<text x=\"" + fixed(x) + "\" y=\"" + fixed(y) + "\" text-anchor=\"" + anchor + "\">" +
           escaped(text) + "</text>\n";
}

std::string grid_line(double x1, double y1, double x2, double y2) {
    return "<line x1=\"" + fixed(x1) + "\" y1=\"" + fixed(y1) + "\" x2=\"" + fixed(x2) +
           "\" y2=\"" + fixed(y2) + "\" stroke=\"#d8d8d8\"/>\n";
}

std::string frame(const Chart& chart, const Axis& x, const Axis& y) {
    const double middle = (left + width - right) / 2;
    std::string svg = "<text x=\"" + fixed(middle) +
                      "\" y=\"28\" text-anchor=\"middle\" font-size=\"16\">" +
                      escaped(chart.title) + "</text>\n";
    for (int i = x.first(); i <= x.last(); ++i) {
        const double at = x.at(std::pow(10, i));
        svg += grid_line(at, top, at, height - bottom);
        svg += text_at(at, height - bottom + 18, "middle", power_of_ten(i));
    }
    for (int i = y.first(); i <= y.last(); ++i) {
        const double at = y.at(std::pow(10, i));
        svg += grid_line(left, at, width - right, at);
        svg += text_at(left - 8, at + 4, "end", power_of_ten(i));
    }
    const double centre = (top + height - bottom) / 2;
    svg += text_at(middle, height - 16, "middle", chart.x_label);
    svg += "<g transform=\"rotate(-90 22 " + fixed(centre) + ")\">" +
           text_at(22, centre, "middle", chart.y_label) + "</g>\n";
    return svg;
}

std::string curve(const Line& line, const std::string& colour, const Axis& x, const Axis& y) {
    std::string path;
    std::string dots;
    for (const auto& [at, value] : line.points) {
        const std::string px = fixed(x.at(at));
        const std::string py = fixed(y.at(value));
        path += (path.empty() ? "M" : " L") + px + " " + py;
        dots += "<circle cx=\"" + px + "\" cy=\"" + py + "\" r=\"3\" fill=\"" + colour + "\"/>\n";
    }
    return "<path d=\"" + path + "\" fill=\"none\" stroke=\"" + colour +
           "\" stroke-width=\"2\"/>\n" + dots;
}

}  // namespace

std::string svg_of(const Chart& chart) {
    std::vector<Line> lines = chart.lines;
    double low_x = 1e300, high_x = 0, low_y = 1e300, high_y = 0;
    for (Line& line : lines) {
        std::erase_if(line.points,
                      [](const auto& point) { return point.first <= 0 || point.second <= 0; });
        for (const auto& [x, y] : line.points) {
            low_x = std::min(low_x, x);
            high_x = std::max(high_x, x);
            low_y = std::min(low_y, y);
            high_y = std::max(high_y, y);
        }
    }
    if (high_x == 0) {
        low_x = high_x = low_y = high_y = 1;  // an empty chart is still a chart
    }
    const Axis x(low_x, high_x, left, width - right);
    const Axis y(low_y, high_y, height - bottom, top);
    std::string svg = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" + fixed(width) +
                      "\" height=\"" + fixed(height) +
                      "\" font-family=\"sans-serif\" font-size=\"12\" fill=\"#222222\">\n"
                      "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n" +
                      frame(chart, x, y);
    for (std::size_t i = 0; i < lines.size(); ++i) {
        const std::string colour = colours.at(i % colours.size());
        const double legend = top + 10 + 20 * static_cast<double>(i);
        svg += curve(lines[i], colour, x, y);
        svg += "<rect x=\"" + fixed(width - right + 12) + "\" y=\"" + fixed(legend - 8) +
               "\" width=\"10\" height=\"10\" fill=\"" + colour + "\"/>\n" +
               text_at(width - right + 28, legend + 1, "start", lines[i].name);
    }
    return svg + "</svg>\n";
}

}  // namespace bench
