// Tells what was not there before, of pages that overlap; remembers the last few thousand.
//
// Threads: one owner.
#pragma once

#include <cstddef>
#include <deque>
#include <set>
#include <string>
#include <utility>

namespace millrace::server {

class Unseen {
 public:
  // Whether this is the first time.
  bool Add(std::string text) {
    if (!texts_.insert(text).second) return false;
    order_.push_back(std::move(text));
    if (order_.size() > kRemembered) {
      texts_.erase(order_.front());
      order_.pop_front();
    }
    return true;
  }

 private:
  static constexpr std::size_t kRemembered = 5000;

  std::set<std::string> texts_;
  std::deque<std::string> order_;  // of texts_, oldest first
};

}  // namespace millrace::server
