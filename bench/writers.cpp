#include "bench/writers.hpp"

#include <array>
#include <cmath>
#include <cstdio>

#include <nlohmann/json.hpp>

namespace bench {
namespace {

// Three significant digits, without an exponent.
std::string number(double value) {
    const double size = std::abs(value);
    const int digits = size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3;
    std::array<char, 64> text{};
    std::snprintf(text.data(), text.size(), "%.*f", digits, value);
    return text.data();
}

std::string range(const Spread& spread) {
    return number(spread.median) + " (" + number(spread.min) + ".." + number(spread.max) + ")";
}

std::string padded(std::string text, std::size_t width) {
    text.resize(std::max(width, text.size() + 2), ' ');
    return text;
}

nlohmann::ordered_json json_of(const Spread& spread) {
    return {{"median", spread.median}, {"min", spread.min}, {"max", spread.max}};
}

}  // namespace

std::string table_of(const std::vector<Row>& rows) {
    std::string text = padded("cell", 11) + padded("mode", 9) + padded("unit", 16) +
                       padded("skep, median (min..max)", 32) + padded("best peer", 20) +
                       padded("ratio", 8) + "peers, medians (* not comparable)\n";
    std::map<std::string, std::string> reasons;
    for (const Row& row : rows) {
        text += padded(row.cell->name, 11) + padded(row.mode, 9) + padded(row.cell->unit, 16) +
                padded(range(row.skep), 32) +
                padded(row.best_peer.empty() ? "-" : row.best_peer, 20) +
                padded(row.best_peer.empty() ? "-" : number(row.ratio), 8);
        std::string peers;
        for (const auto& [name, spread] : row.peers) {
            const auto reason = row.not_comparable.find(name);
            const bool is_marked = reason != row.not_comparable.end();
            if (is_marked) {
                reasons.insert(*reason);
            }
            peers += (peers.empty() ? "" : ", ") + name + (is_marked ? "* " : " ") +
                     number(spread.median);
        }
        text += (peers.empty() ? "-" : peers) + "\n";
    }
    text +=
        "\nA ratio above 1: skep is ahead. Only ratios of one run mean anything, and one below "
        "1.5 means\nlittle where the replica_groups overlap.\n";
    for (const auto& [name, reason] : reasons) {
        text += "* " + name + ": " + reason + "\n";
    }
    return text;
}

std::string json_of(const std::vector<Row>& rows) {
    nlohmann::ordered_json all = nlohmann::ordered_json::array();
    for (const Row& row : rows) {
        nlohmann::ordered_json peers = nlohmann::ordered_json::object();
        for (const auto& [name, spread] : row.peers) {
            peers[name] = json_of(spread);
        }
        nlohmann::ordered_json one = {{"cell", row.cell->name},
                                      {"mode", row.mode},
                                      {"unit", row.cell->unit},
                                      {"higher_is_better", row.cell->higher_is_better},
                                      {"skep", json_of(row.skep)},
                                      {"peers", std::move(peers)},
                                      {"best_peer", nullptr},
                                      {"ratio", nullptr}};
        if (!row.best_peer.empty()) {
            one["best_peer"] = row.best_peer;
            one["ratio"] = row.ratio;
        }
        all.push_back(std::move(one));
    }
    return all.dump(2) + "\n";
}

}  // namespace bench
