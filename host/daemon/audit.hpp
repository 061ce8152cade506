// The audit log: one JSON object per line, appended to a file, for each command to a running host
// and each change in it. docs/reload.md is the specification for readers.
//
// A line is one write() to a file opened with O_APPEND: lines of several threads, and of several
// hosts with one file, do not mix. The first failed write is reported in the log.
//
// All functions but open() are [any-thread].
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "host/base/fd.hpp"
#include "host/base/result.hpp"
#include "host/base/unix_socket.hpp"
#include "host/daemon/verdict.hpp"
#include "host/manager/manager.hpp"

namespace skep::host {

class Audit {
public:
    // Opens `file`, and creates it with mode 0600 if it does not exist. "": the audit log writes
    // nothing. The error is the text of the system. Each line contains `host`.
    [[nodiscard]] static Result<std::unique_ptr<Audit>, std::string> open(const std::string& file,
                                                                          std::string host);

    // True if the audit log is written.
    [[nodiscard]] bool is_on() const { return file_.get() >= 0; }

    // Records the verdict of a trigger. For a merged trigger, records only the run that served it.
    void verdict(const Verdict& verdict);
    // Records a command from the control socket. `refusal`: "" if the command was carried out.
    void command(std::string_view verb,
                 const std::string& worker,
                 const Peer& peer,
                 const std::string& refusal);

    // Record events of the manager's observer.
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
