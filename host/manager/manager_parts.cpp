#include "host/manager/manager_parts.hpp"

namespace skep::host {

ManagerParts::ManagerParts(const WorkerWorld& its_world,
                           Loader& its_loader,
                           const Manager::Limits& its_limits,
                           ManagerObserver* its_observer,
                           const std::shared_ptr<EventQueue>& queue,
                           std::shared_ptr<const Worker::Report> report)
    : world(its_world),
      clock(*world.clock),
      loader(its_loader),
      limits(its_limits),
      observer(its_observer),
      pools(clock),
      helpers(clock, queue),
      table(world, pools, lost, std::move(report)),
      libraries(clock, loader, limits, observer, [this] { return known_threads(); }),
      plan(table, world, loader),
      disposal(helpers, libraries),
      probations(table, plan, pools, lost, disposal, libraries, clock, observer) {}

std::set<pid_t> ManagerParts::known_threads() const {
    std::set<pid_t> known;
    lost.add_ids_to(known);
    for (const auto& [name, entry] : table.entries()) {
        if (entry->worker != nullptr) {
            for (const auto& it : entry->worker->threads()) {
                known.insert(it->id());
            }
        }
    }
    const std::vector<pid_t> threads = helpers.ids();
    known.insert(threads.begin(), threads.end());
    return known;
}

}  // namespace skep::host
