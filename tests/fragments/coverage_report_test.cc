// Goal: the report of coverage has no hole and no overlap, and each cause is the right one. Method: a table
// of facts and what they come to, in seconds; then random facts, for what must hold of every report.
#include "fragments/coverage_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace millrace {
namespace {

// Far from 1970, so that a mistake with signs shows.
constexpr Timestamp At(std::int64_t s) { return Timestamp::FromSeconds(1'763'690'000 + s); }

struct Piece {
  std::int64_t start, end;
  GapCause cause = GapCause::kUnknown;
};

struct Case {
  const char* name;
  std::vector<std::pair<int, int>> recorded;
  std::vector<Piece> gaps;  // an end of 0 is open
  std::optional<int> recording_since;
  std::string expected;  // of [0, 1000); now is 500
  int created = -10'000;
  int kept_since = -10'000;
  std::optional<int> evicted_before = {};
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

std::string Text(const std::vector<CoverageSpan>& spans) {
  std::string text;
  for (const CoverageSpan& span : spans) {
    if (!text.empty()) text += ' ';
    const auto what = span.state == CoverageState::kGap ? ToString(span.cause) : ToString(span.state);
    text += std::to_string((span.start - At(0)).count() / 1'000'000'000) + "-" +
            std::to_string((span.end - At(0)).count() / 1'000'000'000) + ":" + std::string(what);
  }
  return text;
}

CoverageFacts Facts(const Case& c) {
  CoverageFacts facts;
  for (const auto& [start, end] : c.recorded) facts.recorded.push_back({At(start), At(end)});
  for (const Piece& gap : c.gaps) {
    facts.gaps.push_back({.start = At(gap.start),
                          .end = gap.end == 0 ? kGapOpenEnd : At(gap.end),
                          .cause = gap.cause,
                          .detail = {}});
  }
  facts.created = At(c.created);
  facts.kept_since = At(c.kept_since);
  if (c.recording_since) facts.recording_since = At(*c.recording_since);
  if (c.evicted_before) facts.evicted_before = At(*c.evicted_before);
  facts.now = At(500);
  return facts;
}

TEST(MergeCoverageTest, WhatIsNotStoredYetIsPendingInAnyRangeNearNow) {
  const CoverageFacts facts = Facts({"", {{0, 480}}, {}, 0, ""});
  EXPECT_EQ(Text(MergeCoverage(facts, At(400), At(490))), "400-480:recorded 480-490:pending");
  // A minute ago it would be stored by now.
  const CoverageFacts old = Facts({"", {{0, 400}}, {}, 0, ""});
  EXPECT_EQ(Text(MergeCoverage(old, At(300), At(440))), "300-400:recorded 400-440:unknown");
}

class MergeTest : public testing::TestWithParam<Case> {};

TEST_P(MergeTest, GivesWhatTheTableSays) {
  EXPECT_EQ(Text(MergeCoverage(Facts(GetParam()), At(0), At(1000))), GetParam().expected);
}

using C = GapCause;
INSTANTIATE_TEST_SUITE_P(
    Table, MergeTest,
    testing::Values(
        Case{"nothing", {}, {}, {}, "0-500:unknown"}, Case{"whole", {{0, 500}}, {}, {}, "0-500:recorded"},
        Case{"cut_to_the_range", {{-50, 1100}}, {}, {}, "0-1000:recorded"},
        Case{"a_hole",
             {{0, 100}, {200, 500}},
             {{100, 200, C::kSilent}},
             {},
             "0-100:recorded 100-200:silent 200-500:recorded"},
        Case{"a_hole_nobody_knows",
             {{0, 100}, {200, 500}},
             {},
             {},
             "0-100:recorded 100-200:unknown 200-500:recorded"},
        Case{"a_gap_under_footage", {{0, 500}}, {{100, 200, C::kSilent}}, {}, "0-500:recorded"},
        Case{"the_edges_are_the_gaps",
             {{0, 100}, {200, 500}},
             {{109, 190, C::kNetworkLoss}},
             {},
             "0-100:recorded 100-200:network_loss 200-500:recorded"},
        Case{"a_long_rest_is_not",
             {{0, 100}, {400, 500}},
             {{100, 200, C::kSilent}},
             {},
             "0-100:recorded 100-200:silent 200-400:unknown 400-500:recorded"},
        Case{"a_clock_that_is_ahead",
             {{0, 100}, {104, 500}},
             {{90, 94, C::kNetworkLoss}},
             {},
             "0-100:recorded 100-104:network_loss 104-500:recorded"},
        Case{"a_clock_that_is_behind",
             {{0, 100}, {104, 500}},
             {{112, 116, C::kNetworkLoss}},
             {},
             "0-100:recorded 100-104:network_loss 104-500:recorded"},
        Case{"causes_follow_each_other",
             {{0, 100}, {300, 500}},
             {{100, 110, C::kNetworkLoss}, {110, 250, C::kUnreachable}, {250, 300, C::kUnauthorized}},
             {},
             "0-100:recorded 100-110:network_loss 110-250:unreachable 250-300:unauthorized 300-500:recorded"},
        Case{"what_began_last_counts",
             {{0, 100}},
             {{100, 0, C::kUnreachable}, {200, 300, C::kUnauthorized}},
             {},
             "0-100:recorded 100-200:unreachable 200-300:unauthorized 300-500:unreachable"},
        Case{"the_server_was_down",
             {{0, 100}},
             {{120, 200, C::kServerDown}, {90, 0, C::kDisabled}, {150, 160, C::kDiskRefused}},
             {},
             "0-100:recorded 100-120:disabled 120-200:server_down 200-500:disabled"},
        Case{"the_disk_refused",
             {{0, 100}, {110, 500}},
             {{100, 110, C::kDiskRefused}, {105, 120, C::kSilent}},
             {},
             "0-100:recorded 100-110:disk_refused 110-500:recorded"},
        Case{"same_neighbours_are_one",
             {},
             {{0, 200, C::kSilent}, {200, 300, C::kSilent}, {250, 0, C::kSilent}},
             {},
             "0-500:silent"},
        Case{"an_open_gap_ends_now",
             {{0, 100}},
             {{100, 0, C::kUnreachable}},
             {},
             "0-100:recorded 100-500:unreachable"},
        Case{"a_gap_before_and_after_the_range",
             {{100, 200}},
             {{-50, 100, C::kSilent}, {200, 9000, C::kDisabled}},
             {},
             "0-100:silent 100-200:recorded 200-500:disabled"},
        Case{"what_is_not_stored_yet", {{0, 495}}, {}, 0, "0-495:recorded 495-500:pending"},
        Case{"the_first_fragment", {}, {{0, 490, C::kConnecting}}, 490, "0-490:connecting 490-500:pending"},
        Case{"pending_only_while_recorded", {{0, 495}}, {}, {}, "0-495:recorded 495-500:unknown"},
        Case{"pending_only_since_recorded", {{0, 100}}, {}, 480, "0-100:recorded 100-500:unknown"},
        Case{"before_it_was_made",
             {{210, 500}},
             {{-10, 300, C::kUnreachable}},
             {},
             "0-200:not_recorded 200-210:unreachable 210-500:recorded",
             200},
        Case{"older_than_kept",
             {{210, 500}},
             {{100, 210, C::kSilent}},
             {},
             "0-200:retention 200-210:silent 210-500:recorded",
             -10'000,
             200},
        Case{"evicted",
             {{210, 500}},
             {{50, 80, C::kSilent}},
             {},
             "0-50:evicted 50-80:silent 80-210:evicted 210-500:recorded",
             -10'000,
             -10'000,
             205},
        Case{"evicted_and_expired",
             {{210, 300}},
             {},
             {},
             "0-100:retention 100-210:evicted 210-300:recorded 300-500:unknown",
             -10'000,
             100,
             205},
        Case{"made_then_expired",
             {{300, 500}},
             {},
             {},
             "0-100:not_recorded 100-300:retention 300-500:recorded",
             100,
             300},
        Case{"expired_footage_that_is_still_there",
             {{50, 500}},
             {},
             {},
             "0-50:retention 50-500:recorded",
             -10'000,
             300},
        Case{"an_empty_gap", {{0, 500}}, {{100, 100, C::kSilent}}, {}, "0-500:recorded"}),
    [](const auto& each) { return std::string(each.param.name); });

TEST(MergeCoverageTest, ARangeThatIsEmptyOrAheadIsEmpty) {
  const CoverageFacts facts = Facts({"", {{0, 100}}, {}, {}, ""});
  EXPECT_TRUE(MergeCoverage(facts, At(10), At(10)).empty());
  EXPECT_TRUE(MergeCoverage(facts, At(10), At(5)).empty());
  EXPECT_TRUE(MergeCoverage(facts, At(500), At(900)).empty());
}

TEST(MergeCoverageTest, DetailsGoWithTheirGap) {
  CoverageFacts facts = Facts({"", {{0, 100}, {200, 500}}, {}, {}, ""});
  facts.gaps.push_back({At(105), At(190), C::kUnreachable, "connection refused"});
  const auto spans = MergeCoverage(facts, At(0), At(500));
  ASSERT_EQ(spans.size(), 3u);
  EXPECT_EQ(spans[1],
            (CoverageSpan{At(100), At(200), CoverageState::kGap, C::kUnreachable, "connection refused"}));
}

TEST(MergeCoverageTest, EveryReportIsWholeAndFootageAlwaysWins) {
  std::mt19937 random(20261121);
  const auto pick = [&](int below) { return static_cast<int>(random() % static_cast<unsigned>(below)); };
  for (int round = 0; round < 2000; ++round) {
    Case c{"random", {}, {}, {}, "", pick(600) - 300, pick(600) - 300};
    for (int at = pick(60) - 30; at < 500;) {
      const int end = std::min(500, at + 1 + pick(50));
      c.recorded.emplace_back(at, end);
      at = end + 1 + pick(60);
    }
    for (int i = pick(12); i > 0; --i) {
      const int start = pick(700) - 100;
      c.gaps.push_back({start, pick(5) == 0 ? 0 : start + pick(200), static_cast<GapCause>(pick(13))});
    }
    if (pick(2) == 0) c.recording_since = pick(500);
    const int from = pick(550) - 50;
    const int to = from + 1 + pick(600);
    const auto spans = MergeCoverage(Facts(c), At(from), At(to));
    const int until = std::min(to, 500);
    if (until <= from) {
      EXPECT_TRUE(spans.empty());
      continue;
    }
    ASSERT_FALSE(spans.empty());
    EXPECT_EQ(spans.front().start, At(from));
    EXPECT_EQ(spans.back().end, At(until));
    for (std::size_t i = 0; i < spans.size(); ++i) {
      ASSERT_LT(spans[i].start, spans[i].end);
      if (i == 0) continue;
      ASSERT_EQ(spans[i].start, spans[i - 1].end);
      ASSERT_TRUE(spans[i].state != spans[i - 1].state || spans[i].cause != spans[i - 1].cause);
    }
    for (int s = from; s < until; ++s) {
      const bool recorded = std::any_of(c.recorded.begin(), c.recorded.end(),
                                        [&](const auto& r) { return r.first <= s && s < r.second; });
      const auto span =
          std::find_if(spans.begin(), spans.end(), [&](const auto& x) { return At(s) < x.end; });
      ASSERT_EQ(span->state == CoverageState::kRecorded, recorded) << "round " << round << " second " << s;
    }
  }
}

}  // namespace
}  // namespace millrace
