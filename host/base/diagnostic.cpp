#include "host/base/diagnostic.hpp"

#include <algorithm>
#include <cctype>

#include "host/base/printable.hpp"

namespace skep::host {
namespace {

// A line longer than this is cut around the span.
constexpr std::size_t max_cells = 100;
// Part of a cut line that is shown before the span.
constexpr std::size_t cells_before = 30;

// Only this part of a long line is examined, in bytes. It exceeds the cells above, which have at
// most four bytes each.
constexpr std::size_t bytes_before = 512;
constexpr std::size_t bytes_after = 2048;

// A longer word is no misspelt name. A comparison takes the square of its length.
constexpr std::size_t longest_word = 256;

// One character as a terminal shows it, and the offset of its first byte.
struct Cell {
    std::string_view shown;
    std::size_t byte;
};

std::vector<Cell> cells_of(std::string_view text) {
    std::vector<Cell> cells;
    for (std::size_t i = 0; i < text.size();) {
        const std::size_t length = printable_length(text.substr(i));
        cells.push_back({length == 0 ? std::string_view("?") : text.substr(i, length), i});
        i += std::max<std::size_t>(length, 1);
    }
    return cells;
}

std::string printable(std::string_view text) {
    std::string shown;
    for (const Cell& cell : cells_of(text)) {
        shown += cell.shown;
    }
    return shown;
}

bool is_inside_character(char byte) {
    return (static_cast<unsigned char>(byte) & 0xc0) == 0x80;
}

// Returns the source line and, below it, the carets.
std::string excerpt(const SourceSpan& span, std::string_view whole_line) {
    const auto column = static_cast<std::size_t>(std::max(span.column, 1) - 1);
    std::size_t cut = std::min(column, whole_line.size());
    cut -= std::min(cut, bytes_before);
    while (cut > 0 && is_inside_character(whole_line[cut])) {
        --cut;
    }
    const std::string_view line = whole_line.substr(cut, bytes_before + bytes_after);
    const std::vector<Cell> cells = cells_of(line);
    const auto cell_at = [&](std::size_t byte) {
        const auto next =
            std::upper_bound(cells.begin(), cells.end(), byte, [](std::size_t b, const Cell& cell) {
                return b < cell.byte;
            });
        const auto index = static_cast<std::size_t>(next - cells.begin());
        return byte >= line.size() || index == 0 ? cells.size() : index - 1;
    };
    const std::size_t start_byte = column - cut;
    const std::size_t start = cell_at(start_byte);
    const std::size_t end =
        cell_at(start_byte + static_cast<std::size_t>(std::max(span.length, 1)) - 1) + 1;

    std::size_t first = 0;
    std::size_t last = cells.size();
    if (cells.size() > max_cells) {
        first = start > cells_before ? start - cells_before : 0;
        last = std::min(cells.size(), first + max_cells);
    }
    std::string shown = first > 0 || cut > 0 ? "..." : "";
    std::string carets(shown.size(), ' ');
    for (std::size_t i = first; i < last; ++i) {
        shown += cells[i].shown;
        if (i < start) {
            carets += cells[i].shown == "\t" ? '\t' : ' ';
        }
    }
    if (last < cells.size()) {
        shown += "...";
    }
    const std::size_t underlined = std::max(std::min(end, last), start + 1) - start;
    carets += '^' + std::string(underlined - 1, '~');

    std::string number = std::to_string(span.line);
    number.insert(0, number.size() < 5 ? 5 - number.size() : 0, ' ');
    return number + " | " + shown + "\n" + std::string(number.size(), ' ') + " | " + carets + "\n";
}

char folded(char c) {
    return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
}

// Returns the number of letters that must be inserted, removed, replaced or swapped with their
// neighbour to turn one word into the other. Upper and lower case are equal.
std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> before_last(b.size() + 1);
    std::vector<std::size_t> last(b.size() + 1);
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) {
        row[j] = j;
    }
    for (std::size_t i = 1; i <= a.size(); ++i) {
        before_last.swap(last);
        last.swap(row);
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const bool same = folded(a[i - 1]) == folded(b[j - 1]);
            row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (same ? 0u : 1u)});
            if (i > 1 && j > 1 && folded(a[i - 1]) == folded(b[j - 2]) &&
                folded(a[i - 2]) == folded(b[j - 1])) {
                row[j] = std::min(row[j], before_last[j - 2] + 1);
            }
        }
    }
    return row[b.size()];
}

}  // namespace

Diagnostic error_about(std::string file, std::string message, std::string hint) {
    return {Severity::error, std::move(file), {}, std::move(message), std::move(hint)};
}

bool has_errors(const Diagnostics& diagnostics) {
    return std::any_of(diagnostics.begin(), diagnostics.end(), [](const Diagnostic& diagnostic) {
        return diagnostic.severity == Severity::error;
    });
}

SourceLines::SourceLines(std::string_view source) {
    while (true) {
        const std::size_t end = source.find('\n');
        std::string_view line = source.substr(0, end);
        if (!line.empty() && line.back() == '\r') {
            line.remove_suffix(1);
        }
        lines_.push_back(line);
        if (end == std::string_view::npos) {
            return;
        }
        source.remove_prefix(end + 1);
    }
}

std::string render(const Diagnostic& diagnostic, std::string_view source) {
    return render(diagnostic, SourceLines(source));
}

std::string render(const Diagnostic& diagnostic, const SourceLines& source) {
    std::string text;
    if (!diagnostic.file.empty()) {
        text += printable(diagnostic.file) + ":";
    }
    if (diagnostic.span.line > 0) {
        text += std::to_string(diagnostic.span.line) + ":" +
                std::to_string(diagnostic.span.column) + ":";
    }
    if (!text.empty()) {
        text += " ";
    }
    text += diagnostic.severity == Severity::error ? "error: " : "warning: ";
    text += printable(diagnostic.message) + "\n";
    if (diagnostic.span.line > 0 && !diagnostic.conceals_line) {
        const std::string_view line = source.line(static_cast<std::size_t>(diagnostic.span.line));
        if (!line.empty()) {
            text += excerpt(diagnostic.span, line);
        }
    }
    if (!diagnostic.hint.empty()) {
        text += "      = " + printable(diagnostic.hint) + "\n";
    }
    return text;
}

std::string nearest(std::string_view word, const std::vector<std::string>& candidates) {
    if (word.size() > longest_word) {
        return "";
    }
    const std::size_t most = std::max<std::size_t>(word.size(), 3) / 3;
    std::string best;
    std::size_t best_distance = std::min(most + 1, word.size());
    for (const std::string& candidate : candidates) {
        // Each surplus letter of the longer word is wrong.
        const std::size_t at_least =
            std::max(word.size(), candidate.size()) - std::min(word.size(), candidate.size());
        if (at_least >= best_distance) {
            continue;
        }
        const std::size_t distance = edit_distance(word, candidate);
        if (distance < best_distance) {
            best = candidate;
            best_distance = distance;
        }
    }
    return best;
}

}  // namespace skep::host
