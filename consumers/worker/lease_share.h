// Which leases a worker should take next, so that the workers of an application share its shards evenly.
//
// Threads: pure function, any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace millrace {

struct SeenLease {
  std::string shard;
  std::string owner;  // empty: nobody
  std::uint64_t counter = 0;
  bool expired = false;
  bool ready = false;  // to be read now
};

struct LeaseWish {
  std::string shard;
  std::optional<std::uint64_t> steal_counter;  // from its owner, if it still has this counter
  friend bool operator==(const LeaseWish&, const LeaseWish&) = default;
};

// `held`: the shards that `me` holds. A share is the ready shards by the live workers, rounded up. Free
// leases are wished for up to it, beginning at a place of this worker's own, so that workers that start
// together do not all reach for the same one. Where nothing is free, one is stolen from whoever holds most,
// if that has two more than `me`.
std::vector<LeaseWish> ChooseLeases(const std::vector<SeenLease>& leases, const std::string& me,
                                    const std::set<std::string>& held);

}  // namespace millrace
