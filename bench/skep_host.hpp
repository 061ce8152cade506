// skep as a contender: a host in this process that runs one topology of benchmark workers.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "bench/plugins/report.hpp"
#include "host/base/clock.hpp"
#include "host/loader/file_loader.hpp"
#include "host/manager/manager.hpp"

namespace bench {

enum class Mode { threads, pool, pool_of_one };

// Writes the text of a topology, as a user would.
class TopologyText {
public:
    TopologyText(Mode mode, Report& report);

    // A worker; `index` of `members` of its kind.
    void worker(const std::string& name,
                const std::string& type,
                std::uint64_t count,
                std::uint64_t index = 0,
                std::uint64_t members = 1,
                const std::string& plugin = "bench_cells");
    // `to` as TOML: a string, or an array of them.
    void route(const std::string& from, const std::string& to, std::size_t queue = 1024);

    void set_payload(std::size_t size) { size_ = size; }

    [[nodiscard]] const std::string& text() const { return text_; }

    [[nodiscard]] bool is_on_pool() const { return mode_ != Mode::threads; }

private:
    const Mode mode_;
    const std::string report_;  // the address, as an integer
    std::size_t size_ = sizeof(Message);
    std::string text_;
};

// How many plugins were closed, and proven to be gone or not.
class Unloads final : public skep::host::ManagerObserver {
public:
    void swapped(const std::string& /*worker*/, std::uint64_t /*generation*/) override {}

    void settled(const std::string& /*worker*/, std::uint64_t /*generation*/) override {}

    void reverted(const Reverted& /*it*/) override {}

    void closed(const skep::host::LibraryFacts& facts) override {
        ++(facts.cause.empty() ? proven : pinned);
    }

    std::atomic<std::uint64_t> proven{0}, pinned{0};
};

class SkepHost {
public:
    SkepHost();

    // Parses, plans and starts: what `skep run` does. What is wrong, or "".
    [[nodiscard]] std::string plan(const std::string& topology);
    [[nodiscard]] std::string start();

    // The plan of plan(), for who applies more than one.
    [[nodiscard]] const skep::host::Plan& planned() const { return plan_; }

    [[nodiscard]] skep::host::Manager& manager() { return manager_; }

    [[nodiscard]] const Unloads& unloads() const { return unloads_; }

    // Waits until the workers of the topology have said that they are done.
    [[nodiscard]] std::string wait_for(Report& report);
    [[nodiscard]] std::string send(const std::string& worker, std::string payload);
    // Ends the host. What is wrong with how it ended, or with its books, or "".
    [[nodiscard]] std::string stop();

private:
    skep::host::SteadyClock clock_;
    std::unique_ptr<skep::host::FileLoader> loader_;
    skep::host::Plan plan_;
    Unloads unloads_;
    skep::host::Manager manager_;
};

// Whether the host takes a topology with a pool, and if not, why.
[[nodiscard]] std::string why_no_pool();

}  // namespace bench
