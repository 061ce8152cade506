// Reads the plan that a reload would put in force, and tries it without touching the running
// workers.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <utility>

#include "host/base/result.hpp"
#include "host/loader/file_loader.hpp"
#include "host/manager/manager.hpp"
#include "host/topology/diff.hpp"

namespace skep::host {

// Reads a topology and its plugins repeatedly. Used by one thread at a time. Errors are texts for
// the verdict.
class CandidateReader {
public:
    // `is_cancelled` must outlive this object. Once it is true, trials of plugins end early.
    CandidateReader(std::string file, const std::atomic<bool>* is_cancelled)
        : file_(std::move(file)),
          is_cancelled_(is_cancelled) {}

    // Reads and plans the topology. Probes new plugins in a child process.
    [[nodiscard]] Result<Plan, std::string> read();

    // Creates, in a child process, the workers that the plan would create. Creates one of several
    // workers with the same plugin, type and parameters. Call after read().
    [[nodiscard]] Result<Done, std::string> try_create(const Plan& next, const Changes& changes);

    // Returns the descriptions of the plugins of a plan. Call after read().
    [[nodiscard]] PluginInfos plugins_of(const Plan& next);

private:
    const std::string file_;
    const std::atomic<bool>* const is_cancelled_;
    std::unique_ptr<FileLoader> loader_;  // made by the first read()
};

}  // namespace skep::host
