#include "host/daemon/probe_child.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/base/fd.hpp"
#include "host/base/process_state.hpp"
#include "host/daemon/exit_code.hpp"
#include "host/loader/describe.hpp"
#include "host/loader/elf_file.hpp"
#include "host/loader/probe_request.hpp"
#include "host/loader/shared_object.hpp"
#include "host/loader/trust.hpp"
#include "host/worker/instance.hpp"
#include "host/worker/worker_context.hpp"

namespace skep::host {
namespace {

// The descriptor for the pipe, high enough not to disturb code that expects the lowest free
// numbers.
constexpr int high_descriptor = 200;

std::string read_all(int fd) {
    std::string text;
    std::array<char, 4096> buffer{};
    for (;;) {
        const ssize_t count = ::read(fd, buffer.data(), buffer.size());
        if (count > 0) {
            text.append(buffer.data(), static_cast<std::size_t>(count));
        } else if (count == 0 || errno != EINTR) {
            return text;
        }
    }
}

// Duplicates `fd` to a high number, or to the lowest above stderr if the limit forbids that.
int moved_up(int fd) {
    const int high = ::fcntl(fd, F_DUPFD_CLOEXEC, high_descriptor);
    return high >= 0 ? high : ::fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
}

// What a worker's context needs, made as the manager makes it. It contains no other workers.
struct World {
    SteadyClock clock;
    WorkerWorld world{
        &clock, std::make_shared<Router>(), std::make_shared<NamePool>(), std::make_shared<Taps>()};
};

// A worker whose instance is created and never destroyed.
struct TriedWorker {
    TriedWorker(World& in, const ProbeWorker& worker, const std::shared_ptr<Library>& library)
        : home(make_home(in, worker.name)),
          context(in.world, *home, [](std::uint64_t) {}),
          instance(context, {1, library, library->find_type(worker.type), config_of(worker), {}}) {}

    static std::shared_ptr<const WorkerHome> make_home(World& in, const std::string& name) {
        const auto parker = std::make_shared<ForwardingParker>(in.clock.make_parker());
        return std::make_shared<const WorkerHome>(WorkerHome{name,
                                                             std::make_shared<Mailbox>(parker, 1),
                                                             std::make_shared<WorkerCounters>(),
                                                             parker});
    }

    static WorkerConfig config_of(const ProbeWorker& worker) {
        return WorkerConfig::Values(worker.config.begin(), worker.config.end());
    }

    std::shared_ptr<const WorkerHome> home;
    WorkerContext context;
    Instance instance;
};

class ProbeChild {
public:
    ProbeChild(ProbeRequest request, int answers)
        : request_(std::move(request)),
          answers_(answers) {}

    void run() {
        for (std::size_t i = 0; i < request_.subjects.size(); ++i) {
            const std::string problem = try_subject(i);
            say(problem.empty() ? ProbeStep::pass : ProbeStep::fail, i, 0, problem);
            if (!problem.empty()) {
                return;
            }
        }
    }

private:
    void say(ProbeStep step, std::size_t subject, std::size_t worker, const std::string& words) {
        const std::string line = encode(request_.nonce, {step, subject, worker, words});
        int fd = answers_;
        while (::write(fd, line.data(), line.size()) < 0) {
            if (errno != EINTR && fd == answers_) {
                fd = STDERR_FILENO;  // a plugin has closed the pipe; stderr is the same pipe
            } else if (errno != EINTR) {
                ::pause();  // both are closed, which the parent sees
            }
        }
    }

    // Returns why the plugin cannot be used. "": it is usable, or the host finds the error as well.
    std::string try_subject(std::size_t number) {
        const ProbeSubject& subject = request_.subjects[number];
        const Result<FileBytes> bytes = read_trusted(subject.path);
        if (!bytes) {
            return bytes.error().front().message;
        }
        const Result<ElfFacts> facts = read_elf(bytes->span(), subject.path);
        if (!facts || !facts->note) {
            return "";
        }
        std::string problem;
        // As in the host: by a thread that ends, whose thread_locals do not pin the library.
        if (!run_and_join([&] { problem = load_and_unload(number, *facts->note); })) {
            problem = "cannot be tried: no thread: " + error_text(EAGAIN);
        }
        return problem.empty() && !subject.workers.empty() ? create_workers(number, *facts->note)
                                                           : problem;
    }

