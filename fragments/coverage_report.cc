#include "fragments/coverage_report.h"

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

namespace millrace {
namespace {

int Weight(GapCause cause) {
  if (cause == GapCause::kServerDown) return 2;
  return cause == GapCause::kDiskRefused ? 1 : 0;
}

// Gaps in order and apart from each other: at each time the one that counts.
std::vector<Gap> Disjoint(const std::vector<Gap>& gaps) {
  struct Edge {
    Timestamp at;
    bool begins;
    std::size_t gap;
  };
  std::vector<Edge> edges;
  for (std::size_t i = 0; i < gaps.size(); ++i) {
    if (gaps[i].end <= gaps[i].start) continue;
    edges.push_back({gaps[i].start, true, i});
    edges.push_back({gaps[i].end, false, i});
  }
  std::sort(edges.begin(), edges.end(), [](const Edge& a, const Edge& b) { return a.at < b.at; });
  using Rank = std::tuple<int, std::int64_t, std::size_t>;  // the highest counts
  std::set<Rank> active;
  std::vector<Gap> out;
  for (std::size_t i = 0; i < edges.size();) {
    const Timestamp from = edges[i].at;
    for (; i < edges.size() && edges[i].at == from; ++i) {
      const Gap& gap = gaps[edges[i].gap];
      const Rank rank{Weight(gap.cause), gap.start.ns, edges[i].gap};
      if (edges[i].begins) {
        active.insert(rank);
      } else {
        active.erase(rank);
      }
    }
    if (active.empty()) continue;  // always so behind the last edge
    const Gap& counts = gaps[std::get<2>(*active.rbegin())];
    if (!out.empty() && out.back().end == from && out.back().cause == counts.cause &&
        out.back().detail == counts.detail) {
      out.back().end = edges[i].at;
    } else {
      out.push_back({.start = from, .end = edges[i].at, .cause = counts.cause, .detail = counts.detail});
    }
  }
  return out;
}

class Merger {
 public:
  explicit Merger(const CoverageFacts& facts) : facts_(facts), gaps_(Disjoint(facts.gaps)) {}

  std::vector<CoverageSpan> Run(Timestamp start, Timestamp end) {
    Timestamp at = start;
    for (const CoverageInterval& interval : facts_.recorded) {
      const Timestamp from = std::max(interval.start, at);
      const Timestamp to = std::min(interval.end, end);
      if (to <= from) continue;
      FillHole(at, std::min(from, facts_.now));
      Emit({.start = from, .end = to, .state = CoverageState::kRecorded, .cause = {}, .detail = {}});
      at = to;
    }
    tail_ = std::min(end, facts_.now);
    FillHole(at, *tail_);
    return std::move(out_);
  }

 private:
  void Emit(CoverageSpan span) {
    if (span.end <= span.start) return;
    if (!out_.empty() && out_.back().end == span.start && out_.back().state == span.state &&
        out_.back().cause == span.cause && out_.back().detail == span.detail) {
      out_.back().end = span.end;
    } else {
      out_.push_back(std::move(span));
    }
  }

  void EmitGap(Timestamp from, Timestamp to, GapCause cause, std::string detail = {}) {
    Emit({.start = from,
          .end = to,
          .state = CoverageState::kGap,
          .cause = cause,
          .detail = std::move(detail)});
  }

  void FillHole(Timestamp from, Timestamp to) {
    if (to <= from) return;
    if (from < facts_.created) {
      const Timestamp until = std::min(to, facts_.created);
      EmitGap(from, until, GapCause::kNotRecorded);
      from = until;
    }
    if (from < facts_.kept_since) {
      const Timestamp until = std::min(to, facts_.kept_since);
      EmitGap(from, until, GapCause::kRetention);
      from = until;
    }
    auto gap = std::upper_bound(gaps_.begin(), gaps_.end(), from,
                                [](Timestamp t, const Gap& g) { return t < g.end; });
    for (; from < to; ++gap) {
      if (gap == gaps_.end() || gap->start >= to) return Unexplained(from, to, gap);
      if (gap->start > from) Unexplained(from, gap->start, gap);
      from = std::max(from, gap->start);
      const Timestamp until = std::min(to, gap->end);
      EmitGap(from, until, gap->cause, gap->detail);
      from = until;
    }
  }

  // `next`: the first gap behind.
  void Unexplained(Timestamp from, Timestamp to, std::vector<Gap>::const_iterator next) {
    const bool may_be_open = to == tail_ && facts_.now - to <= kPendingMax;
    if (may_be_open && facts_.recording_since && from >= *facts_.recording_since - kGapSlack) {
      return Emit({.start = from, .end = to, .state = CoverageState::kPending, .cause = {}, .detail = {}});
    }
    if (to - from <= kGapSlack) {
      // The gap before it first: what begins to be recorded does so a little late.
      if (next != gaps_.begin() && from - std::prev(next)->end <= kGapSlack) {
        return EmitGap(from, to, std::prev(next)->cause, std::prev(next)->detail);
      }
      if (next != gaps_.end() && next->start - to <= kGapSlack) {
        return EmitGap(from, to, next->cause, next->detail);
      }
    }
    // Why it was never recorded is told first, where that was noted; otherwise it was, and has gone.
    if (facts_.evicted_before && from < *facts_.evicted_before) {
      const Timestamp until = std::min(to, *facts_.evicted_before);
      EmitGap(from, until, GapCause::kEvicted);
      from = until;
    }
    // What is left of a fragment that went: it began before.
    if (facts_.evicted_before && from < to && from - *facts_.evicted_before <= kGapSlack &&
        to - from <= kGapSlack) {
      return EmitGap(from, to, GapCause::kEvicted);
    }
    EmitGap(from, to, GapCause::kUnknown);
  }

  const CoverageFacts& facts_;
  std::optional<Timestamp> tail_;  // where the last hole ends
  const std::vector<Gap> gaps_;
  std::vector<CoverageSpan> out_;
};

}  // namespace

std::string_view ToString(CoverageState state) {
  switch (state) {
    case CoverageState::kRecorded:
      return "recorded";
    case CoverageState::kPending:
      return "pending";
    case CoverageState::kGap:
      return "gap";
  }
  return "gap";
}

std::vector<CoverageSpan> MergeCoverage(const CoverageFacts& facts, Timestamp start, Timestamp end) {
  return Merger(facts).Run(start, end);
}

}  // namespace millrace
