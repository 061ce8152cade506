#include "host/daemon/summary.hpp"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <vector>

#include <nlohmann/json.hpp>
#include <spdlog/fmt/fmt.h>
#include <unistd.h>

#include "host/base/table.hpp"

namespace skep::host {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t text_columns = 2;  // aligned left; the other columns are numbers
using Row = std::vector<std::string>;

Row row_of(const WorkerMetrics& worker) {
    return {worker.name,
            std::string(name_of(worker.state)),
            std::to_string(worker.in.delivered),
            std::to_string(worker.out),
            std::to_string(worker.in.dropped.total()),
            std::to_string(worker.in.dead_lettered.total()),
            std::to_string(worker.errors),
            std::to_string(worker.items),
            fmt::format("{:.3f}s", std::chrono::duration<double>(worker.cpu).count()),
            std::to_string(worker.queue_high),
            std::to_string(worker.out_rejected.total())};
}

fs::path folder_of(const fs::path& path) {
    return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

Unexpected<Diagnostics> cannot_write(const std::string& path, const std::string& why) {
    return failure(error_about(path, "cannot write the summary: " + why));
}

}  // namespace

std::string accounting_text(const FlowCounts& accounting) {
    return fmt::format(
        "accounting: offered {} = accepted {} + rejected {}; accepted = delivered {} + in flight "
        "{} + "
        "queued {} + dropped {} + dead-lettered {}: {}",
        accounting.offered,
        accounting.accepted,
        accounting.rejected.total(),
        accounting.delivered,
        accounting.in_flight,
        accounting.queued,
        accounting.dropped.total(),
        accounting.dead_lettered.total(),
        accounting.is_balanced() ? "balanced" : "NOT BALANCED");
}

std::string summary_text(const HostMetrics& metrics) {
    std::vector<Row> rows = {{"WORKER",
                              "STATE",
                              "IN",
                              "OUT",
                              "DROPPED",
                              "DEAD",
                              "ERRORS",
                              "ITEMS",
                              "CPU",
                              "QUEUE-HIGH",
                              "REJECTED"}};
    std::transform(
        metrics.workers.begin(), metrics.workers.end(), std::back_inserter(rows), row_of);
    return table_text(rows, text_columns) + accounting_text(metrics.accounting) + "\n";
}

std::string summary_json(const HostMetrics& metrics) {
    nlohmann::ordered_json workers = nlohmann::ordered_json::array();
    for (const WorkerMetrics& worker : metrics.workers) {
        workers.push_back({{"name", worker.name},
                           {"state", name_of(worker.state)},
                           {"in", worker.in.delivered},
                           {"out", worker.out},
                           {"dropped", worker.in.dropped.total()},
                           {"dead_lettered", worker.in.dead_lettered.total()},
                           {"errors", worker.errors},
                           {"items", worker.items},
                           {"cpu_ns", worker.cpu.count()},
                           {"queue_high", worker.queue_high},
                           {"out_rejected", worker.out_rejected.total()}});
    }
    const FlowCounts& accounting = metrics.accounting;
    const nlohmann::ordered_json summary = {{"workers", std::move(workers)},
                                            {"accounting",
                                             {{"offered", accounting.offered},
                                              {"accepted", accounting.accepted},
                                              {"rejected", accounting.rejected.total()},
                                              {"delivered", accounting.delivered},
                                              {"queued", accounting.queued},
                                              {"in_flight", accounting.in_flight},
                                              {"dropped", accounting.dropped.total()},
                                              {"dead_lettered", accounting.dead_lettered.total()},
                                              {"balanced", accounting.is_balanced()}}}};
    return summary.dump() + "\n";
}

Result<Done> check_writable(const std::string& path) {
    std::error_code error;
    const fs::path folder = folder_of(path);
    if (!fs::is_directory(folder, error)) {
        return cannot_write(path, "folder '" + folder.string() + "' does not exist");
    }
    if (fs::exists(path, error) && !fs::is_regular_file(path, error)) {
        return cannot_write(path, "the path exists and is not a file");
    }
    if (::access(folder.c_str(), W_OK) != 0) {
        return cannot_write(path, std::generic_category().message(errno));
    }
    return Done{};
}

Result<Done> write_whole(const std::string& path, const std::string& text) {
    const std::string draft = path + ".tmp." + std::to_string(::getpid());
    std::ofstream file(draft, std::ios::trunc | std::ios::binary);
    file << text;
    file.close();
    std::error_code error;
    if (!file) {
        error = std::error_code(errno, std::generic_category());
    } else {
        fs::rename(draft, path, error);
    }
    if (error) {
        std::error_code ignored;  // the draft may not exist
        fs::remove(draft, ignored);
        return cannot_write(path, error.message());
    }
    return Done{};
}

}  // namespace skep::host
