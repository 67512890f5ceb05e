// The tracker on boxes that are made up: who keeps an id, who gets a new one, and what is bounded.
#include "consumers/faces/face_tracker.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "consumers/faces/face_searcher.h"

namespace millrace::testing {
namespace {

constexpr double kSide = 0.1;

class FaceTrackerTest : public ::testing::Test {
 protected:
  static SeenFace At(double x, double y, const std::string& person = "", double side = kSide) {
    return {.face = {.box = {x, y, side, side}, .confidence = 90}, .person = person};
  }
  // The ids of the faces at this time, in their order; "-" where one has none.
  std::vector<std::string> Update(double seconds, const std::vector<SeenFace>& faces,
                                  const cv::Rect2d& looked = {0, 0, 1, 1}) {
    const auto name = [this](const Face&) { return std::to_string(++named_); };
    const auto looked_at = [&](const cv::Rect2d& box) { return looked.contains(box.tl()); };
    std::vector<std::string> ids;
    for (const auto& track : tracker_.Update(Time(seconds), faces, name, looked_at)) {
      ids.push_back(track ? tracker_.tracks()[*track].id : "-");
    }
    return ids;
  }
  static Timestamp Time(double seconds) { return Timestamp{static_cast<std::int64_t>(seconds * 1e9)}; }

