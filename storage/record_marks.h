// What is said of single records of a partition key, by the values of their attributes: ranges that were
// deleted, and ranges that are held.
//
// A deletion takes what was committed up to its counter, and no hold brings that back. A hold keeps what was
// there when it was placed, and what is put afterwards, from every other way to go: retention, a trim, an
// eviction. It does not bring back what had gone by then, whose bytes may have been given back; so it
// remembers how far trims and evictions had come.
//
// Both are rows of the control segment, small whatever the number of records; a log that is made again from
// its segments alone finds the same records gone and the same ones there.
// Threads: plain values; guarded with the control state that they are part of.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "storage/record_log.h"

namespace millrace::storage {

// What the rules about records look at. Borrowed: what it was made from outlives it.
struct RecordFacts {
  const std::string& partition_key;
  std::uint64_t counter = 0;
  Timestamp arrival;
  ByteSpan attributes;  // as AppendAttributes writes them
};

// Whether the attributes lie in the range. Malformed ones lie in none.
bool LiesIn(const AttributeRange& range, ByteSpan attributes);
bool LiesInAny(const std::vector<AttributeRange>& ranges, ByteSpan attributes);

struct RangeDeletion {
  std::vector<AttributeRange> ranges;
  std::uint64_t through = 0;  // records with a counter up to this
  bool swept = false;         // and their rows are gone from the index for good

  bool Covers(const RecordFacts& record) const {
    return record.counter <= through && LiesInAny(ranges, record.attributes);
  }
};

struct PlacedHold {
  Hold hold;
  std::uint64_t placed = 0;           // the newest counter when it was placed; no two of a key have the same
  std::uint64_t evicted_through = 0;  // of what there was: evicted by then
  Timestamp trim;                     // of what there was: trimmed by then
  // The newest counter when it was released; 0: it is not. One that is keeps nothing, but says what a later
  // one found there: a hold that is placed while another one keeps old records keeps them when that one goes.
  std::uint64_t released = 0;

  bool live() const { return released == 0; }
  // The record was there when this was placed, whatever other holds there were, or came later.
  bool Found(const RecordFacts& record) const {
    return record.counter > placed || (record.counter > evicted_through && record.arrival >= trim);
  }
  bool Covers(const RecordFacts& record) const { return LiesInAny(hold.ranges, record.attributes); }
  bool LivedAt(const PlacedHold& other) const {
    return placed < other.placed && (live() || released > other.placed);
  }
  // Names its row beside those of the others: its id, and of a released one its counter, which make room for
  // a new one of the id.
  std::string RowName() const;
};

// Of one partition key.
struct RecordMarks {
  std::map<std::uint64_t, RangeDeletion> deletions;  // by the counter of the change that made them
  std::map<std::string, PlacedHold> holds;           // by the name of the row

  bool Deletes(const RecordFacts& record) const;
  // By a deletion whose data is still to be taken off the disk, maybe.
  bool IsToBeErased(const RecordFacts& record) const;
  // A hold that keeps the record; null: none does.
  const PlacedHold* HoldOf(const RecordFacts& record) const;
  const PlacedHold* AnyHold() const;  // a live one
  std::size_t live_holds() const;
  // Released ones that no later one, still there, has to ask any more.
  std::vector<std::string> IdleHolds() const;
  bool empty() const { return deletions.empty() && holds.empty(); }
};

Bytes EncodeDeletion(const RangeDeletion& deletion);
Result<RangeDeletion> DecodeDeletion(ByteSpan bytes);
Bytes EncodeHold(const PlacedHold& hold);  // without its id
Result<PlacedHold> DecodeHold(std::string_view row_name, ByteSpan bytes);

// Live and released ones of one partition key.
inline constexpr std::size_t kHoldRowsMax = 4 * kHoldsMax;

// Errors: kInvalidArgument: none, too many, an attribute that is not indexed, values that are too long.
Result<void> CheckRanges(const std::vector<AttributeRange>& ranges);
Result<void> CheckHold(const Hold& hold);

}  // namespace millrace::storage
