#include "host/cli/log.hpp"

#include <array>
#include <cstdlib>
#include <memory>
#include <utility>

#include <nlohmann/json.hpp>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include "host/base/crash_report.hpp"
#include "host/base/printable.hpp"

namespace skep::host {
namespace {

constexpr const char* host_logger = "skep";

std::tm calendar(std::chrono::system_clock::time_point time, bool local) {
    const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
    std::tm parts{};
    if (local) {
        ::localtime_r(&seconds, &parts);
    } else {
        ::gmtime_r(&seconds, &parts);
    }
    return parts;
}

// `format` is for strftime and stops at the seconds.
std::string time_text(std::chrono::system_clock::time_point time, const char* format, bool local) {
    const std::tm parts = calendar(time, local);
    std::array<char, 64> text{};
    const std::size_t size = std::strftime(text.data(), text.size(), format, &parts);
    const auto since = time.time_since_epoch();
    const auto milliseconds = std::chrono::floor<std::chrono::milliseconds>(since) -
                              std::chrono::floor<std::chrono::seconds>(since);
    return fmt::format("{}.{:03}", std::string_view(text.data(), size), milliseconds.count());
}

const char* colour_of(std::string_view level) {
    if (level == "error") {
        return "\x1b[31m";
    }
    if (level == "warn") {
        return "\x1b[33m";
    }
    return level == "info" ? "" : "\x1b[2m";
}

std::string_view level_name(spdlog::level::level_enum level) {
    constexpr std::array<std::string_view, 7> names = {
        "trace", "debug", "info", "warn", "error", "error", "off"};
    return names.at(static_cast<std::size_t>(level));
}

class LineFormatter final : public spdlog::formatter {
public:
    LineFormatter(bool json, bool colour)
        : json_(json),
          colour_(colour) {}

    void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& line) override {
        const LogRecord record{message.time,
                               level_name(message.level),
                               {message.logger_name.data(), message.logger_name.size()},
                               {message.payload.data(), message.payload.size()}};
        const std::string text = json_ ? log_line_json(record) : log_line_text(record, colour_);
        line.append(text.data(), text.data() + text.size());
        line.push_back('\n');
    }

    [[nodiscard]] std::unique_ptr<spdlog::formatter> clone() const override {
        return std::make_unique<LineFormatter>(json_, colour_);
    }

private:
    const bool json_;
    const bool colour_;
};

bool wants_colour() {
    const char* no_color = std::getenv("NO_COLOR");
    return ::isatty(STDERR_FILENO) == 1 && (no_color == nullptr || no_color[0] == '\0');
}

}  // namespace

std::string log_line_text(const LogRecord& record, bool colour) {
    const char* before = colour ? colour_of(record.level) : "";
    const char* after = before[0] == '\0' ? "" : "\x1b[0m";
    return fmt::format("{} {}{:<5}{} {}  {}",
                       time_text(record.time, "%H:%M:%S", true),
                       before,
                       record.level,
                       after,
                       escaped(record.logger),
                       escaped(record.text));
}

std::string log_line_json(const LogRecord& record) {
    nlohmann::ordered_json line;
    line["time"] = time_text(record.time, "%Y-%m-%dT%H:%M:%S", false) + "Z";
    line["level"] = record.level;
    line["worker"] = nullptr;
    line["generation"] = nullptr;
    const std::size_t at = record.logger.rfind('@');
    if (at != std::string_view::npos) {
        line["worker"] = record.logger.substr(0, at);
        line["generation"] =
            std::strtoull(std::string(record.logger.substr(at + 1)).c_str(), nullptr, 10);
    }
    line["text"] = record.text;
    return line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

void start_log(const Options& options) {
    auto sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
    sink->set_formatter(
        std::make_unique<LineFormatter>(options.log_json, !options.log_json && wants_colour()));
    auto logger = std::make_shared<spdlog::logger>(host_logger, std::move(sink));
    logger->set_level(spdlog::level::from_str(options.log_level));
    spdlog::set_default_logger(std::move(logger));
    write_crash_reports_to(STDERR_FILENO, options.log_json);
}

}  // namespace skep::host