  FaceTracker tracker_;
  int named_ = 0;
};

using Ids = std::vector<std::string>;

TEST_F(FaceTrackerTest, AFaceKeepsItsIdWhileItMoves) {
  for (int i = 0; i < 50; ++i) EXPECT_EQ(Update(0.04 * i, {At(0.01 * i, 0.3)}), Ids{"1"}) << i;
}

TEST_F(FaceTrackerTest, AndWithASecondBetweenTheFrames) {
  for (int i = 0; i < 8; ++i) EXPECT_EQ(Update(i, {At(0.1 * i, 0.3)}), Ids{"1"}) << i;
}

TEST_F(FaceTrackerTest, TheOrderOfTheFacesDoesNotMatter) {
  EXPECT_EQ(Update(0, {At(0.1, 0.1), At(0.7, 0.1), At(0.4, 0.8)}), (Ids{"1", "2", "3"}));
  EXPECT_EQ(Update(0.1, {At(0.41, 0.8), At(0.11, 0.1), At(0.69, 0.1)}), (Ids{"3", "1", "2"}));
}

TEST_F(FaceTrackerTest, TwoWhoPassEachOtherKeepTheirIds) {
  for (int i = 0; i <= 40; ++i) {
    const double way = 0.02 * i;
    EXPECT_EQ(Update(0.04 * i, {At(0.05 + way, 0.3), At(0.85 - way, 0.36)}), (Ids{"1", "2"})) << i;
  }
}

TEST_F(FaceTrackerTest, KnownPeopleAreNotTakenForEachOther) {
  EXPECT_EQ(Update(0, {At(0.3, 0.3, "ada"), At(0.5, 0.3, "leo")}), (Ids{"1", "2"}));
  // They have changed places.
  EXPECT_EQ(Update(1, {At(0.3, 0.3, "leo"), At(0.5, 0.3, "ada")}), (Ids{"2", "1"}));
}

TEST_F(FaceTrackerTest, AFaceThatIsMissedForAMomentGoesOn) {
  EXPECT_EQ(Update(0, {At(0.3, 0.3)}), Ids{"1"});
  for (int i = 1; i < 10; ++i) Update(0.1 * i, {});
  EXPECT_FALSE(tracker_.tracks()[0].visible);
  EXPECT_EQ(Update(1, {At(0.32, 0.3)}), Ids{"1"});
  EXPECT_TRUE(tracker_.tracks()[0].visible);
}

TEST_F(FaceTrackerTest, OneThatStaysAwayIsForgotten) {
  EXPECT_EQ(Update(0, {At(0.3, 0.3)}), Ids{"1"});
  for (int i = 1; i < 30; ++i) Update(0.1 * i, {});
  EXPECT_EQ(Update(3, {At(0.3, 0.3)}), Ids{"2"});
  EXPECT_EQ(tracker_.tracks().size(), 1u);
}

TEST_F(FaceTrackerTest, AFaceFarAwayOrOfAnotherSizeIsAnother) {
  EXPECT_EQ(Update(0, {At(0.1, 0.1)}), Ids{"1"});
  EXPECT_EQ(Update(0.04, {At(0.6, 0.1)}), Ids{"2"});
  EXPECT_EQ(Update(0.08, {At(0.6, 0.1, "", 0.3)}), Ids{"3"});
}

TEST_F(FaceTrackerTest, WhereNothingWasLookedAtEverythingStays) {
  EXPECT_EQ(Update(0, {At(0.1, 0.1), At(0.7, 0.7)}), (Ids{"1", "2"}));
  for (int i = 1; i < 60; ++i) EXPECT_EQ(Update(i, {At(0.1, 0.1)}, {0, 0, 0.5, 0.5}), Ids{"1"});
  EXPECT_TRUE(tracker_.tracks()[1].visible);
  EXPECT_FALSE(tracker_.tracks()[1].detected);
  EXPECT_EQ(Update(60, {At(0.7, 0.7)}), Ids{"2"});
}

TEST_F(FaceTrackerTest, TimeThatGoesBackOrFarAheadBeginsAnew) {
  EXPECT_EQ(Update(100, {At(0.1, 0.1)}), Ids{"1"});
  EXPECT_EQ(Update(99, {At(0.1, 0.1)}), Ids{"2"});
  EXPECT_EQ(Update(200, {At(0.1, 0.1)}), Ids{"3"});
}

TEST_F(FaceTrackerTest, MoreFacesThanTracksHaveNone) {
  std::vector<SeenFace> many;
  for (int i = 0; i < 100; ++i) many.push_back(At(0.1 * (i % 10), 0.1 * (i / 10), "", 0.02));
  const Ids ids = Update(0, many);
  EXPECT_EQ(std::set<std::string>(ids.begin(), ids.end()).size(), FaceTracker::kTracksMax + 1);
  EXPECT_EQ(ids.back(), "-");
  EXPECT_EQ(Update(0.1, many), ids);
  EXPECT_EQ(tracker_.tracks().size(), FaceTracker::kTracksMax);
  // Whoever went makes room.
  const Ids later = Update(0.2, {At(0.95, 0.95, "", 0.2)});
  EXPECT_EQ(later.front(), std::to_string(named_));
}

TEST_F(FaceTrackerTest, BoxesThatAreNoneHarmNobody) {
  EXPECT_EQ(Update(0, {At(0.1, 0.1), At(0.5, 0.5, "", 0)}), (Ids{"1", "2"}));
  EXPECT_EQ(Update(0.1, {At(0.1, 0.1), At(0.5, 0.5, "", 0)}).front(), "1");
}

FaceGallery NobodyOf(const std::vector<std::string>& people) {
  std::vector<KnownFace> faces;
  for (const std::string& person : people)
    faces.push_back({.face_id = person, .image_id = "", .person = person});
  auto detector = MakeFaceDetector({});
  auto recognizer = MakeFaceRecognizer({});
  return FaceGallery("staff", "1", std::move(faces), **detector, **recognizer);
}

TEST(FaceSearcherTest, SaysWhatTheLastPicturesSayTogether) {
  const FaceGallery gallery = NobodyOf({"ada", "leo"});
  FaceSearcher searcher;
  const auto at = [](int seconds) { return Timestamp{seconds * std::int64_t{1'000'000'000}}; };
  EXPECT_TRUE(searcher.Matches("1", at(0), 0, gallery).empty());
  searcher.Add("1", at(0), {{0, 90}, {1, 10}});
  searcher.Add("1", at(1), {{1, 50}, {0, 40}});
  searcher.Add("1", at(2), {{0, 98}});
  const auto matches = searcher.Matches("1", at(2), 60, gallery);
  ASSERT_EQ(matches.size(), 1u);
  EXPECT_EQ(matches[0].face, 0u);
  EXPECT_DOUBLE_EQ(matches[0].similarity, 76);
  EXPECT_EQ(searcher.Matches("1", at(2), 20, gallery).size(), 2u);
  // What is long ago counts for nothing, and no more than the last kKept pictures do.
  EXPECT_TRUE(searcher.Matches("1", at(20), 0, gallery).empty());
  for (int i = 0; i < 20; ++i) searcher.Add("1", at(20), {{1, 100}});
  EXPECT_DOUBLE_EQ(searcher.Matches("1", at(20), 60, gallery).at(0).similarity, 100);
  searcher.Keep({"2"});
  EXPECT_TRUE(searcher.Matches("1", at(20), 0, gallery).empty());
}

TEST(FaceSearcherTest, ImagesThatAreNoneMatchNobody) {
  const FaceGallery gallery = NobodyOf({"ada", "leo"});
  EXPECT_EQ(gallery.unusable(), 2u);
  EXPECT_TRUE(gallery.Search(cv::Mat::ones(1, 9216, CV_32F), **MakeFaceRecognizer({}), 5).empty());
}

}  // namespace
}  // namespace millrace::testing
