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

storage::AttributeRange RangeOf(const FragmentNumber& number) {
  storage::AttributeRange range;
  range.attribute = kNumberAttribute;
  range.from = range.to = number.ToKey();
  return range;
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
      selected.ranges.push_back(RangeOf(facts.number));
    }
    if (records.size() < query.limit) break;
    const ByteSpan last = records.back().Find(attribute);
    query.from = Bytes(last.begin(), last.end());
    again = at_last;
    query.limit = kPage + again;
  }
  selected.spans = JoinSpans(std::move(selected.spans));
  return selected;
}

std::vector<FootageSpan> JoinSpans(std::vector<FootageSpan> spans) {
  std::ranges::sort(spans, {}, &FootageSpan::start);
  std::vector<FootageSpan> joined;
  for (const FootageSpan& span : spans) AddSpan(joined, span);
  return joined;
}

Result<SelectedFootage> SelectFragments(storage::RecordLog& log, const std::string& data_stream,
                                        const std::string& partition_key,
                                        std::span<const FragmentNumber> numbers) {
  SelectedFootage selected;
  for (const FragmentNumber& number : numbers) {
    storage::AttributeQuery query;
    query.attribute = kNumberAttribute;
    query.from = query.to = number.ToKey();
    query.limit = 1;
    MILLRACE_ASSIGN_OR_RETURN(const auto records, log.Find(data_stream, partition_key, query));
    if (records.empty()) continue;
    MILLRACE_ASSIGN_OR_RETURN(const FragmentFacts facts, FactsOf(records.front()));
    selected.ranges.push_back(RangeOf(number));
    selected.spans.push_back({facts.start, facts.end_time()});
  }
  return selected;
}

bool FootageTaking::Takes(const FragmentFacts& facts) const {
  return facts.number.counter <= newest.counter && range.Touches(facts) &&
         std::ranges::none_of(holds, [&](const FootageHold& hold) { return hold.Keeps(facts); });
}

bool UnderWay::Begin(const FragmentFacts& facts) {
  const bool deleted = std::ranges::any_of(
      confirmed_, [&](const Confirmed& deletion) { return deletion.taking.Takes(facts); });
  if (deleted) return false;
  FragmentFacts& kept = appending_[facts.number];
  kept.number = facts.number;
  kept.start = facts.start;
  kept.server_start = facts.server_start;
  kept.duration = facts.duration;
  if (begun_ && begun_->taking.Takes(kept)) begun_->met.push_back(kept.number);
  return true;
}

const FootageHold* UnderWay::HoldOf(const FootageTaking& taking) const {
  for (const auto& [number, facts] : appending_) {
    if (!taking.range.Touches(facts)) continue;
    for (const FootageHold& hold : taking.holds) {
      if (hold.Keeps(facts)) return &hold;
    }
  }
  return nullptr;
}

void UnderWay::BeginDeletion(FootageTaking taking) {
  begun_ = Begun{std::move(taking), {}};
  for (const auto& [number, facts] : appending_) {
    if (begun_->taking.Takes(facts)) begun_->met.push_back(number);
  }
}

std::vector<FragmentNumber> UnderWay::ConfirmDeletion(std::chrono::steady_clock::time_point now) {
  while (!confirmed_.empty() && now - confirmed_.front().at > kDeletionRemembered) confirmed_.pop_front();
  std::vector<FragmentNumber> met = std::move(begun_->met);
  confirmed_.push_back({std::move(begun_->taking), now});
  begun_.reset();
  return met;
}

bool UnderWay::AnyOf(const std::vector<FragmentNumber>& numbers) const {
  return std::ranges::any_of(numbers,
                             [&](const FragmentNumber& number) { return appending_.contains(number); });
}

}  // namespace millrace