    std::string load_and_unload(std::size_t number, const skep_note& note) {
        const std::string& path = request_.subjects[number].path;
        say(ProbeStep::load, number, 0, "");
        Result<SharedObject, std::string> object = SharedObject::open(path);
        if (!object) {
            return "cannot be loaded: " + object.error();
        }
        (void)describe(descriptor_of(*object), note, path);
        if (std::string closed = closed_descriptor(" while it was loaded"); !closed.empty()) {
            return "it " + closed;
        }
        say(ProbeStep::unload, number, 0, "");
        if (!object->close()) {
            end_as_the_host_would();
        }
        if (std::string closed = closed_descriptor(" while it was unloaded"); !closed.empty()) {
            return "it " + closed;
        }
        return "";
    }

    // What is wrong with the descriptor the host finds as well.
    std::string create_workers(std::size_t number, const skep_note& note) {
        const ProbeSubject& subject = request_.subjects[number];
        say(ProbeStep::load, number, 0, "");
        Result<SharedObject, std::string> object = SharedObject::open(subject.path);
        if (!object) {
            return "cannot be loaded again: " + object.error();
        }
        const skep_plugin* const descriptor = descriptor_of(*object);
        Result<PluginInfo> info = describe(descriptor, note, subject.path);
        if (!info) {
            return "";
        }
        const auto library = std::make_shared<Library>(subject.path, std::move(*info), descriptor);
        for (std::size_t i = 0; i < subject.workers.size(); ++i) {
            const ProbeWorker& worker = subject.workers[i];
            if (library->find_type(worker.type) == nullptr) {
                continue;
            }
            say(ProbeStep::create, number, i, "");
            TriedWorker& tried = tried_.emplace_back(world_, worker, library);
            (void)tried.instance.create();  // the host handles an error of create() as well
            if (std::string closed = closed_descriptor(" in create"); !closed.empty()) {
                return "worker '" + worker.name + "' " + closed;
            }
        }
        return "";
    }

    // Runs the static destructors of a library that stays mapped: they run when a process ends, so
    // a child of this child ends. If a signal ends it, this child ends by the same signal.
    static void end_as_the_host_would() {
        const pid_t child = ::fork();
        if (child == 0) {
            std::exit(exit_ok);
        }
        int status = 0;
        while (child > 0 && ::waitpid(child, &status, 0) < 0 && errno == EINTR) {
        }
        if (child > 0 && WIFSIGNALED(status)) {
            ::raise(WTERMSIG(status));
        }
    }

    static const skep_plugin* descriptor_of(const SharedObject& object) {
        const auto entry = reinterpret_cast<skep_plugin_entry>(object.find(SKEP_ENTRY_NAME));
        return entry != nullptr ? entry() : nullptr;
    }

    // Checks the pipe, which stands for all descriptors that the host opens, and the three standard
    // descriptors, which belong to the host.
    [[nodiscard]] std::string closed_descriptor(const char* when) const {
        if (::fcntl(answers_, F_GETFD) < 0) {
            return std::string("closed descriptors of the process") + when;
        }
        for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
            if (::fcntl(fd, F_GETFD) < 0) {
                return "closed descriptor " + std::to_string(fd) + " of the process" + when;
            }
        }
        return "";
    }

    const ProbeRequest request_;
    const int answers_;
    World world_;
    std::deque<TriedWorker> tried_;
};

// A crash of a plugin is a result of the probe and needs no core file in the host's folder.
void leave_no_core_file() {
    rlimit core{};
    if (::getrlimit(RLIMIT_CORE, &core) == 0) {
        core.rlim_cur = 0;
        (void)::setrlimit(RLIMIT_CORE, &core);
    }
}

}  // namespace

bool is_probe_child(int argc, const char* const* argv) {
    return argc == 2 && std::strcmp(argv[1], probe_verb) == 0;
}

void run_probe_child() {
    (void)::prctl(PR_SET_PDEATHSIG, SIGKILL);  // dies with the thread of the host that waits
    leave_no_core_file();
    normalise_process_state();  // as in the host
    std::optional<ProbeRequest> request = decode_probe_request(read_all(STDIN_FILENO));
    if (!request) {
        ::_exit(exit_usage);
    }
    const int answers = moved_up(STDOUT_FILENO);
    const int nothing = open_nothing();
    if (answers < 0 || nothing < 0 || ::dup2(nothing, STDIN_FILENO) < 0 ||
        ::dup2(nothing, STDOUT_FILENO) < 0) {
        const std::string why = "skep: " + error_text(errno) + "\n";
        (void)!::write(STDERR_FILENO, why.data(), why.size());
        ::_exit(exit_failed);
    }
    ::close(nothing);
    spdlog::default_logger()->set_level(spdlog::level::off);  // what a plugin logs here is dropped
    auto child = std::make_unique<ProbeChild>(std::move(*request), answers);
    child->run();
    ::_exit(exit_ok);
}

}  // namespace skep::host
