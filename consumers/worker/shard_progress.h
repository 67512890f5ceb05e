// How far one shard is given and done, and what of that the server has.
//
// Records are given in order and may be done later, several at once. What is passed over (not wanted, or not
// the shard's) is done as soon as everything that was given before it is.
//
// Threads: a value.
#pragma once

#include <optional>

#include "consumers/worker/worker_record.h"

namespace millrace::consumer {

class ShardProgress {
 public:
  // `place`: what the server has.
  explicit ShardProgress(ShardPlace place) : committed_(place), done_(place), given_(place), passed_(place) {}
  ShardProgress() = default;

  void Given(const ShardPlace& place) { given_ = passed_ = place; }
  void Passed(const ShardPlace& place) {
    if (AllDone()) done_ = given_ = place;
    passed_ = place;
  }
  // REQUIRES: it was given.
  void Done(const ShardPlace& place) {
    done_ = place;
    if (done_ == given_) done_ = given_ = passed_;
  }
  // The server has `place`.
  void Committed(const ShardPlace& place) { committed_ = place; }

  // Whether everything that was given is done.
  bool AllDone() const { return done_ == given_; }
  // What is done, where the server does not have it.
  std::optional<ShardPlace> Due() const { return done_ == committed_ ? std::nullopt : std::optional(done_); }

 private:
  ShardPlace committed_, done_, given_;
  ShardPlace passed_;  // behind given_, up to here nothing is to be given
};

}  // namespace millrace::consumer
