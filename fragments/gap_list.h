// The gaps of one stream in memory: how a new one joins those before it, and what goes when there are too
// many. Rows that a change touches are named, so that they can be written.
//
// Threads: none inside; the ledger's lock.
#pragma once

#include <functional>
#include <map>
#include <optional>

#include "base/time.h"
#include "fragments/gap.h"

namespace millrace {

class GapList {
 public:
  // `touched(start)`: the row with that start has changed or is gone.
  explicit GapList(std::function<void(Timestamp)> touched) : touched_(std::move(touched)) {}

  // A row as it was stored.
  void Load(Gap gap) { gaps_[gap.start] = std::move(gap); }
  // Ends every open gap at `at`.
  void CloseAll(Timestamp at);

  void Begin(GapCause cause, Timestamp start, std::string detail);
  void End(Timestamp at);
  void Add(Gap gap);
  // Drops what ended before `time`.
  void DropBefore(Timestamp time);
  void Clear();

  // The newest time at which a gap is known to have begun or ended; the lowest there is when there is none.
  Timestamp LastChange() const;

  bool empty() const { return gaps_.empty(); }
  const std::map<Timestamp, Gap>& gaps() const { return gaps_; }
  // Nothing: it is gone.
  std::optional<Gap> Find(Timestamp start) const;
  // Since when the stream is recorded; nothing while it is not, or nobody said so.
  std::optional<Timestamp> recording_since() const { return recording_since_; }

 private:
  using Rows = std::map<Timestamp, Gap>;
  Gap* open() { return open_ ? &gaps_.at(*open_) : nullptr; }
  // Puts a gap in, joined with the one of its cause that ends shortly before it. Gives the row's start.
  Timestamp Put(Gap gap);
  void Close(Timestamp at);
  void Bound();
  void Erase(Rows::iterator row);

  std::function<void(Timestamp)> touched_;
  Rows gaps_;  // by start
  std::optional<Timestamp> open_;
  std::optional<Timestamp> recording_since_;
};

}  // namespace millrace
