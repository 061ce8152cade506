#include "host/base/table.hpp"

#include <algorithm>

#include "host/base/printable.hpp"

namespace skep::host {

std::string table_text(const std::vector<std::vector<std::string>>& rows, std::size_t left) {
    std::vector<std::size_t> widths;
    for (const auto& row : rows) {
        widths.resize(std::max(widths.size(), row.size()));
        for (std::size_t i = 0; i < row.size(); ++i) {
            widths[i] = std::max(widths[i], shown_width(escaped(row[i])));
        }
    }
    std::string text;
    for (const auto& row : rows) {
        std::string line;
        for (std::size_t i = 0; i < row.size(); ++i) {
            const std::string cell = escaped(row[i]);
            const std::string padding(widths[i] - shown_width(cell), ' ');
            line += i == 0 ? "" : "  ";
            line += i < left ? cell + padding : padding + cell;
        }
        text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
    }
    return text;
}

}  // namespace skep::host
