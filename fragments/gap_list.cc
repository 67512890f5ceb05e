#include "fragments/gap_list.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/text.h"
#include "fragments/coverage_ledger.h"

namespace millrace {

void GapList::CloseAll(Timestamp at) {
  open_.reset();
  for (auto row = gaps_.begin(); row != gaps_.end();) {
    const auto next = std::next(row);
    if (row->second.open()) {
      row->second.end = std::max(at, row->first);
      touched_(row->first);
      if (row->second.end == row->first) Erase(row);
    }
    row = next;
  }
}

void GapList::Clear() {
  open_.reset();
  while (!gaps_.empty()) Erase(gaps_.begin());
}

Timestamp GapList::LastChange() const {
  Timestamp last{INT64_MIN};
  for (const auto& [start, gap] : gaps_) last = std::max(last, gap.open() ? start : gap.end);
  return last;
}

void GapList::Begin(GapCause cause, Timestamp start, std::string detail) {
  recording_since_.reset();
  detail = Excerpt(detail, kGapDetailBytesMax);
  if (Gap* gap = open()) {
    if (gap->cause == cause) return;
    // Trying again does not make the camera any less away.
    if (cause == GapCause::kConnecting && gap->cause != GapCause::kDisabled) return;
    if (gap->cause == GapCause::kConnecting) {
      gap->cause = cause;
      gap->detail = std::move(detail);
      touched_(gap->start);
      return;
    }
    start = std::max(start, gap->start);
    Close(start);
  }
  open_ = Put({.start = start, .end = kGapOpenEnd, .cause = cause, .detail = std::move(detail)});
  Bound();
}

void GapList::End(Timestamp at) {
  Close(at);
  if (!recording_since_) recording_since_ = at;
}

void GapList::Add(Gap gap) {
  if (gap.end <= gap.start || gap.open()) return;
  gap.detail = Excerpt(gap.detail, kGapDetailBytesMax);
  Put(std::move(gap));
  Bound();
}

void GapList::Close(Timestamp at) {
  Gap* gap = open();
  if (gap == nullptr) return;
  gap->end = std::max(at, gap->start);
  touched_(gap->start);
  // One without any length explains nothing.
  if (gap->end == gap->start) Erase(gaps_.find(*open_));
  open_.reset();
}

Timestamp GapList::Put(Gap gap) {
  // The nearest of its cause before it; only a few gaps of other causes can lie in so short a time.
  int looked = 0;
  for (auto row = gaps_.upper_bound(gap.start); row != gaps_.begin() && looked < 8; ++looked) {
    --row;
    Gap& before = row->second;
    if (before.cause != gap.cause || before.open()) continue;
    if (gap.start - before.end > kGapMergeWithin) continue;
    before.end = std::max(before.end, gap.end);
    touched_(before.start);
    return before.start;
  }
  // Two may begin together: the key of the later one moves by the least there is.
  while (gaps_.contains(gap.start)) gap.start = gap.start + Duration{1};
  const Timestamp start = gap.start;
  gaps_.emplace(start, std::move(gap));
  touched_(start);
  return start;
}

void GapList::Bound() {
  while (gaps_.size() > kGapsMax) {
    auto joined = gaps_.end();
    Duration least = Duration::max();
    for (auto row = gaps_.begin(); std::next(row) != gaps_.end(); ++row) {
      const auto next = std::next(row);
      if (row->second.cause != next->second.cause || row->second.open()) continue;
      const Duration between = next->second.start - row->second.end;
      if (between < least) {
        least = between;
        joined = row;
      }
    }
    if (joined != gaps_.end()) {
      const auto next = std::next(joined);
      joined->second.end = std::max(joined->second.end, next->second.end);
      touched_(joined->first);
      if (open_ == next->first) open_ = joined->first;
      Erase(next);
      continue;
    }
    auto shortest = gaps_.end();
    for (auto row = gaps_.begin(); row != gaps_.end(); ++row) {
      if (row->second.open()) continue;
      if (shortest == gaps_.end() ||
          row->second.end - row->second.start < shortest->second.end - shortest->second.start) {
        shortest = row;
      }
    }
    Erase(shortest);
  }
}

void GapList::DropBefore(Timestamp time) {
  for (auto row = gaps_.begin(); row != gaps_.end();) {
    const auto next = std::next(row);
    if (row->second.end <= time) Erase(row);
    row = next;
  }
}

void GapList::Erase(Rows::iterator row) {
  const Timestamp start = row->first;
  gaps_.erase(row);
  touched_(start);
}

std::optional<Gap> GapList::Find(Timestamp start) const {
  const auto row = gaps_.find(start);
  if (row == gaps_.end()) return std::nullopt;
  return row->second;
}

}  // namespace millrace
