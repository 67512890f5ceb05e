#include "fragments/footage_deletion.h"

#include <algorithm>
#include <utility>

#include "fragments/fragment_record.h"
#include "fragments/fragment_store.h"
#include "fragments/stream_settings.h"

namespace millrace {
namespace {

constexpr std::size_t kPage = 1000;
// A fragment is closed, and its append has begun, long before that.
constexpr std::chrono::minutes kDeletionRemembered{10};

// Adds a span to those that there are, joined with the last one where they touch.
void AddSpan(std::vector<FootageSpan>& spans, FootageSpan span) {
  if (!spans.empty()) {
    FootageSpan& last = spans.back();
    const bool touches = span.start <= last.end + kCoverageGapMin && span.end + kCoverageGapMin >= last.start;
    if (touches || spans.size() == kDeletedSpansMax) {
      last.start = std::min(last.start, span.start);
      last.end = std::max(last.end, span.end);
      return;
    }
  }
  spans.push_back(span);
}

}  // namespace

Result<SelectedFootage> SelectFootage(storage::RecordLog& log, const std::string& data_stream,
                                      const std::string& partition_key, const FootageRange& range) {
  const storage::AttributeId attribute =
      range.clock == FootageClock::kProducer ? kProducerAttribute : kServerAttribute;
  const Bytes start = TimeKey(range.start);
  SelectedFootage selected;
  selected.ranges.push_back({.attribute = attribute, .from = start, .to = TimeKey(range.end - Duration{1})});

  storage::AttributeQuery query;
  query.attribute = attribute;
  query.from = TimeKey(range.start - kFragmentDurationMax);
  query.to = selected.ranges.front().to;
  query.limit = kPage;
  std::size_t again = 0;  // records of the last page that the next one begins with
  for (;;) {
    MILLRACE_ASSIGN_OR_RETURN(const auto records, log.Find(data_stream, partition_key, query));
    std::size_t at_last = 0;
    for (std::size_t i = 0; i < records.size(); ++i) {
      const ByteSpan at = records[i].Find(attribute);
      const bool same = i > 0 && std::ranges::equal(at, records[i - 1].Find(attribute));
      at_last = same ? at_last + 1 : 1;
      if (i < again) continue;
      MILLRACE_ASSIGN_OR_RETURN(const FragmentFacts facts, FactsOf(records[i]));
      if (!range.Touches(facts)) continue;
      AddSpan(selected.spans, {facts.start, facts.end_time()});
      if (!std::ranges::lexicographical_compare(at, start)) continue;
      // It begins before the range: by its own number.
      if (selected.ranges.size() == storage::kRangesMax) {
        return Error{ErrorCode::kResourceExhausted, "more than " + std::to_string(storage::kRangesMax) +
                                                        " fragments overlap at the range's start"};
      }
      storage::AttributeRange& one = selected.ranges.emplace_back();
      one.attribute = kNumberAttribute;
      one.from = one.to = facts.number.ToKey();
    }
    if (records.size() < query.limit) break;
    const ByteSpan last = records.back().Find(attribute);
    query.from = Bytes(last.begin(), last.end());
    again = at_last;
    query.limit = kPage + again;
  }
  std::ranges::sort(selected.spans, {}, &FootageSpan::start);
  std::vector<FootageSpan> joined;
  for (const FootageSpan& span : selected.spans) AddSpan(joined, span);
  selected.spans = std::move(joined);
  return selected;
}

bool UnderWay::Begin(const FragmentFacts& facts) {
  const bool deleted = std::ranges::any_of(deletions_, [&](const Deletion& deletion) {
    return facts.number.counter <= deletion.newest.counter && deletion.range.Touches(facts);
  });
  if (deleted) return false;
  FragmentFacts& kept = appending_[facts.number];
  kept.number = facts.number;
  kept.start = facts.start;
  kept.server_start = facts.server_start;
  kept.duration = facts.duration;
  return true;
}

void UnderWay::Delete(const FootageRange& range, const FragmentNumber& newest,
                      std::chrono::steady_clock::time_point now) {
  while (!deletions_.empty() && now - deletions_.front().at > kDeletionRemembered) deletions_.pop_front();
  deletions_.push_back({range, newest, now});
}

bool UnderWay::Any(const FootageRange& range) const {
  return std::ranges::any_of(appending_, [&](const auto& one) { return range.Touches(one.second); });
}

}  // namespace millrace
