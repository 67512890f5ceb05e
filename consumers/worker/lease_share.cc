#include "consumers/worker/lease_share.h"

#include <functional>
#include <map>

namespace millrace {

std::vector<LeaseWish> ChooseLeases(const std::vector<SeenLease>& leases, const std::string& me,
                                    const std::set<std::string>& held) {
  std::map<std::string, std::vector<const SeenLease*>> by_owner;
  std::vector<const SeenLease*> free;
  std::size_t ready = 0;
  std::size_t mine = 0;
  for (const SeenLease& lease : leases) {
    if (!lease.ready) continue;
    ++ready;
    if (held.contains(lease.shard)) {
      ++mine;
    } else if (lease.owner.empty() || lease.expired || lease.owner == me) {
      free.push_back(&lease);
    } else {
      by_owner[lease.owner].push_back(&lease);
    }
  }
  const std::size_t workers = by_owner.size() + 1;
  const std::size_t share = (ready + workers - 1) / workers;
  std::vector<LeaseWish> wishes;
  const std::size_t first = free.empty() ? 0 : std::hash<std::string>()(me) % free.size();
  for (std::size_t i = 0; i < free.size() && mine + wishes.size() < share; ++i) {
    wishes.push_back({free[(first + i) % free.size()]->shard, std::nullopt});
  }
  if (!free.empty() || mine >= share) return wishes;
  const std::vector<const SeenLease*>* most = nullptr;
  for (const auto& [owner, theirs] : by_owner) {
    if (most == nullptr || theirs.size() > most->size()) most = &theirs;
  }
  if (most != nullptr && most->size() >= mine + 2) {
    const SeenLease& stolen = *(*most)[std::hash<std::string>()(me) % most->size()];
    wishes.push_back({stolen.shard, stolen.counter});
  }
  return wishes;
}

}  // namespace millrace
