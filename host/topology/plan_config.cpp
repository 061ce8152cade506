#include <cmath>

#include "host/base/contains.hpp"
#include "host/topology/planning.hpp"
#include "host/topology/units.hpp"

namespace skep::host {
namespace {

const char* expected_of(ParamType type) {
    switch (type) {
        case ParamType::string:
            return "a string";
        case ParamType::integer:
            return "an integer";
        case ParamType::number:
            return "a number";
        case ParamType::boolean:
            return "true or false";
        case ParamType::duration:
            return "a duration such as \"200ms\"";
        case ParamType::size:
            return "a size such as \"64KiB\"";
    }
    return "";
}

std::optional<ParamValue> convert(const ConfigEntry& entry, ParamType type) {
    if (const auto* text = std::get_if<std::string>(&*entry.value)) {
        const bool written_as_text =
            type == ParamType::string || type == ParamType::duration || type == ParamType::size;
        if (written_as_text || entry.interpolated) {
            return parse_param(type, *text);
        }
    } else if (const auto* integer = std::get_if<std::int64_t>(&*entry.value)) {
        if (type == ParamType::integer) {
            return *integer;
        }
        if (type == ParamType::number) {
            return static_cast<double>(*integer);
        }
    } else if (const auto* number = std::get_if<double>(&*entry.value)) {
        if (type == ParamType::number && std::isfinite(*number)) {
            return *number;
        }
    } else if (type == ParamType::boolean) {
        return std::int64_t{std::get<bool>(*entry.value) ? 1 : 0};
    }
    return {};
}

// Returns a hint for a value that convert() rejected.
std::string advice(const ConfigEntry& entry, ParamType type) {
    const auto* const text = std::get_if<std::string>(&*entry.value);
    const auto* const integer = std::get_if<std::int64_t>(&*entry.value);
    switch (type) {
        case ParamType::string:
            return "put it between quotes";
        case ParamType::duration:
        case ParamType::size: {
            const bool is_size = type == ParamType::size;
            if (integer != nullptr) {
                return "write it with a unit: \"" + std::to_string(*integer) +
                       (is_size ? "B\"" : "s\"");
            }
            return std::string(is_size ? size_advice : duration_advice);
        }
        case ParamType::integer:
        case ParamType::number:
        case ParamType::boolean:
            return text != nullptr && !entry.interpolated && parse_param(type, *text)
                       ? "write it without quotes"
                       : "";
    }
    return "";
}

std::string bounds(const ParamInfo& param) {
    if (!param.max_text) {
        return "it must be at least " + param.min_text.value_or("");
    }
    if (!param.min_text) {
        return "it must be at most " + *param.max_text;
    }
    return "it must be from " + *param.min_text + " to " + *param.max_text;
}

// Checks the value of one parameter of the worker type. The value could be read.
class ValueCheck {
public:
    ValueCheck(const TopologyWorker& worker, const ParamInfo& param, Problems& problems)
        : param_(param),
          subject_("parameter '" + param.name + "' of worker '" + worker.name.value + "'"),
          problems_(problems) {}

    [[nodiscard]] std::optional<ParamValue> check(const ConfigEntry& entry) const {
        std::optional<ParamValue> value = convert(entry, param_.type);
        // A message must not contain a secret: messages end up in logs.
        const std::string found = param_.secret ? "a secret that is not" : describe(*entry.value);
        if (!value) {
            problems_.error(entry.value_span,
                            subject_ + " expects " + expected_of(param_.type) + ", found " + found,
                            param_.secret ? "" : advice(entry, param_.type));
        } else if ((param_.min_value && *value < *param_.min_value) ||
                   (param_.max_value && *value > *param_.max_value)) {
            problems_.error(entry.value_span,
                            subject_ + " is out of range" + (param_.secret ? "" : ": " + found),
                            bounds(param_));
        } else if (!is_choice(*value)) {
            problems_.error(
                entry.value_span,
                subject_ + " does not accept " + (param_.secret ? "this value" : found),
                suggestion(
                    param_.secret ? "" : std::get<std::string>(*value), param_.choices, "choice"));
        }
        return value;
    }

private:
    [[nodiscard]] bool is_choice(const ParamValue& value) const {
        const auto* const text = std::get_if<std::string>(&value);
        return param_.choices.empty() || text == nullptr || contains(param_.choices, *text);
    }

    const ParamInfo& param_;
    const std::string subject_;
    Problems& problems_;
};

// Keeps the lines of secrets out of messages, also if the name of the secret or of `config` is
// misspelt, or the secret is outside of `config`.
void conceal_secrets(const TopologyWorker& worker,
                     const WorkerTypeInfo& type,
                     const std::vector<std::string>& known,
                     Problems& problems) {
    for (const ParamInfo& param : type.params) {
        if (!param.secret) {
            continue;
        }
        for (const auto& [name, entry] : worker.config) {
            if (name == param.name || nearest(name, known) == param.name) {
                problems.conceal(entry.value_span.line);
            }
        }
        for (const auto& [key, line] : worker.unread) {
            const bool is_misspelt_config = key != "config" && !nearest(key, {"config"}).empty();
            if (key == param.name || is_misspelt_config) {
                problems.conceal(line);
            }
        }
    }
}

}  // namespace

std::pair<WorkerConfig, WorkerConfig> plan_config(const TopologyWorker& worker,
                                                  const WorkerTypeInfo& type,
                                                  Problems& problems) {
    std::vector<std::string> known;
    for (const ParamInfo& param : type.params) {
        known.push_back(param.name);
    }
    conceal_secrets(worker, type, known, problems);
    std::vector<std::string> misspelt;
    for (const auto& [name, entry] : worker.config) {
        if (contains(known, name)) {
            continue;
        }
        problems.error(entry.key_span,
                       "worker type '" + type.name + "' has no parameter '" + name + "'",
                       suggestion(name, known, "parameter"));
        misspelt.push_back(nearest(name, known));
    }

    WorkerConfig::Values fixed;
    WorkerConfig::Values live;
    for (const ParamInfo& param : type.params) {
        WorkerConfig::Values& config = param.reloadable && type.can_reconfigure ? live : fixed;
        const auto written = worker.config.find(param.name);
        if (written != worker.config.end()) {
            if (!written->second.value) {
                continue;
            }
            if (auto value = ValueCheck(worker, param, problems).check(written->second)) {
                config.emplace(param.name, std::move(*value));
            }
        } else if (param.default_value) {
            config.emplace(param.name, *param.default_value);
        } else if (param.required &&
                   worker.unread.count("config") + worker.unread.count(param.name) == 0 &&
                   !contains(misspelt, param.name)) {
            problems.error(worker.span,
                           "worker '" + worker.name.value + "' lacks the required parameter '" +
                               param.name + "'",
                           "set config." + param.name + " to " + expected_of(param.type) +
                               (param.doc.empty() ? "" : ": " + param.doc));
        }
    }
    return {fixed.empty() ? WorkerConfig() : WorkerConfig(std::move(fixed)),
            live.empty() ? WorkerConfig() : WorkerConfig(std::move(live))};
}

}  // namespace skep::host
