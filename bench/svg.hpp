// Line charts as SVG, with logarithmic axes: as much as the plots of the benchmark need.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace bench {

struct Line {
    std::string name;
    std::vector<std::pair<double, double>> points;  // by x; values not above 0 are left out
};

struct Chart {
    std::string title, x_label, y_label;
    std::vector<Line> lines;
};

[[nodiscard]] std::string svg_of(const Chart& chart);

}  // namespace bench
