#include "host/loader/shared_object.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>  // Boost.DLL 1.74 lacks it

#include <dlfcn.h>
#include <link.h>
#include <pthread.h>

#define BOOST_DLL_USE_STD_FS
#include <boost/dll/shared_library.hpp>

#include "host/base/contains.hpp"
#include "host/base/crash_report.hpp"
#include "host/base/mutex.hpp"

namespace skep::host {
namespace {

// The number of threads that hang while they open a library. One per process, like the lock that
// they hold.
std::atomic<int> stuck_threads{0};

std::vector<std::string> mapped_objects() {
    std::vector<std::string> names;
    ::dl_iterate_phdr(
        [](dl_phdr_info* object, std::size_t, void* list) {
            static_cast<std::vector<std::string>*>(list)->emplace_back(object->dlpi_name);
            return 0;
        },
        &names);
    return names;
}

}  // namespace

SharedObject::SharedObject(std::string path,
                           std::unique_ptr<boost::dll::shared_library> library,
                           std::vector<std::string> companions)
    : path_(std::move(path)),
      library_(std::move(library)),
      companions_(std::move(companions)) {}

SharedObject::SharedObject(SharedObject&&) noexcept = default;

SharedObject::~SharedObject() {
    if (library_) {
        // Its destructor would close the library, so it moves to a list that is never destroyed.
        struct LeftOpen {
            Mutex mutex;  // a thread that hung in an open may come here at any time
            std::vector<std::unique_ptr<boost::dll::shared_library>> libraries GUARDED_BY(mutex);
        };

        static LeftOpen* const left_open = std::make_unique<LeftOpen>().release();
        const MutexLock lock(left_open->mutex);
        left_open->libraries.push_back(std::move(library_));
    }
}

Result<SharedObject, std::string> SharedObject::open(const std::string& path) {
    const std::vector<std::string> before = mapped_objects();
    auto library = std::make_unique<boost::dll::shared_library>();
    std::error_code error;
    library->load(path, error, boost::dll::load_mode::rtld_now | boost::dll::load_mode::rtld_local);
    if (error) {
        const char* words = ::dlerror();
        return Unexpected<std::string>(words != nullptr ? words : error.message());
    }
    std::vector<std::string> companions;
    for (std::string& name : mapped_objects()) {
        if (name != path && !contains(before, name)) {
            companions.push_back(std::move(name));
        }
    }
    return SharedObject(path, std::move(library), std::move(companions));
}

void* SharedObject::find(const char* symbol) const {
    return ::dlsym(library_->native(), symbol);
}

bool SharedObject::close() {
    SKEP_ASSERT(library_ != nullptr);
    library_->unload();
    library_.reset();
    return mapped_bytes(path_) == 0;
}

namespace {

// Calls `look(object, header)` for each mapped segment of `path`.
template <typename Look>
void for_each_segment(const std::string& path, Look look) {
    struct Search {
        const std::string& path;
        Look& look;
    } search{path, look};

    ::dl_iterate_phdr(
        [](dl_phdr_info* object, std::size_t, void* wanted) {
            auto& [name, look_at] = *static_cast<Search*>(wanted);
            for (std::size_t i = 0; name == object->dlpi_name && i < object->dlpi_phnum; ++i) {
                if (object->dlpi_phdr[i].p_type == PT_LOAD) {
                    look_at(*object, object->dlpi_phdr[i]);
                }
            }
            return 0;
        },
        &search);
}

}  // namespace

// The name is the proof, not the address: the next library often gets the address of the last one.
std::size_t SharedObject::mapped_bytes(const std::string& path) {
    std::size_t bytes = 0;
    for_each_segment(path,
                     [&](const dl_phdr_info&, const ElfW(Phdr) & it) { bytes += it.p_memsz; });
    return bytes;
}

std::pair<std::uintptr_t, std::uintptr_t> SharedObject::range() const {
    std::pair<std::uintptr_t, std::uintptr_t> range{0, 0};
    for_each_segment(path_, [&](const dl_phdr_info& object, const ElfW(Phdr) & it) {
        range.first = object.dlpi_addr;
        range.second = std::max(range.second, object.dlpi_addr + it.p_vaddr + it.p_memsz);
    });
    return range;
}

std::vector<SharedObject::Range> SharedObject::ranges_of(const std::vector<std::string>& paths) {
    struct Search {
        const std::vector<std::string>& paths;
        std::vector<Range> ranges;
    } search{paths, {}};

    ::dl_iterate_phdr(
        [](dl_phdr_info* object, std::size_t, void* wanted) {
            auto& [files, ranges] = *static_cast<Search*>(wanted);
            const bool is_wanted = contains(files, std::string(object->dlpi_name));
            for (std::size_t i = 0; is_wanted && i < object->dlpi_phnum; ++i) {
                const ElfW(Phdr)& segment = object->dlpi_phdr[i];
                if (segment.p_type == PT_LOAD) {
                    const std::uintptr_t begin = object->dlpi_addr + segment.p_vaddr;
                    ranges.push_back({begin, begin + segment.p_memsz});
                }
            }
            return 0;
        },
        &search);
    return search.ranges;
}

void SharedObject::keep_mapped(const std::string& path) {
    if (void* const handle = ::dlopen(path.c_str(), RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE)) {
        ::dlclose(handle);
    }
}

std::vector<std::string> SharedObject::companions() const {
    const std::vector<std::string> now = mapped_objects();
    std::vector<std::string> still;
    std::copy_if(companions_.begin(),
                 companions_.end(),
                 std::back_inserter(still),
                 [&](const std::string& name) { return contains(now, name); });
    return still;
}

bool run_and_join(const std::function<void()>& work) {
    try {
        std::thread thread([&work]() noexcept {
            const SignalStack signal_stack;
            ::pthread_setname_np(::pthread_self(), loader_thread_name);
            work();
            // /proc lists a joined thread for a moment; it must not count as left behind.
            ::pthread_setname_np(::pthread_self(), "skep-joined");
        });
        thread.join();
        return true;
    } catch (const std::system_error&) {
        return false;
    }
}

Ran run_within(std::chrono::milliseconds limit, std::function<void()> work) {
    struct Run {
        Mutex mutex;
        Condition changed;
        bool is_over GUARDED_BY(mutex) = false;
        bool is_late GUARDED_BY(mutex) = false;
    };

    const auto run = std::make_shared<Run>();
    std::thread thread;
    try {
        thread = std::thread([run, work = std::move(work)]() mutable noexcept {
            const SignalStack signal_stack;
            ::pthread_setname_np(::pthread_self(), loader_thread_name);
            work();
            work = nullptr;
            ::pthread_setname_np(::pthread_self(), "skep-joined");
            const MutexLock lock(run->mutex);
            run->is_over = true;
            stuck_threads -= run->is_late ? 1 : 0;
            run->changed.notify_all();
        });
    } catch (const std::system_error& error) {
        errno = error.code().value();
        return Ran::no_thread;
    }
    bool is_late = false;
    {
        const MutexLock lock(run->mutex);
        is_late = !run->changed.wait_for(
            run->mutex, limit, [&run]() REQUIRES(run->mutex) { return run->is_over; });
        run->is_late = is_late;
        stuck_threads += is_late ? 1 : 0;
    }
    if (is_late) {
        thread.detach();
        return Ran::too_long;
    }
    thread.join();
    return Ran::to_end;
}

bool is_loader_stuck() {
    return stuck_threads > 0;
}

}  // namespace skep::host
