// Deleting a range of one video stream's footage: what of it is stored, and what is still on its way.
//
// Threads: SelectFootage waits for the log, on any thread. UnderWay: guarded by its owner.
#pragma once

#include <chrono>
#include <deque>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "fragments/footage.h"
#include "fragments/fragment.h"
#include "fragments/fragment_number.h"
#include "storage/record_log.h"

namespace millrace {

struct SelectedFootage {
  std::vector<storage::AttributeRange> ranges;  // that hold what lies in the range, and nothing else
  std::vector<FootageSpan> spans;               // as DeletedFootage's
};
// Memory: a page of records, and the spans. Errors: the log's; kResourceExhausted: more fragments reach into
// the range's start than can be named.
Result<SelectedFootage> SelectFootage(storage::RecordLog& log, const std::string& data_stream,
                                      const std::string& partition_key, const FootageRange& range);

// Of these fragments, those that are stored. REQUIRES: at most storage::kRangesMax.
Result<SelectedFootage> SelectFragments(storage::RecordLog& log, const std::string& data_stream,
                                        const std::string& partition_key,
                                        std::span<const FragmentNumber> numbers);
// In order, those that touch joined; at most kDeletedSpansMax. Pure.
std::vector<FootageSpan> JoinSpans(std::vector<FootageSpan> spans);

// What a deletion takes of the fragments that are not stored yet: those that were opened before it and touch
// its range, but for those that a hold keeps.
struct FootageTaking {
  FootageRange range;
  FragmentNumber newest;           // the last that was opened before it
  std::vector<FootageHold> holds;  // as they were then

  bool Takes(const FragmentFacts& facts) const;
};

// The fragments of a stream that are being appended, and the deletions that those which are still open have
// to obey. A deletion begins, which only notes what it meets; once it is durable it is confirmed: from then
// on what it takes is not stored any more.
class UnderWay {
 public:
  // False: it was deleted before it came to be stored.
  bool Begin(const FragmentFacts& facts);
  void End(const FragmentNumber& number) { appending_.erase(number); }

  // Of those that are being appended now: a hold that keeps one which the range touches; none: null.
  const FootageHold* HoldOf(const FootageTaking& taking) const;
  // REQUIRES: no other deletion has begun.
  void BeginDeletion(FootageTaking taking);
  // Returns what it takes of all that were being appended since it began; some may be stored. REQUIRES: one
  // has begun.
  std::vector<FragmentNumber> ConfirmDeletion(std::chrono::steady_clock::time_point now);
  // Nothing was deleted: as if it had not begun.
  void TakeBackDeletion() { begun_.reset(); }
  bool AnyOf(const std::vector<FragmentNumber>& numbers) const;

 private:
  struct Begun {
    FootageTaking taking;
    std::vector<FragmentNumber> met;
  };
  struct Confirmed {
    FootageTaking taking;
    std::chrono::steady_clock::time_point at;
  };
  std::map<FragmentNumber, FragmentFacts> appending_;  // without their tracks
  std::optional<Begun> begun_;
  std::deque<Confirmed> confirmed_;  // of as long as a fragment may stay open
};

}  // namespace millrace
