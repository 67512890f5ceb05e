// Deleting a range of one video stream's footage: what of it is stored, and what is still on its way.
//
// Threads: SelectFootage waits for the log, on any thread. UnderWay: guarded by its owner, but for Wait.
#pragma once

#include <chrono>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "fragments/footage.h"
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

// The fragments of a stream that are being appended, and the deletions that those which are still open have
// to obey: a fragment that was opened before a deletion and touches its range is not stored after it.
class UnderWay {
 public:
  // False: it was deleted before it came to be stored.
  bool Begin(const FragmentFacts& facts);
  void End(const FragmentNumber& number) { appending_.erase(number); }
  // From now on fragments up to this number that touch the range do not begin.
  void Delete(const FootageRange& range, const FragmentNumber& newest,
              std::chrono::steady_clock::time_point now);
  // The last deletion is refused after all. REQUIRES: there was one.
  void TakeBack() { deletions_.pop_back(); }
  bool Any(const FootageRange& range) const;

 private:
  struct Deletion {
    FootageRange range;
    FragmentNumber newest;
    std::chrono::steady_clock::time_point at;
  };
  std::map<FragmentNumber, FragmentFacts> appending_;  // without their tracks
  std::deque<Deletion> deletions_;                     // of as long as a fragment may stay open
};

}  // namespace millrace
