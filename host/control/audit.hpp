// The audit log: a JSON object a line, appended to a file, for whatever is asked of a running host
// or changes in it. docs/reload.md is the specification for who reads it.
//
// A line is one write() to a file opened with O_APPEND: lines of several threads, and of several
// hosts with one file, do not mix. What cannot be written is told in the log, once.
//
// All but open() is [any-thread].
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "host/base/fd.hpp"
#include "host/base/result.hpp"
#include "host/control/reloads.hpp"
#include "host/control/request.hpp"
#include "host/manager/manager.hpp"

namespace skep::host {

class Audit {
public:
    // Makes `file` with mode 0600 if it is not there; "": nothing is written anywhere. The error is
    // the system's words. `host` stands in each line.
    [[nodiscard]] static Result<std::unique_ptr<Audit>, std::string> open(const std::string& file,
                                                                          std::string host);

    // The verdict of a trigger; of one that was merged only that.
    void verdict(const Verdict& verdict, const std::string& who);
    // A command at the control socket. `refusal`: "" when it was done.
    void command(std::string_view verb,
                 const std::string& worker,
                 const Peer& peer,
                 const std::string& refusal);

    // What the manager's observer hears, as far as it stands in the log.
    void reverted(const ManagerObserver::Reverted& it);
    void closed(const LibraryFacts& facts);

private:
    Audit(int file, std::string host)
        : file_(file),
          host_(std::move(host)) {}

    void write(const std::string& line);

    const Fd file_;  // negative: none
    const std::string host_;
    std::atomic<bool> has_failed_{false};
};

}  // namespace skep::host
